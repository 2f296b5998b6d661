/** A table: the latest value of each key, and its changes (Kafka's `KTable`). */
import type { TableLinks } from "../processors/table-links.ts";
import { tableToStream } from "../processors/table-to-stream.ts";
import type { Serde } from "../serdes/serde.ts";
import type { TopologyBuilder } from "./builder.ts";
import { KStream } from "./kstream.ts";

/** What a table is made of. */
export interface TableParts<K, V> {
  readonly node: string;
  readonly sources: readonly string[];
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  /** The store that has its values. */
  readonly store: string;
  readonly links: TableLinks;
}

/** See the head of the file. */
export class KTable<K, V> {
  constructor(
    private readonly builder: TopologyBuilder,
    private readonly parts: TableParts<K, V>,
  ) {}

  /** The name of its store. */
  get store(): string {
    return this.parts.store;
  }

  /** Its changes: the new value of a key, null where the key is gone. */
  toStream(): KStream<K, V | null> {
    const { node: parent, sources, keySerde, valueSerde } = this.parts;
    const node = this.builder.nameOf("to-stream");
    const supplier = tableToStream;
    this.builder.topology.addProcessor({ name: node, parents: [parent], supplier, stores: [] });
    return new KStream<K, V | null>(this.builder, {
      ...{ node, sources, keySerde, isRekeyed: false },
      // Null is never given to a serde.
      valueSerde: valueSerde as unknown as Serde<V | null>,
    });
  }
}
