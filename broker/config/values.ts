/** From the text of a config value to the value, and back, as Kafka's `ConfigDef` does it. */
import type { ConfigDefinition, ConfigProblem, ConfigType, ConfigValue } from "./definitions.ts";

/** A parsed value; `text` is its canonical text, null if the value is null. */
export interface ParsedConfig {
  readonly ok: true;
  readonly value: ConfigValue;
  readonly text: string | null;
}

const INTEGER_BITS: Readonly<Partial<Record<ConfigType, number>>> = {
  SHORT: 16,
  INT: 32,
  LONG: 64,
};

/** Parses and validates the text of one config. */
export function parseConfigValue(
  name: string,
  definition: ConfigDefinition,
  text: string,
): ParsedConfig | ConfigProblem {
  const parsed = parseType(name, definition.type, text);
  if (!parsed.ok) return parsed;
  const message = definition.validator?.check(name, parsed.value) ?? null;
  return message === null ? parsed : { ok: false, message };
}

function parseType(name: string, type: ConfigType, raw: string): ParsedConfig | ConfigProblem {
  const text = raw.trim();
  const problem = (message: string): ConfigProblem => ({
    ok: false,
    message: `Invalid value ${raw} for configuration ${name}: ${message}`,
  });
  switch (type) {
    case "BOOLEAN": {
      const word = text.toLowerCase();
      return word === "true" || word === "false"
        ? { ok: true, value: word === "true", text: word }
        : problem("Expected value to be either true or false");
    }
    case "SHORT":
    case "INT":
    case "LONG": {
      const integer = parseInteger(text, INTEGER_BITS[type] ?? 64);
      return integer === null
        ? problem(`Not a number of type ${type}`)
        : { ok: true, value: toSafeNumber(integer), text: integer.toString() };
    }
    case "DOUBLE": {
      const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?[df]?$/i.test(text)
        ? Number(text.replace(/[df]$/i, ""))
        : NaN;
      return Number.isFinite(number)
        ? { ok: true, value: number, text: javaDouble(number) }
        : problem("Not a number of type DOUBLE");
    }
    case "LIST": {
      const items = text === "" ? [] : text.split(/\s*,\s*/);
      return { ok: true, value: items, text: items.join(",") };
    }
    case "STRING":
    case "CLASS":
    case "PASSWORD":
      return { ok: true, value: text, text };
  }
}

function parseInteger(text: string, bits: number): bigint | null {
  if (!/^[+-]?\d{1,19}$/.test(text)) return null;
  const integer = BigInt(text.replace(/^\+/, ""));
  return BigInt.asIntN(bits, integer) === integer ? integer : null;
}

/** A LONG beyond what a number holds exactly is cut to that: it only ever means "never". */
function toSafeNumber(integer: bigint): number {
  if (integer > BigInt(Number.MAX_SAFE_INTEGER)) return Number.MAX_SAFE_INTEGER;
  if (integer < BigInt(Number.MIN_SAFE_INTEGER)) return Number.MIN_SAFE_INTEGER;
  return Number(integer);
}

/** A double as Java prints it: `1.0`, `0.5`, `1.7976931348623157E308`. */
function javaDouble(number: number): string {
  const size = Math.abs(number);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) {
    const [digits = "", exponent = "0"] = number.toExponential().split("e");
    return `${digits.includes(".") ? digits : `${digits}.0`}E${Number(exponent)}`;
  }
  return Number.isInteger(number) ? `${number}.0` : String(number);
}
