/** Records with typed keys and values from cursors. */
import type { RecordCursor } from "../../core/records/record-cursor.ts";
import { type Serde, SerdeError } from "../serde.ts";
import type { ConsumerRecord } from "./chunk.ts";

/** What a record is read of. */
interface Place {
  readonly topic: string;
  readonly partition: number;
}

/** Makes records of what a cursor stands on. */
export class RecordReader<K, V> {
  constructor(readonly key: Serde<K>, readonly value: Serde<V>) {}

  /** Throws `SerdeError`. */
  read({ topic, partition }: Place, cursor: RecordCursor): ConsumerRecord<K, V> {
    return {
      topic,
      partition,
      offset: BigInt(cursor.offset),
      timestampMs: cursor.timestamp,
      key: this.#part(topic, partition, cursor, "key", this.key, cursor.key()),
      value: this.#part(topic, partition, cursor, "value", this.value, cursor.value()),
      headers: cursor.headers(),
    };
  }

  #part<T>(
    topic: string,
    partition: number,
    cursor: RecordCursor,
    part: "key" | "value",
    serde: Serde<T>,
    bytes: Uint8Array | null,
  ): T | null {
    if (bytes === null) return null;
    try {
      return serde.deserialize(bytes, { topic, part });
    } catch (error) {
      throw new SerdeError(topic, partition, BigInt(cursor.offset), part, error);
    }
  }
}
