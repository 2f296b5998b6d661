/**
 * JSON, plain or in Kafka's envelope with a schema: `{"schema": …, "payload": …}`
 * (`org.apache.kafka.connect.json.JsonConverter`).
 */
import { DataError } from "../data/data-error.ts";
import { LOGICAL } from "../data/schema.ts";
import type { Schema, SchemaAndValue } from "../data/schema.ts";
import { fieldPath, validate } from "../data/validate.ts";
import type { ConnectValue } from "../data/values.ts";
import type { Converter } from "./converter.ts";
import { compileRead, ReadFault } from "./json-read.ts";
import type { Read } from "./json-read.ts";
import { jsonOfSchema, schemaOfJson } from "./json-schema.ts";
import { isJsonObject, jsonText, memberOf, parseJson } from "./json-text.ts";
import type { Json } from "./json-text.ts";
import { compileWrite } from "./json-write.ts";
import type { JsonOptions, Write } from "./json-write.ts";
import type { ConvertedPart } from "./part.ts";
import { utf8Text } from "./part.ts";

/** What `JsonConverter` is told. */
export interface JsonConverterConfig extends JsonOptions {
  /** Whether there is an envelope with a schema. */
  readonly schemasEnable: boolean;
  /** Schemas that are kept compiled. */
  readonly schemasCacheSize: number;
  /** A schema that counts in place of those of records, as JSON (KIP-1054); null: none. */
  readonly schemaContent: string | null;
}

/** A schema that was read, with what it takes to read values of it. */
interface KnownSchema {
  readonly schema: Schema | null;
  readonly read: Read | null;
}

const encoder = new TextEncoder();

/** See the head of the file. Its errors name the part and the way out. */
export class JsonConverter implements Converter {
  readonly #writes = new WeakMap<Schema, { readonly head: string; readonly write: Write }>();
  /** By their JSON; the one used last stands last. */
  readonly #known = new Map<string, KnownSchema>();
  /** The beginning of the envelope that came last, up to the payload, and its schema. */
  #lastHead = "";
  #lastKnown: KnownSchema | null = null;
  readonly #content: KnownSchema | null;

  /** Throws `DataError` where the schema of the config is none. */
  constructor(readonly config: JsonConverterConfig, readonly part: ConvertedPart) {
    this.#content = config.schemasEnable && (config.schemaContent ?? "") !== ""
      ? this.#compile(parseJson(config.schemaContent ?? "", true))
      : null;
  }

  toBytes(_topic: string, schema: Schema | null, value: ConnectValue): Uint8Array | null {
    return this.#isTombstone(schema, value) ? null : encoder.encode(this.#write(schema, value));
  }

