/** Sends records through a topic of the application's own, so that they are in the task of their key. */
import { stateless } from "../processors/stateless.ts";
import type { TopologyBuilder } from "./builder.ts";
import type { Repartitioned, StreamParts } from "./stream-parts.ts";

/**
 * Through `NAME-repartition`. Records without a key end here, having no such task: unless a left or outer
 * join is behind, which keeps them (KIP-962).
 */
export function repartition<K, V>(
  builder: TopologyBuilder,
  parts: StreamParts<K, V>,
  name: string,
  options: Repartitioned<K, V> = {},
): StreamParts<K, V> {
  const keySerde = options.key ?? parts.keySerde;
  const valueSerde = options.value ?? parts.valueSerde;
  const topic = `${name}-repartition`;
  const { keepsKeyless } = builder;
  const node = builder.nameOf("with-key");
  const supplier = stateless((record, forward) => {
    if (record.key !== null || keepsKeyless.has(topic)) forward(record);
  });
  builder.topology.addProcessor({ name: node, parents: [parts.node], supplier, stores: [] });
  const serdes = { keySerde, valueSerde };
  const source = builder.throughTopic([node], topic, serdes, options.partitions ?? null);
  return { node: source, sources: [source], ...serdes, isRekeyed: false };
}

/** As it is where its keys are those of its topics; else through a topic, whose name is needed then. */
export function byItsKey<K, V>(
  builder: TopologyBuilder,
  parts: StreamParts<K, V>,
  name: string,
  options: Repartitioned<K, V>,
): StreamParts<K, V> {
  if (parts.isRekeyed) return repartition(builder, parts, name, options);
  const { key: keySerde = parts.keySerde, value: valueSerde = parts.valueSerde } = options;
  return { ...parts, keySerde, valueSerde };
}
