/** How values become bytes of records and back (Connect's `Converter` and `HeaderConverter`). */
import type { Schema, SchemaAndValue } from "../data/schema.ts";
import type { ConnectValue } from "../data/values.ts";

export { DataError } from "../data/data-error.ts";
export type { SchemaAndValue } from "../data/schema.ts";

/** Keys or values of one connector; made with its config once for keys and once for values. */
export interface Converter {
  /** Null is a tombstone. Throws `DataError`. */
  toBytes(topic: string, schema: Schema | null, value: ConnectValue): Uint8Array | null;
  /** Throws `DataError`. The bytes are a view that is used again: copy what stays. */
  fromBytes(topic: string, bytes: Uint8Array | null): SchemaAndValue;
}

/** Headers of one connector. */
export interface HeaderConverter {
  /** Throws `DataError`. */
  toBytes(
    topic: string,
    name: string,
    schema: Schema | null,
    value: ConnectValue,
  ): Uint8Array | null;
  /** Throws `DataError`. The bytes are a view that is used again: copy what stays. */
  fromBytes(topic: string, name: string, bytes: Uint8Array | null): SchemaAndValue;
}
