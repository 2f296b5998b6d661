/** Converters by the names that configs have for them: Kafka's, and short ones. */
import { boolean, choice, className, int, string } from "../config/fields.ts";
import type { ConfigOf, Field, Fields } from "../config/fields.ts";
import { ConfigError, parsePart, withPrefix } from "../config/parse.ts";
import type { RawConfig } from "../config/parse.ts";
import { DataError } from "../data/data-error.ts";
import type { Converter, HeaderConverter } from "./converter.ts";
import { headersBy, simpleHeaderConverter } from "./header-converters.ts";
import { JsonConverter } from "./json-converter.ts";
import { bytesConverter, ENCODINGS, fixedConverter } from "./primitive-converters.ts";
import { FIXED_TYPES, stringConverter } from "./primitive-converters.ts";
import type { ConvertedPart } from "./part.ts";

/** What a config says of a converter. */
export type ConverterKey = "key.converter" | "value.converter" | "header.converter";

/** A kind of converter. */
export interface ConverterDefinition {
  /** The short name: `json`. */
  readonly name: string;
  /** Kafka's class; null: Kafka has none of the kind. */
  readonly className: string | null;
  readonly doc: string;
  /** For headers alone. */
  readonly isForHeaders: boolean;
  /** Its settings, behind `key.converter.` and its like. */
  readonly config: Fields;
  /** Throws `ConfigError`. */
  make(raw: RawConfig, part: ConvertedPart): Converter;
}

function define<const F extends Fields>(definition: {
  readonly name: string;
  readonly className: string | null;
  readonly doc: string;
  readonly config: F;
  make(config: ConfigOf<F>, part: ConvertedPart): Converter;
}): ConverterDefinition {
  return {
    ...definition,
    isForHeaders: false,
    make: (raw, part) => {
      try {
        return definition.make(parsePart(definition.config, raw, `${part.config}.`), part);
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
        throw new ConfigError([{ field: part.config, message: error.message }]);
      }
    },
  };
}

/** JSON; under Kafka's own name it has schemas unless it is told otherwise, under ours it has none. */
function json(name: string, className: string | null, hasSchemas: boolean): ConverterDefinition {
  return define({
    name,
    className,
    doc: hasSchemas
      ? 'JSON in an envelope with its schema, as Kafka\'s JsonConverter: {"schema": …, "payload": …}.'
      : "Plain JSON, without a schema.",
    config: {
      "schemas.enable": boolean().default(hasSchemas).importance("HIGH").group("Schemas")
        .doc("Whether values stand in an envelope with their schema."),
      "schemas.cache.size": int({ min: 0 }).default(1000).importance("HIGH").group("Schemas")
        .doc("How many schemas are kept compiled."),
      "schema.content": string().optional().importance("HIGH").group("Schemas").doc(
        "A schema in JSON that counts for all records of a sink; then they have no envelope.",
      ),
      "decimal.format": choice("BASE64", "NUMERIC").default("BASE64").importance("LOW")
        .group("Serialization")
        .doc("Whether decimal numbers are written as their bytes in base64, or as numbers."),
      "replace.null.with.default": boolean().default(true).importance("LOW")
        .group("Serialization")
        .doc("Whether null becomes the default of its field, where that has one."),
    },
    make: (config, part) =>
      new JsonConverter({
        schemasEnable: config["schemas.enable"],
        schemasCacheSize: config["schemas.cache.size"],
        schemaContent: config["schema.content"],
        decimalFormat: config["decimal.format"],
        replaceNullWithDefault: config["replace.null.with.default"],
      }, part),
  });
}

function fixed(name: keyof typeof FIXED_TYPES, className: string, doc: string) {
  return define({
    name,
    className: `org.apache.kafka.connect.converters.${className}`,
    doc,
    config: {},
    make: (_config, part) => fixedConverter(FIXED_TYPES[name], part),
  });
}

const SIMPLE: ConverterDefinition = {
  name: "simple",
  className: "org.apache.kafka.connect.storage.SimpleHeaderConverter",
  doc: "Headers as text; numbers, booleans, dates, lists and maps are known by how they look.",
  isForHeaders: true,
  config: {},
  make: (_raw, { config }) => {
    const message = `"${config}": the simple converter is for headers alone`;
    throw new ConfigError([{ field: config, message }]);
  },
};

