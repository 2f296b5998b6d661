/**
 * A topology of one step in the language of `--where`, `--map` and `--key-by` (`docs/expressions.md`):
 * records of topics, as bytes, into another one.
 */
import {
  type CompiledExpression,
  compileExpression,
  RecordScope,
} from "../../core/expression/expression.ts";
import type { RecordSource } from "../../core/expression/expression.ts";
import type { Processor, ProcessorContext } from "../processor.ts";
import type { StreamRecord } from "../record.ts";
import { bytes } from "../serdes/basic-serdes.ts";
import { Topology } from "../topology/topology.ts";

export interface PipeOptions {
  readonly from: readonly string[];
  /** Null: `look` is given the records. */
  readonly to: string | null;
  readonly look?: (record: PipedRecord) => void;
  readonly where?: string;
  readonly map?: string;
  readonly keyBy?: string;
}

/** Key and value of a record of a pipe. */
export type PipedRecord = StreamRecord<Uint8Array | null, Uint8Array | null>;

/** Throws `ExpressionError`. */
export function pipeTopology({ from, to, look, where, map, keyBy }: PipeOptions): Topology {
  const compiled = (source: string | undefined) =>
    source === undefined ? null : compileExpression(source);
  const expressions = { where: compiled(where), map: compiled(map), keyBy: compiled(keyBy) };
  const topology = new Topology();
  topology.addSource({
    ...{ name: "source", topics: from, keySerde: bytes(), valueSerde: bytes() },
    ...{ timestampExtractor: null, offsetReset: null },
  });
  topology.addProcessor({
    ...{ name: "pipe", parents: ["source"], stores: [] },
    supplier: () => new Pipe(expressions),
  });
  if (to !== null) {
    topology.addSink({
      ...{ name: "sink", parents: ["pipe"], topic: to },
      ...{ partitioner: null, unhashedBytes: 0 },
      ...{ keySerde: bytes(), valueSerde: bytes() },
    });
  } else {
    topology.addProcessor({
      ...{ name: "look", parents: ["pipe"], stores: [] },
      // What comes here was made by the step before.
      supplier: () => ({ process: (record) => look?.(record as PipedRecord) }),
    });
  }
  return topology;
}

interface Expressions {
  readonly where: CompiledExpression | null;
  readonly map: CompiledExpression | null;
  readonly keyBy: CompiledExpression | null;
}

class Pipe implements Processor {
  readonly #scope = new RecordScope();
  #context!: ProcessorContext;

  constructor(private readonly expressions: Expressions) {}

  init(context: ProcessorContext): void {
    this.#context = context;
  }

  process(record: StreamRecord): void {
    const { where, map, keyBy } = this.expressions;
    const origin = this.#context.origin!;
    // The sources give bytes.
    const [key, value] = [record.key as Uint8Array | null, record.value as Uint8Array | null];
    const source: RecordSource = {
      offset: Number(origin.offset),
      timestamp: record.timestampMs,
      key: () => key,
      value: () => value,
      headers: () => record.headers,
    };
    const scope = this.#scope;
    scope.set(source, origin);
    if (where !== null && !where.test(scope)) return;
    this.#context.forward({
      ...record,
      key: keyBy === null ? key : keyBy.bytes(scope),
      value: map === null ? value : map.bytes(scope),
    });
  }
}
