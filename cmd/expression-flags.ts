/**
 * `--where`, `--map` and `--key-by` of the commands that read and write records. The language is
 * loaded only by those who use it.
 */
import { Option } from "@commander-js/extra-typings";
import type {
  RecordExpressions,
  SelectRecord,
  TransformRecord,
} from "../core/expression/record-expressions.ts";

/** The help of the flags; commands put it behind their own. */
export const EXPRESSIONS_HELP = `
Expressions read as JavaScript over key, value, headers (k, v, h), topic, partition, offset and
timestamp. A value that is JSON is parsed; what is missing is undefined, never an error.
docs/expressions.md has the methods and functions.
`;

/** The flags as they were given. */
export type ExpressionFlags = RecordExpressions;

export const whereOption = () =>
  new Option("--where <expression>", "only records for which it holds: 'v.total > 100'");
export const mapOption = () =>
  new Option("--map <expression>", "put its value in the place of the record's value");
export const keyByOption = () =>
  new Option("--key-by <expression>", "its value is the record's key: 'v.customer.id'");

/** What `consume` does to each record, or null. Throws `OperatorError`. */
export async function selectRecords(flags: ExpressionFlags): Promise<SelectRecord | null> {
  if (flags.where === undefined && flags.map === undefined) return null;
  return (await import("../core/expression/record-expressions.ts")).recordSelector(flags);
}

/** What `produce` does to each record, or null. Throws `OperatorError`. */
export async function transformRecords(flags: ExpressionFlags): Promise<TransformRecord | null> {
  if (flags.where === undefined && flags.map === undefined && flags.keyBy === undefined) {
    return null;
  }
  return (await import("../core/expression/record-expressions.ts")).recordTransform(flags);
}