/** All of them. */
export const CONVERTERS: readonly ConverterDefinition[] = [
  json("json", null, false),
  json("JsonConverter", "org.apache.kafka.connect.json.JsonConverter", true),
  define({
    name: "string",
    className: "org.apache.kafka.connect.storage.StringConverter",
    doc: "Text.",
    config: {
      "converter.encoding": choice(...ENCODINGS).default("UTF-8").importance("HIGH").doc(
        "How text is written.",
      ),
    },
    make: (config, part) => stringConverter(config["converter.encoding"], part),
  }),
  define({
    name: "bytes",
    className: "org.apache.kafka.connect.converters.ByteArrayConverter",
    doc: "Bytes as they are.",
    config: {},
    make: (_config, part) => bytesConverter(part),
  }),
  fixed("boolean", "BooleanConverter", "A boolean: one byte, 0 or 1."),
  fixed("short", "ShortConverter", "A whole number in 2 bytes."),
  fixed("int", "IntegerConverter", "A whole number in 4 bytes."),
  fixed("long", "LongConverter", "A whole number in 8 bytes."),
  fixed("float", "FloatConverter", "A floating-point number in 4 bytes."),
  fixed("double", "DoubleConverter", "A floating-point number in 8 bytes."),
  SIMPLE,
];

const BY_NAME = new Map(CONVERTERS.flatMap((one) => namesOf(one).map((name) => [name, one])));

/** Its short name, Kafka's class, and Kafka's aliases of that (`StringConverter`, `String`). */
function namesOf({ name, className }: ConverterDefinition): string[] {
  if (className === null) return [name];
  const simple = className.slice(className.lastIndexOf(".") + 1);
  const aliases = [simple, simple.replace(/(?:Header)?Converter$/, "")];
  // "Json" in any case is ours: Kafka's alias would differ from it by a capital alone.
  return [name, className, ...aliases].filter((one) => one !== "Json");
}

/** The converter of a name, whatever its case; null: there is none. */
export function findConverter(name: string): ConverterDefinition | null {
  const wanted = name.trim();
  const known = BY_NAME.get(wanted);
  if (known !== undefined) return known;
  for (const [other, definition] of BY_NAME) {
    if (other.toLowerCase() === wanted.toLowerCase()) return definition;
  }
  return null;
}

function namesFor(isHeader: boolean): string[] {
  return CONVERTERS.filter((one) => isHeader || !one.isForHeaders).map((one) => one.name);
}

/**
 * The kind of converter that a config asks for: plain JSON where it does not say, and for headers
 * `SimpleHeaderConverter`. Throws `ConfigError`.
 */
export function converterKind(raw: RawConfig, key: ConverterKey): ConverterDefinition {
  const isHeader = key === "header.converter";
  const name = Object.hasOwn(raw, key) ? raw[key] : undefined;
  const found = findConverter(name ?? (isHeader ? "simple" : "json"));
  if (found !== null && (isHeader || !found.isForHeaders)) return found;
  const message = `"${key}" must be one of ${namesFor(isHeader).join(", ")}, not "${name}"`;
  throw new ConfigError([{ field: key, message }]);
}

function converterField(key: ConverterKey, doc: string): Field<string | null> {
  const check = (name: string) => {
    const isHeader = key === "header.converter";
    const found = findConverter(name);
    if (found !== null && (isHeader || !found.isForHeaders)) return null;
    return `must be one of ${namesFor(isHeader).join(", ")}`;
  };
  return className().check(check).optional().importance("LOW").doc(doc);
}

/** The settings of every connector that name its converters. */
export const CONVERTER_FIELDS = {
  "key.converter": converterField(
    "key.converter",
    "What keys are in the topic; not given: plain JSON.",
  ),
  "value.converter": converterField(
    "value.converter",
    "What values are in the topic; not given: plain JSON.",
  ),
  "header.converter": converterField(
    "header.converter",
    "What values of headers are in the topic; not given: text whose looks say what it is.",
  ),
};

/** With the settings, by their full names, of converters that a config names or sets up. */
export function converterFields(raw: RawConfig): Fields {
  const fields: Record<string, Field<unknown>> = { ...CONVERTER_FIELDS };
  for (const key of Object.keys(CONVERTER_FIELDS)) {
    if (!Object.keys(raw).some((given) => given === key || given.startsWith(`${key}.`))) continue;
    const name = Object.hasOwn(raw, key) ? raw[key] : undefined;
    const kind = findConverter(name ?? (key === "header.converter" ? "simple" : "json"));
    if (kind !== null) Object.assign(fields, withPrefix(kind.config, `${key}.`));
  }
  return fields;
}

/** The converter of keys or of values that a config asks for. Throws `ConfigError`. */
export function converterOf(
  raw: RawConfig,
  key: "key.converter" | "value.converter",
): Converter {
  const what = key === "key.converter" ? "key" : "value";
  return converterKind(raw, key).make(raw, { what, config: key });
}

/** The converter of headers that a config asks for. Throws `ConfigError`. */
export function headerConverterOf(raw: RawConfig): HeaderConverter {
  const key = "header.converter";
  const kind = converterKind(raw, key);
  if (kind.isForHeaders) return simpleHeaderConverter;
  return headersBy(kind.make(raw, { what: "header", config: key }));
}
