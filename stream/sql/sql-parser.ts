/** The SQL parser, which is loaded when the first query is read. */
// @ts-types="./sql-parser-module.d.ts"
import { load } from "./sql-parser-module.js";

let loading: Promise<(text: string) => unknown> | null = null;

/** See `sql-parser-module.d.ts`. */
export function loadSqlParser(): Promise<(text: string) => unknown> {
  return loading ??= load();
}
