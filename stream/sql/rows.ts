/** Rows on their way through the topology of a query. */
import type { RecordFacts } from "../record.ts";
import type { Serde } from "../serdes/serde.ts";
import type { Row } from "./evaluate.ts";
import { exactJsonText, parseExactJson } from "./exact-json.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });

/** The values of the sources of a query, in their order. */
export type Rows = readonly unknown[];

/** What expressions see of a record; of a table's rows there are no facts: see `Names.isOfTables`. */
export function rowOf(values: Rows, key: string | null, facts: RecordFacts | null): Row {
  return { values, key, timeMs: facts?.timestampMs ?? -1, window: null, slots: [] };
}

/** As `json()`, with whole numbers of any size. */
export function jsonOf<T>(): Serde<T> {
  return {
    name: "json",
    serialize: (value) => Buffer.from(exactJsonText(value)),
    deserialize(bytes) {
      const text = decoder.decode(bytes);
      try {
        // The topic is the application's own: what it holds is what its author says.
        return parseExactJson(text) as T;
      } catch {
        // What the engine says has parts of the text, and data is not told.
        throw new Error("it is no JSON, which is all that a query reads");
      }
    },
  };
}

/** Of one record. */
export const ROW_JSON = jsonOf<unknown>();
/** Of a record of each source: all that goes through topics and stores between sources and result. */
export const ROWS_JSON = jsonOf<Rows>();

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
