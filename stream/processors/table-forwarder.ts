/**
 * Gives changes of a table on: at once, or when its store has gathered them (Kafka's
 * `TimestampedTupleForwarder` and `TimestampedCacheFlushListener`).
 */
import type { ProcessorContext } from "../processor.ts";
import type { StreamRecord } from "../record.ts";
import type { Change } from "./change.ts";
import type { TableLinks } from "./table-links.ts";
import type { TableStore } from "./table-store.ts";

/** See the head of the file. `forward`: for changes that were just made. */
export function tableForwarder(
  context: ProcessorContext,
  store: TableStore,
  links: TableLinks,
): (record: StreamRecord<unknown, Change<unknown>>) => void {
  const isPutOff = store.onFlush(({ key, value, before, moment }) => {
    const oldValue = links.sendsOldValues ? before?.value ?? null : null;
    context.forward({
      key,
      value: { newValue: value?.value ?? null, oldValue },
      timestampMs: value?.timestampMs ?? moment.timestampMs,
      headers: moment.headers,
    });
  }, () => links.sendsOldValues);
  return isPutOff ? () => {} : (record) => context.forward(record);
}
