/** Which tables and columns are read, and what is done to columns, by lists of expressions. */
import { FieldError } from "../../index.ts";
import type { ConfigProblem, TaskContext } from "../../index.ts";
import type { CaptureConfig } from "./fields.ts";

/** What becomes of a column; with `length` characters. */
export type Treatment =
  | { readonly kind: "keep" | "drop" | "hash" }
  | { readonly kind: "mask" | "truncate"; readonly length: number };

/** What a config has under such keys. */
export type DynamicKeys = TaskContext<unknown>["dynamic"];

/** Keys with a number in them, whose values are lists of columns, as Debezium has them. */
export const COLUMN_KEYS = ["column.mask.with.*.chars", "column.truncate.to.*.chars"];
const COLUMN_KEY = /^column\.(mask\.with|truncate\.to)\.(\d{1,6})\.chars$/;

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

interface Rule {
  readonly treatment: Treatment;
  readonly isFor: (name: string) => boolean;
}

function ruleOf(key: string, value: string): Rule {
  const [, kind, length] = COLUMN_KEY.exec(key) ?? [];
  if (kind === undefined) throw new FieldError("must have a number of characters in its name");
  const isFor = matcher(value.split(",").map((text) => text.trim()).filter(Boolean));
  return {
    treatment: { kind: kind === "mask.with" ? "mask" : "truncate", length: Number(length) },
    isFor: isFor ?? (() => false),
  };
}

/** What is wrong with keys of `COLUMN_KEYS`. */
export function columnKeyProblems(dynamic: DynamicKeys): ConfigProblem[] {
  return Object.entries(dynamic).flatMap(([field, value]) => {
    try {
      ruleOf(field, value);
      return [];
    } catch (error) {
      if (!(error instanceof FieldError || error instanceof SyntaxError)) throw error;
      return [{ field, message: `"${field}" ${error.message}` }];
    }
  });
}

export class TableFilter {
  readonly #hasSchema: (name: string) => boolean;
  readonly #hasTable: (name: string) => boolean;
  readonly #hasColumn: (name: string) => boolean;
  readonly #rules: readonly Rule[];

  /** `dynamic`: keys of `COLUMN_KEYS`. */
  constructor(config: CaptureConfig, dynamic: DynamicKeys) {
    this.#hasSchema = between(config["schema.include.list"], config["schema.exclude.list"]);
    this.#hasTable = between(config["table.include.list"], config["table.exclude.list"]);
    this.#hasColumn = between(config["column.include.list"], config["column.exclude.list"]);
    const isHashed = matcher(config["column.hash.list"]) ?? (() => false);
    this.#rules = [
      { treatment: { kind: "hash" }, isFor: isHashed },
      ...Object.entries(dynamic).map(([key, value]) => ruleOf(key, value)),
    ];
  }

  hasTable(schema: string, table: string): boolean {
    return this.#hasSchema(schema) && this.#hasTable(`${schema}.${table}`);
  }

  treatmentOf(schema: string, table: string, column: string): Treatment {
    const name = `${schema}.${table}.${column}`;
    if (!this.#hasColumn(name)) return { kind: "drop" };
    return this.#rules.find(({ isFor }) => isFor(name))?.treatment ?? { kind: "keep" };
  }
}
