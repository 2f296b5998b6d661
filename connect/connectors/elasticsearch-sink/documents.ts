/** What a record is in a bulk request: an action, and mostly a document. */
import { jsonText } from "../../formats/index.ts";
import { fieldOf, isObject, LOGICAL } from "../../index.ts";
import type { ConnectValue, Schema, SinkRecord } from "../../index.ts";
import type { Config } from "./fields.ts";

/** One record on its way. */
export interface Action {
  readonly record: SinkRecord;
  readonly index: string;
  /** No two of one request may have the same where order counts. */
  readonly id: string;
  /** Lines of the request, each with its end. */
  readonly lines: string;
}

/** A record cannot be a document, however often it is tried. */
export class UnfitRecord extends Error {
  override readonly name = "UnfitRecord";
}

const ID_BYTES_MAX = 512;

/** Makes actions of records. */
export class Documents {
  readonly #indices = new Map<string, string>();

  constructor(readonly config: Config) {
    for (const pair of config["topic.to.external.resource.mapping"]) {
      const colon = pair.indexOf(":");
      this.#indices.set(pair.slice(0, colon).trim(), pair.slice(colon + 1).trim());
    }
  }

  /** The index, or data stream, of a topic. */
  indexOf(topic: string): string {
    const { config } = this;
    const named = this.#indices.get(topic);
    if (named !== undefined) return named;
    const name = topic.toLowerCase();
    if (config["data.stream.type"] === "none") return name;
    const part = (text: string) => text.replaceAll("${topic}", name).replaceAll("-", "_");
    const dataset = part(config["data.stream.dataset"]);
    return `${config["data.stream.type"]}-${dataset}-${part(config["data.stream.namespace"])}`;
  }

  /** Null: there is nothing to be done. Throws `UnfitRecord`. */
  actionOf(record: SinkRecord): Action | null {
    const { topic, partition, offset } = record.original;
    const { config } = this;
    const index = this.indexOf(record.topic);
    const isStream = config["data.stream.type"] !== "none";
    const ownId = `${topic}+${partition}+${offset}`;
    const isOwn = isStream || config["key.ignore"] || config["topic.key.ignore"].includes(topic);
    if (record.value === null) {
      const behavior = config["behavior.on.null.values"];
      if (behavior === "fail") throw new UnfitRecord("it has no value (behavior.on.null.values)");
      if (behavior === "ignore" || isOwn) return null;
      const id = keyId(record.key);
      return { record, index, id, lines: head("delete", index, id, versionOf(record)) };
    }
    const body = this.#bodyOf(record, isStream);
    const id = isOwn ? ownId : keyId(record.key);
    if (isStream) return { record, index, id, lines: `${head("create", index, id)}${body}\n` };
    if (config["write.method"] === "upsert") {
      const lines = `${head("update", index, id, { retry_on_conflict: 3 })}` +
        `{"doc":${body},"doc_as_upsert":true}\n`;
      return { record, index, id, lines };
    }
    const version = isOwn ? {} : versionOf(record);
    return { record, index, id, lines: `${head("index", index, id, version)}${body}\n` };
  }

  #bodyOf(record: SinkRecord, isStream: boolean): string {
    const { value, valueSchema } = record;
    const isDocument = value instanceof Map || isObject(value);
    if (!isDocument) {
      throw new UnfitRecord("its value is no object: a document has fields");
    }
    const text = jsonText(value, valueSchema);
    if (!isStream || (isObject(value) && Object.hasOwn(value, "@timestamp"))) return text;
    const time = this.#timeOf(record);
    return `{"@timestamp":${time}${text === "{}" ? "}" : `,${text.slice(1)}`}`;
  }

  #timeOf({ value, valueSchema, timestampMs }: SinkRecord): string {
    for (const name of this.config["data.stream.timestamp.field"]) {
      const found = isObject(value) ? fieldOf(value, name) : null;
      if (found === null) continue;
      const schema = valueSchema?.type === "struct"
        ? valueSchema.fields.find((field) => field.name === name)?.schema ?? null
        : null;
      return jsonText(found, schema);
    }
    if (timestampMs === null) throw new UnfitRecord("it has no time, which a data stream needs");
    return JSON.stringify(new Date(timestampMs).toISOString());
  }
}

/** Offsets are versions, so that what comes late or again changes nothing. */
function versionOf({ original }: SinkRecord) {
  return { version: Number(original.offset), version_type: "external" };
}

function head(action: string, index: string, id: string, more: object = {}): string {
  return `${JSON.stringify({ [action]: { _index: index, _id: id, ...more } })}\n`;
}

function keyId(key: ConnectValue): string {
  const isPlain = ["string", "number", "bigint", "boolean"].includes(typeof key);
  if (key === null) throw new UnfitRecord("it has no key, and key.ignore is false");
  if (!isPlain) throw new UnfitRecord("its key is no text, number or boolean: an id is a text");
  const id = String(key);
  if (id !== "" && Buffer.byteLength(id) <= ID_BYTES_MAX) return id;
  throw new UnfitRecord(`its key is empty or longer than ${ID_BYTES_MAX} bytes`);
}

/** Types of fields as a mapping has them; a text is one, and a keyword besides. */
export function mappingOf(schema: Schema): object {
  switch (schema.type) {
    case "struct": {
      const properties = schema.fields.map(({ name, schema }) => [name, mappingOf(schema)]);
      return { properties: Object.fromEntries(properties) };
    }
    case "array":
      return mappingOf(schema.items);
    case "map":
      return { type: "object" };
    case "string":
      return { type: "text", fields: { keyword: { type: "keyword", ignore_above: 256 } } };
    case "bytes":
      return { type: schema.name === LOGICAL.decimal ? "double" : "binary" };
    default: {
      const isDate = schema.name === LOGICAL.date || schema.name === LOGICAL.timestamp;
      if (schema.name === LOGICAL.time) return { type: "keyword" };
      return { type: isDate ? "date" : NUMBERS[schema.type] };
    }
  }
}

const NUMBERS = {
  int8: "byte",
  int16: "short",
  int32: "integer",
  int64: "long",
  float32: "float",
  float64: "double",
  boolean: "boolean",
} as const;
