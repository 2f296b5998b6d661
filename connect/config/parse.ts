/** From a map of strings to a typed config, or to all that is wrong with it at once. */
import { didYouMean } from "../../core/did-you-mean.ts";
import { FieldError } from "./fields.ts";
import type { ConfigOf, Field, Fields } from "./fields.ts";

/** A config as it is given and stored: no value is resolved. */
export type RawConfig = Readonly<Record<string, string>>;

/** What is wrong with one field; `message` is a sentence that names it. */
export interface ConfigProblem {
  readonly field: string;
  readonly message: string;
  /** Nothing reads such a key: a slip of the pen, or for something else. */
  readonly isUnknown?: true;
  /** The config may be right: its target is not there now. */
  readonly isPassing?: true;
}

/** A config cannot be used; every field that is wrong is named. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  constructor(readonly problems: readonly ConfigProblem[]) {
    super(problems.map(({ message }) => message).join("; "));
  }
}

/** Throws `ConfigError`. Keys that no field has are not looked at: `unknownKeys` finds them. */
export function parseConfig<F extends Fields>(fields: F, raw: RawConfig): ConfigOf<F> {
  const problems: ConfigProblem[] = [];
  const config: Record<string, unknown> = {};
  for (const [name, definition] of Object.entries(fields)) {
    const parsed = parseField(name, definition, raw);
    if ("problem" in parsed) problems.push(parsed.problem);
    else config[name] = parsed.value;
  }
  if (problems.length > 0) throw new ConfigError(problems);
  // Each key of `F` has just been given what its field reads.
  return config as ConfigOf<F>;
}

/** The fields as they are called in a config of which theirs is a part: `transforms.id.field`. */
export function withPrefix(fields: Fields, prefix: string): Fields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [`${prefix}${name}`, field]),
  );
}

/** Parses the part of a config that is behind a prefix. Throws `ConfigError` with full names. */
export function parsePart<F extends Fields>(
  fields: F,
  raw: RawConfig,
  prefix: string,
): ConfigOf<F> {
  const parsed: Readonly<Record<string, unknown>> = parseConfig(withPrefix(fields, prefix), raw);
  const config = Object.fromEntries(
    Object.keys(fields).map((name) => [name, parsed[`${prefix}${name}`]]),
  );
  // As in `parseConfig`.
  return config as ConfigOf<F>;
}

/** One field of a config: its value, or why it has none. */
export function parseField(
  name: string,
  { parts }: Field<unknown>,
  raw: RawConfig,
): { readonly value: unknown } | { readonly problem: ConfigProblem } {
  const text = Object.hasOwn(raw, name) ? raw[name] : undefined;
  if (text === undefined) {
    if (parts.fallback !== null) return { value: parts.fallback.value };
    return { problem: { field: name, message: `"${name}" is missing: ${parts.doc}` } };
  }
  try {
    return { value: parts.read(text) };
  } catch (error) {
    if (!(error instanceof FieldError)) throw error;
    const given = parts.type === "PASSWORD" ? "" : `, not "${text}"`;
    return { problem: { field: name, message: `"${name}" ${error.message}${given}` } };
  }
}

/** Keys of a config that nothing reads, each with the name that may have been meant. */
export function unknownKeys(raw: RawConfig, known: Iterable<string>): ConfigProblem[] {
  const names = new Set(known);
  return Object.keys(raw).filter((key) => !names.has(key)).map((field) => {
    const meant = didYouMean(field, names);
    const hint = meant === null ? "" : `: did you mean "${meant}"?`;
    return { field, message: `"${field}" is no field of this connector${hint}`, isUnknown: true };
  });
}
