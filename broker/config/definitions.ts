/**
 * What a config is: its type, default, valid values and how it may change. Names, types, defaults
 * and error texts are Kafka's (`ConfigDef`), because tools and users know them from there.
 */

/** Kafka's config types (`ConfigDef.Type`). */
export type ConfigType =
  | "BOOLEAN"
  | "STRING"
  | "INT"
  | "SHORT"
  | "LONG"
  | "DOUBLE"
  | "LIST"
  | "CLASS"
  | "PASSWORD";

/** The parsed form of each type. A LONG beyond 2^53 − 1 is cut to that: it means "never" anyway. */
export interface ConfigValues {
  BOOLEAN: boolean;
  STRING: string;
  INT: number;
  SHORT: number;
  LONG: number;
  DOUBLE: number;
  LIST: readonly string[];
  CLASS: string;
  PASSWORD: string;
}

/** Any parsed config value; null is "not set". */
export type ConfigValue = ConfigValues[ConfigType] | null;

export type Importance = "HIGH" | "MEDIUM" | "LOW";

/**
 * How a broker config may change while brokers run: `cluster` for all brokers or for one,
 * `per-broker` for one only, `read-only` at start (Kafka's `DynamicBrokerConfig`).
 */
export type UpdateMode = "read-only" | "per-broker" | "cluster";

/** Judges a parsed value. `text` is Kafka's notation of what is valid. */
export interface Validator {
  readonly text: string;
  /** The whole error message, or null if the value is valid. */
  check(name: string, value: ConfigValue): string | null;
}

/** One config. `Nullable` says whether its value may be null. */
export interface ConfigDefinition<
  T extends ConfigType = ConfigType,
  Nullable extends boolean = boolean,
> {
  readonly type: T;
  /** Kafka's default in text form; null is none; `REQUIRED` must be given. */
  readonly defaultText: string | null;
  readonly validator: Validator | null;
  readonly importance: Importance;
  readonly update: UpdateMode;
  readonly nullable: Nullable;
}

/** The default of what Kafka demands to be set; `deviations.ts` gives our default. */
export const REQUIRED = "(required)";

/** A text that is no valid value: Kafka's message. */
export interface ConfigProblem {
  readonly ok: false;
  readonly message: string;
}

function define<T extends ConfigType>(type: T) {
  return <D extends string | null>(
    defaultText: D,
    validator: Validator | null,
    importance: Importance,
    update: UpdateMode = "read-only",
  ): ConfigDefinition<T, D extends null ? true : false> => ({
    type,
    defaultText,
    validator,
    importance,
    update,
    nullable: (defaultText === null) as D extends null ? true : false,
  });
}

export const booleanConfig = define("BOOLEAN");
export const stringConfig = define("STRING");
export const intConfig = define("INT");
export const shortConfig = define("SHORT");
export const longConfig = define("LONG");
export const doubleConfig = define("DOUBLE");
export const listConfig = define("LIST");
export const classConfig = define("CLASS");
export const passwordConfig = define("PASSWORD");

/** Kafka's `ConfigException` text. */
function invalid(name: string, value: ConfigValue, message: string): string {
  const shown = Array.isArray(value) ? `[${value.join(", ")}]` : String(value);
  return `Invalid value ${shown} for configuration ${name}: ${message}`;
}

/** A number of at least `min`. */
export function atLeast(min: number): Validator {
  return between(min, null);
}

/** A number from `min` to `max`, both included. */
export function between(min: number, max: number | null): Validator {
  return {
    text: max === null ? `[${min},...]` : `[${min},...,${max}]`,
    check(name, value) {
      if (typeof value !== "number") return null;
      if (value < min) return invalid(name, value, `Value must be at least ${min}`);
      if (max !== null && value > max) {
        return invalid(name, value, `Value must be no more than ${max}`);
      }
      return null;
    },
  };
}

/** One of the words, exactly. */
export function oneOf(...words: string[]): Validator {
  return {
    text: `[${words.join(", ")}]`,
    check: (name, value) =>
      typeof value !== "string" || words.includes(value)
        ? null
        : invalid(name, value, `String must be one of: ${words.join(", ")}`),
  };
}

/** One of the words in any case. */
export function oneOfAnyCase(...words: string[]): Validator {
  return {
    text: `(case insensitive) [${words.join(", ")}]`,
    check: (name, value) =>
      typeof value !== "string" || words.includes(value.toUpperCase())
        ? null
        : invalid(name, value, `String must be one of (case insensitive): ${words.join(", ")}`),
  };
}

/** What a list may hold; `words` empty means anything (`ConfigDef.ValidList`). */
export interface ListRule {
  readonly words?: readonly string[];
  readonly mayBeEmpty?: boolean;
  readonly mayRepeat?: boolean;
  /** Kafka's notation, where it is not that of the words. */
  readonly text?: string;
}

/** A list of non-empty items under the rule. */
export function listOf(rule: ListRule): Validator {
  const words = rule.words ?? [];
  return {
    text: rule.text ?? (words.length === 0 ? "" : `[${words.join(", ")}]`),
    check(name, value) {
      if (!Array.isArray(value)) return null;
      const items: readonly unknown[] = value;
      if (items.length === 0 && rule.mayBeEmpty !== true) {
        const valid = words.length === 0 ? "any non-empty value" : `[${words.join(", ")}]`;
        return `Configuration '${name}' must not be empty. Valid values include: ${valid}`;
      }
      if (items.includes("")) return `Configuration '${name}' values must not be empty.`;
      if (rule.mayRepeat !== true && new Set(items).size !== items.length) {
        return `Configuration '${name}' values must not be duplicated.`;
      }
      const bad = words.length === 0 ? undefined : value.find((item) => !words.includes(item));
      return bad === undefined
        ? null
        : invalid(name, bad, `String must be one of: ${words.join(", ")}`);
    },
  };
}

/** Any text but the empty one. */
export const nonEmptyString: Validator = {
  text: "non-empty string",
  check: (name, value) => value === "" ? invalid(name, value, "String must be non-empty") : null,
};

/** Any text, the empty one too. */
export const nonNullString: Validator = { text: "non-null string", check: () => null };

/** gzip's levels: 1 to 9, or −1 for zlib's default. */
export const gzipLevel: Validator = {
  text: "[1,...,9] or -1",
  check: (name, value) =>
    typeof value !== "number" || value === -1 || (value >= 1 && value <= 9)
      ? null
      : invalid(name, value, "Value must be between 1 and 9 or equal to -1"),
};

const THROTTLED_FORMAT = "[partitionId]:[brokerId],[partitionId]:[brokerId],...";

/** Replicas to throttle: `*`, or pairs of partition and broker. */
export const throttledReplicas: Validator = {
  text: THROTTLED_FORMAT,
  check(name, value) {
    if (!Array.isArray(value)) return null;
    const good = (value.length === 1 && value[0] === "*") ||
      value.every((item) => /^[0-9]+:[0-9]+$/.test(item));
    return good ? null : invalid(
      name,
      value,
      `${name} must be the literal '*' or a list of replicas in the following format: ` +
        THROTTLED_FORMAT,
    );
  },
};
