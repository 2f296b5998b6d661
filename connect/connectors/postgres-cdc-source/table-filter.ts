/** Which tables and columns are read, and what is done to columns, by lists of expressions. */
import type { CaptureConfig } from "./fields.ts";

/** What becomes of a column. */
export type Treatment = "keep" | "drop" | "mask" | "hash";

/** Whether one of the expressions is for the whole of a name; case does not count, as in Debezium. */
function matcher(texts: readonly string[]): ((name: string) => boolean) | null {
  if (texts.length === 0) return null;
  const expressions = texts.map((text) => new RegExp(`^(?:${text})$`, "i"));
  return (name) => expressions.some((expression) => expression.test(name));
}

function between(
  include: readonly string[],
  exclude: readonly string[],
): (name: string) => boolean {
  const isIncluded = matcher(include);
  const isExcluded = matcher(exclude);
  return (name) => (isIncluded?.(name) ?? true) && !(isExcluded?.(name) ?? false);
}

export class TableFilter {
  readonly #hasSchema: (name: string) => boolean;
  readonly #hasTable: (name: string) => boolean;
  readonly #hasColumn: (name: string) => boolean;
  readonly #masks: (name: string) => boolean;
  readonly #hashes: (name: string) => boolean;

  constructor(config: CaptureConfig) {
    this.#hasSchema = between(config["schema.include.list"], config["schema.exclude.list"]);
    this.#hasTable = between(config["table.include.list"], config["table.exclude.list"]);
    this.#hasColumn = between(config["column.include.list"], config["column.exclude.list"]);
    this.#masks = matcher(config["column.mask.list"]) ?? (() => false);
    this.#hashes = matcher(config["column.hash.list"]) ?? (() => false);
  }

  hasTable(schema: string, table: string): boolean {
    return this.#hasSchema(schema) && this.#hasTable(`${schema}.${table}`);
  }

  treatmentOf(schema: string, table: string, column: string): Treatment {
    const name = `${schema}.${table}.${column}`;
    if (!this.#hasColumn(name)) return "drop";
    if (this.#masks(name)) return "mask";
    return this.#hashes(name) ? "hash" : "keep";
  }
}
