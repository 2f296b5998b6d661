/** What streams are made of, and how topics that they go through are written. */
import type { StreamRecord } from "../record.ts";
import type { Serde } from "../serdes/serde.ts";

/** What a stream is made of. */
export interface StreamParts<K, V> {
  /** The node whose records it has. */
  readonly node: string;
  /** Sources that they come from. */
  readonly sources: readonly string[];
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  /** Its keys are no longer those by which its topics are partitioned. */
  readonly isRekeyed: boolean;
}

/** How a topic is written. Without serdes those of the stream. */
export interface Produced<K, V> {
  readonly key?: Serde<K>;
  readonly value?: Serde<V>;
  /** Null: by the hash of the key. Without one it is hashed without the window that it may be in. */
  readonly partitioner?: (
    record: StreamRecord<K, V>,
    topic: string,
    count: number,
  ) => number | null;
}

/** How records come to the task of their new key. */
export interface Repartitioned<K, V> {
  readonly key?: Serde<K>;
  readonly value?: Serde<V>;
  readonly partitions?: number;
}