  /** With a schema in an envelope null is none, as Kafka has it. */
  #isTombstone(schema: Schema | null, value: ConnectValue): boolean {
    if (value !== null) return false;
    if (schema === null) return true;
    const { replaceNullWithDefault, schemasEnable } = this.config;
    const hasDefault = replaceNullWithDefault && schema.defaultValue !== undefined;
    return !schemasEnable && schema.optional && !hasDefault;
  }

  #write(schema: Schema | null, value: ConnectValue): string {
    try {
      if (schema === null) {
        const payload = jsonText(value);
        return this.config.schemasEnable ? `{"schema":null,"payload":${payload}}` : payload;
      }
      const { head, write } = this.#writeOf(schema);
      return this.config.schemasEnable ? `${head}${write(value)}}` : write(value);
    } catch (error) {
      if (error instanceof RangeError) throw this.#error("is nested too deeply");
      if (!(error instanceof DataError)) throw error;
      if (schema === null) throw this.#error(error.message);
      // It says where.
      validate(schema, value, this.part.what);
      throw this.#error(`cannot be written: ${error.message}`);
    }
  }

  #writeOf(schema: Schema): { readonly head: string; readonly write: Write } {
    const known = this.#writes.get(schema);
    if (known !== undefined) return known;
    const compiled = {
      head: `{"schema":${jsonOfSchema(schema, this.config)},"payload":`,
      write: compileWrite(schema, this.config),
    };
    this.#writes.set(schema, compiled);
    return compiled;
  }

  fromBytes(_topic: string, bytes: Uint8Array | null): SchemaAndValue {
    if (bytes === null) return { schema: null, value: null };
    const text = utf8Text(bytes, this.part);
    try {
      if (this.config.schemasEnable) return this.#readEnvelope(text);
      // Kafka's converter takes no bytes at all for null, too.
      return { schema: null, value: text === "" ? null : parseJson(text) };
    } catch (error) {
      if (error instanceof ReadFault) {
        throw new DataError(`${this.part.what}${fieldPath(error.path)}: ${error.message}`);
      }
      if (error instanceof RangeError) throw this.#error("is nested too deeply");
      throw error instanceof DataError ? this.#error(error.message) : error;
    }
  }

  #readEnvelope(text: string): SchemaAndValue {
    if (this.#content !== null) return readPayload(this.#content, parseJson(text, true));
    const known = this.#lastKnown;
    if (known !== null && text.startsWith(this.#lastHead) && text.endsWith("}")) {
      const payload = payloadOf(text.slice(this.#lastHead.length, -1), known.schema);
      if (payload !== undefined) return readPayload(known, payload);
    }
    const { schema, payload } = envelopeOf(text, false);
    const key = JSON.stringify(schema, jsonable);
    const found = this.#known.get(key) ?? this.#compile(envelopeOf(text, true).schema);
    this.#keep(key, found);
    this.#lastHead = `{"schema":${key},"payload":`;
    this.#lastKnown = found;
    const isExact = found.schema === null || !hasDecimal(found.schema);
    return readPayload(found, isExact ? payload : envelopeOf(text, true).payload);
  }

  #keep(key: string, known: KnownSchema): void {
    this.#known.delete(key);
    this.#known.set(key, known);
    while (this.#known.size > this.config.schemasCacheSize) {
      this.#known.delete(this.#known.keys().next().value ?? "");
    }
  }

  #compile(json: Json): KnownSchema {
    const schema = schemaOfJson(json, this.config);
    return { schema, read: schema === null ? null : compileRead(schema, this.config) };
  }

  #error(problem: string): DataError {
    const { what, config } = this.part;
    const way = problem.startsWith("is no JSON")
      ? `; if it is text, set ${config} to string`
      : problem.startsWith("has to be {")
      ? `; if it is plain JSON, set ${config}.schemas.enable to false`
      : "";
    return new DataError(`${what} ${problem}${way}`);
  }
}

/** Throws `DataError` where it is no envelope. */
function envelopeOf(text: string, keepsDigits: boolean): { schema: Json; payload: Json } {
  const json = parseJson(text, keepsDigits);
  const isEnvelope = isJsonObject(json) && Object.keys(json).length === 2;
  const schema = isEnvelope ? memberOf(json, "schema") : undefined;
  const payload = isEnvelope ? memberOf(json, "payload") : undefined;
  if (schema !== undefined && payload !== undefined) return { schema, payload };
  throw new DataError('has to be {"schema": …, "payload": …}, with schemas.enable');
}

/**
 * The payload that stands alone behind a known head; undefined: it does not, and the text has to be
 * parsed as a whole.
 */
function payloadOf(text: string, schema: Schema | null): Json | undefined {
  try {
    return parseJson(text, schema !== null && hasDecimal(schema));
  } catch (error) {
    if (error instanceof DataError) return undefined;
    throw error;
  }
}

const decimals = new WeakMap<Schema, boolean>();

/** Whether digits behind the point count. */
function hasDecimal(schema: Schema): boolean {
  const known = decimals.get(schema);
  if (known !== undefined) return known;
  const has = schema.name === LOGICAL.decimal ||
    (schema.type === "array" && hasDecimal(schema.items)) ||
    (schema.type === "map" && (hasDecimal(schema.keys) || hasDecimal(schema.values))) ||
    (schema.type === "struct" && schema.fields.some((field) => hasDecimal(field.schema)));
  decimals.set(schema, has);
  return has;
}

function readPayload({ schema, read }: KnownSchema, payload: Json): SchemaAndValue {
  return { schema, value: read === null ? payload : read(payload) };
}

/** Numbers that `JSON.stringify` does not know, for a key alone. */
function jsonable(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
