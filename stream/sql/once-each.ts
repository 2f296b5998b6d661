/** Of records of one key the first alone: `SELECT DISTINCT`. */
import type { TopologyBuilder } from "../dsl/builder.ts";
import type { KStream } from "../dsl/kstream.ts";
import type { Processor } from "../processor.ts";
import type { KeyValueStore } from "../stores/key-value-store.ts";
import type { StoreHandle } from "../stores/store-handle.ts";
import { safeLong } from "../serdes/basic-serdes.ts";
import { KEY, ROW_JSON } from "./rows.ts";

/** In a store of that name there is when each came: it grows with the keys that there are. */
export function onceEach(
  builder: TopologyBuilder,
  stream: KStream<string | null, unknown>,
  store: string,
): KStream<string | null, unknown> {
  const seen = builder.addStateStore(store, { kind: "key-value", key: KEY, value: safeLong() });
  return stream.processValues(() => once(seen), { stores: [seen], value: ROW_JSON });
}

type Seen = KeyValueStore<string, number>;
type Rows = Processor<string | null, unknown, string | null, unknown>;

function once(handle: StoreHandle<Seen>): Rows {
  let process: Rows["process"];
  return {
    init(context) {
      const seen = context.store(handle);
      process = (record) => {
        const { key, timestampMs } = record;
        if (key === null || seen.get(key) !== null) return;
        seen.put(key, timestampMs);
        context.forward(record);
      };
    },
    process: (record) => process(record),
  };
}
