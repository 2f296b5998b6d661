/** What makes the values of a table of those of another one, and may keep state (`KTableTransformValues`). */
import type { ProcessorContext } from "../processor.ts";
import type { RecordFacts } from "../record.ts";
import type { ValueMap } from "./table-mapper.ts";

/** What a transformer has to hand: it gives nothing on but what it returns. */
export type ValueContext = Omit<ProcessorContext, "forward" | "metadata" | "onClose">;

/**
 * One at work in a task (Kafka's `ValueTransformerWithKey`). Where its table is not kept, another one is
 * made for each step that looks values up: what it keeps itself is not that of the other, stores are.
 */
export interface ValueTransformer<K, V, V2> {
  /** Before the first value; stores are open. */
  init?(context: ValueContext): void;
  /**
   * Null: the key has no value, before and behind it. `facts` are of the record that has changed it; of
   * who looks a value up its time alone, −1 where there is none.
   */
  transform(value: V | null, key: K, facts: RecordFacts): V2 | null;
  close?(): void;
}

const NO_FACTS: RecordFacts = { timestampMs: -1, headers: [] };

/** Has one at work; who looks values up is at no record. */
export function openTransformer<K, V, V2>(
  supplier: () => ValueTransformer<K, V, V2>,
  context: ProcessorContext,
  isLookup: boolean,
): ValueMap {
  const transformer = supplier();
  const forward = () => {
    throw new Error("what makes values of a table gives nothing on but what it returns");
  };
  const hidden: PropertyDescriptorMap = isLookup ? { origin: { value: null } } : {};
  transformer.init?.(Object.create(context, { forward: { value: forward }, ...hidden }));
  context.onClose(() => transformer.close?.());
  // Keys and values of its table are of its types.
  return (key, value, facts = NO_FACTS) =>
    transformer.transform(value as V | null, key as K, facts);
}
