/** The way to a field (KIP-821): `a.b`, with names that have dots in backticks. */
import { DataError } from "../data/data-error.ts";
import { fieldSchema } from "../data/schema.ts";
import type { Schema } from "../data/schema.ts";
import { fieldOf, isObject, nameOfValue } from "../data/values.ts";
import type { ConnectValue } from "../data/values.ts";
import { SettingError } from "./definition.ts";

/** The names of a path. Throws `SettingError` for a backtick that is not closed. */
export function parseFieldPath(path: string): readonly string[] {
  if (path === "") throw new SettingError("field", "must name a field");
  const steps: string[] = [];
  let at = 0;
  while (at < path.length) {
    if (path[at] === "`") {
      const quoted = quotedStep(path, at);
      steps.push(quoted.step);
      at = quoted.end;
    } else {
      const dot = path.indexOf(".", at);
      steps.push(dot < 0 ? path.slice(at) : path.slice(at, dot));
      at = dot < 0 ? path.length : dot + 1;
    }
  }
  if (path.endsWith(".")) steps.push("");
  return steps;
}

/** A name in backticks. It ends with one that a dot or nothing follows; a backslash takes that away. */
function quotedStep(path: string, start: number): { step: string; end: number } {
  let step = "";
  let from = start + 1;
  for (let tick = path.indexOf("`", from); tick >= 0; tick = path.indexOf("`", tick + 1)) {
    const isEscaped = path[tick - 1] === "\\";
    const isLast = tick === path.length - 1;
    if (isLast && isEscaped) break;
    if (isLast) return { step: step + path.slice(from, tick), end: path.length };
    if (path[tick + 1] !== ".") continue;
    if (!isEscaped) return { step: step + path.slice(from, tick), end: tick + 2 };
    step += `${path.slice(from, tick - 1)}\``;
    from = tick + 1;
  }
  throw new SettingError("field", `has a backtick at ${start} that is not closed: "${path}"`);
}

/** The schema of the field; null: there is no such field. Throws `DataError` on a way through no struct. */
export function schemaAt(schema: Schema, steps: readonly string[]): Schema | null {
  let current = schema;
  for (const step of steps) {
    if (current.type !== "struct") throw new DataError(`"${step}" is sought in no struct`);
    const next = fieldSchema(current, step);
    if (next === undefined) return null;
    current = next;
  }
  return current;
}

/**
 * The field's value; null where one on the way is not there. Defaults stand for nulls on the way, and
 * at its end with `replaceNull`. Throws `DataError` on a way through what is no object.
 */
export function valueAt(
  schema: Schema | null,
  value: ConnectValue,
  steps: readonly string[],
  replaceNull: boolean,
): ConnectValue {
  let current = value;
  let of: Schema | null | undefined = schema;
  for (const [i, step] of steps.entries()) {
    if (current === null) return null;
    if (!isObject(current)) {
      throw new DataError(`"${step}" is sought in ${nameOfValue(current)}, not in an object`);
    }
    of = of?.type === "struct" ? fieldSchema(of, step) : null;
    const isLast = i === steps.length - 1;
    current = fieldOf(current, step) ?? (!isLast || replaceNull ? of?.defaultValue ?? null : null);
  }
  return current;
}
