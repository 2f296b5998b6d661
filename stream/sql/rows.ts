/** Rows on their way through the topology of a query. */
import type { RecordFacts } from "../record.ts";
import { json } from "../serdes/basic-serdes.ts";
import type { Serde } from "../serdes/serde.ts";
import type { Row } from "./evaluate.ts";

/** The values of the sources of a query, in their order. */
export type Rows = readonly unknown[];

/** What expressions see of a record; of a table's rows there are no facts. */
export function rowOf(values: Rows, key: string | null, facts: RecordFacts | null): Row {
  return { values, key, timeMs: facts?.timestampMs ?? -1, window: null, slots: [] };
}

/** JSON in which whole numbers of any size are numbers. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, (_name, each: unknown) => {
    return typeof each === "bigint" ? JSON.rawJSON(each.toString()) : each;
  });
}

/** As `json()`, with `jsonText`. */
export function jsonOf<T>(): Serde<T> {
  const plain = json<T>();
  return { ...plain, serialize: (value) => Buffer.from(jsonText(value)) };
}

export const ROW_JSON = jsonOf<unknown>();

/** Keys are text. */
export const KEY: Serde<string> = {
  serialize: (key) => Buffer.from(key),
  deserialize: (bytes) => Buffer.from(bytes).toString(),
};

/** As `KEY`, of streams, whose records may have none: null is never given to a serde. */
export const KEY_OR_NONE: Serde<string | null> = {
  serialize: (key) => Buffer.from(key ?? ""),
  deserialize: KEY.deserialize,
};
