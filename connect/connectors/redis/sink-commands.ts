/** What a record asks of Redis. */
import { jsonText } from "../../formats/index.ts";
import { isObject } from "../../index.ts";
import type { ConnectValue, Schema, SinkRecord } from "../../index.ts";

export type RedisType = "STREAM" | "HASH" | "STRING" | "LIST" | "PUBSUB";

export interface CommandSettings {
  readonly type: RedisType;
  /** Of a stream, list or channel; of hashes and strings what their keys begin with. */
  keyOf(topic: string, key: string): string;
  /** Between that and the key of the record; null: it has the key already. */
  readonly separator: string | null;
  readonly maxLength: number | null;
  /** The field of entries of streams that holds the record's key. */
  readonly keyField: string | null;
  readonly expireMs: number | null;
}

export type Argument = string | Buffer;
export type Command = readonly Argument[];

/** A record has no place in Redis, whatever is tried. */
export class NoCommand extends Error {
  override readonly name = "NoCommand";
}

/** More arguments than a script of Redis can hand on. */
const ARGUMENTS_MAX = 7000;

/** The commands of a record, to be made together. Throws `NoCommand`. */
export function commandsOf(record: SinkRecord, settings: CommandSettings): Command[] {
  const commands = commandsFor(record, settings);
  if (commands.some((command) => command.length > ARGUMENTS_MAX)) {
    throw new NoCommand(`the value has too many fields for Redis (${ARGUMENTS_MAX / 2} at most)`);
  }
  return commands;
}

function commandsFor(record: SinkRecord, settings: CommandSettings): Command[] {
  const { value, valueSchema } = record;
  const { type, expireMs } = settings;
  switch (type) {
    case "STREAM":
      return [entryOf(record, settings)];
    case "LIST":
      return [["RPUSH", placeOf(record, settings), required(value, valueSchema, type)]];
    case "PUBSUB":
      return [["PUBLISH", placeOf(record, settings), required(value, valueSchema, type)]];
    case "STRING": {
      const key = keyOf(record, settings);
      if (value === null) return [["DEL", key]];
      const expiry = expireMs === null ? [] : ["PX", String(expireMs)];
      return [["SET", key, bytesOf(value, valueSchema), ...expiry]];
    }
    case "HASH": {
      const key = keyOf(record, settings);
      if (value === null) return [["DEL", key]];
      const { present, absent } = fieldsOf(value, valueSchema);
      const commands: Command[] = [];
      if (present.length > 0) commands.push(["HSET", key, ...present]);
      if (absent.length > 0) commands.push(["HDEL", key, ...absent]);
      if (expireMs !== null) commands.push(["PEXPIRE", key, String(expireMs)]);
      return commands;
    }
  }
}

function entryOf(record: SinkRecord, settings: CommandSettings): Command {
  const { value, valueSchema, key, keySchema } = record;
  const { maxLength, keyField } = settings;
  const fields = value === null
    ? []
    : isObject(value) || value instanceof Map
    ? fieldsOf(value, valueSchema).present
    : ["value", bytesOf(value, valueSchema)];
  if (keyField !== null && key !== null) fields.unshift(keyField, bytesOf(key, keySchema));
  if (fields.length === 0) {
    throw new NoCommand(
      "it has no field that could be in an entry of a stream; redis.stream.key.field adds its key",
    );
  }
  const trimmed = maxLength === null ? [] : ["MAXLEN", "~", String(maxLength)];
  return ["XADD", placeOf(record, settings), ...trimmed, "*", ...fields];
}

/** The stream, list or channel. */
function placeOf({ topic, key, keySchema }: SinkRecord, settings: CommandSettings): string {
  return settings.keyOf(topic, key === null ? "" : String(bytesOf(key, keySchema)));
}

/** Of a hash or a string: bytes of a key stay what they are. */
function keyOf(record: SinkRecord, settings: CommandSettings): Argument {
  const { topic, key, keySchema } = record;
  if (key === null) throw new NoCommand(`it has no key, which a ${settings.type} of Redis needs`);
  const own = bytesOf(key, keySchema);
  const name = settings.keyOf(topic, String(own));
  if (settings.separator === null) return name;
  const prefix = name === "" ? "" : name + settings.separator;
  return typeof own === "string" ? prefix + own : Buffer.concat([Buffer.from(prefix), own]);
}

function required(value: ConnectValue, schema: Schema | null, type: RedisType): Argument {
  if (value === null) throw new NoCommand(`a tombstone means nothing to a ${type} of Redis`);
  return bytesOf(value, schema);
}

/** A text or bytes as they are, anything else as JSON. */
function bytesOf(value: ConnectValue, schema: Schema | null): Argument {
  if (typeof value === "string") return value;
  return value instanceof Uint8Array ? Buffer.from(value) : jsonText(value, schema);
}

/** Names and values one after the other, and the names of those that are null. */
function fieldsOf(
  value: ConnectValue,
  schema: Schema | null,
): { readonly present: Argument[]; readonly absent: string[] } {
  if (!isObject(value) && !(value instanceof Map)) {
    throw new NoCommand("its value is no object, whose fields Redis could have");
  }
  const pairs: Iterable<readonly [ConnectValue, ConnectValue | undefined]> = value instanceof Map
    ? value
    : Object.entries(value);
  const present: Argument[] = [];
  const absent: string[] = [];
  for (const [name, field] of pairs) {
    const text = typeof name === "string" ? name : jsonText(name);
    if (field === null || field === undefined) absent.push(text);
    else present.push(text, bytesOf(field, schemaOf(schema, text)));
  }
  return { present, absent };
}

function schemaOf(schema: Schema | null, name: string): Schema | null {
  if (schema?.type === "map") return schema.values;
  if (schema?.type !== "struct") return null;
  return schema.fields.find((field) => field.name === name)?.schema ?? null;
}
