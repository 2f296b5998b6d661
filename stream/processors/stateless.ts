/** Operators of streams that remember nothing. */
import type { Processor, ProcessorContext } from "../processor.ts";
import type { StreamRecord } from "../record.ts";

/** Makes any number of records of one; `forward` gives one on. */
export type Step = (record: StreamRecord, forward: (record: StreamRecord) => void) => void;

/** A processor of a function. */
export function stateless(step: Step): () => Processor {
  return () => new StatelessProcessor(step);
}

class StatelessProcessor implements Processor {
  #forward: (record: StreamRecord) => void = () => {};

  constructor(private readonly step: Step) {}

  init(context: ProcessorContext): void {
    this.#forward = (record) => context.forward(record);
  }

  process(record: StreamRecord): void {
    this.step(record, this.#forward);
  }
}

/** Gives records to the first branch that takes them, by the names of the nodes behind. */
export function branching(
  branches: readonly {
    readonly child: string;
    readonly takes: (record: StreamRecord) => boolean;
  }[],
  otherwise: string | null,
): () => Processor {
  return () => {
    let context: ProcessorContext | null = null;
    return {
      init: (given) => void (context = given),
      process(record) {
        const branch = branches.find(({ takes }) => takes(record));
        const child = branch?.child ?? otherwise;
        if (child !== null) context?.forward(record, child);
      },
    };
  };
}
