/** Where a stream goes to a topic. */
import type { StreamRecord } from "../record.ts";
import type { TopologyBuilder } from "./builder.ts";
import type { Produced, StreamParts } from "./stream-parts.ts";

/** To the topic, or that which `topic` says of each record. */
export function addTopicSink<K, V>(
  builder: TopologyBuilder,
  parts: StreamParts<K, V>,
  topic: string | ((record: StreamRecord<K, V>) => string),
  { key: keySerde = parts.keySerde, value: valueSerde = parts.valueSerde, partitioner }: Produced<
    K,
    V
  >,
): void {
  // Records of the stream have its types.
  const typed = (record: StreamRecord) => record as StreamRecord<K, V>;
  builder.topology.addSink({
    ...{ name: builder.nameOf("sink"), parents: [parts.node], keySerde, valueSerde },
    topic: typeof topic === "string" ? topic : (record) => topic(typed(record)),
    // As Kafka's `WindowedStreamPartitioner`: all windows of a key are in one partition.
    unhashedBytes: keySerde.windowBytes ?? 0,
    partitioner: partitioner === undefined
      ? null
      : (record, to, count) => partitioner(typed(record), to, count),
  });
}
