/** What a record asks of the database: a row there or a row gone. */
import { DataError, fieldOf, isObject } from "../../index.ts";
import type { ConnectValue, Schema, SinkRecord } from "../../index.ts";
import type { TableName } from "./dialect.ts";

export interface Field {
  readonly name: string;
  readonly value: ConnectValue;
  readonly schema: Schema | null;
}

export interface Change {
  readonly record: SinkRecord;
  readonly table: TableName;
  readonly key: readonly Field[];
  /** Fields that are not of the key; null: the row is to go. */
  readonly fields: readonly Field[] | null;
}

export type PkMode = "none" | "kafka" | "record_key" | "record_value";

export interface ChangeSettings {
  readonly tableFormat: string;
  readonly pkMode: PkMode;
  /** Empty: all, or what the mode has by default. */
  readonly pkFields: readonly string[];
  readonly deletes: boolean;
  /** Empty: all. */
  readonly whitelist: ReadonlySet<string>;
}

/** What `pk.mode=kafka` calls its columns. */
const KAFKA_KEY = ["__connect_topic", "__connect_partition", "__connect_offset"];

/** What the record asks for. Throws `DataError`. */
export function changeOf(record: SinkRecord, settings: ChangeSettings): Change {
  const table = tableOf(record.topic, settings.tableFormat);
  const { value, schema } = unwrapped(record);
  if (value === null) {
    if (!settings.deletes) {
      throw new DataError("the value is null, and delete.enabled is false: nothing can be written");
    }
    return { record, table, key: keyOf(record, value, schema, settings), fields: null };
  }
  if (!isObject(value)) {
    throw new DataError(
      "the value is no object, so it has no fields for columns; a transform as HoistField makes one",
    );
  }
  const key = keyOf(record, value, schema, settings);
  const { whitelist } = settings;
  const fields = fieldsOf(value, schema).filter(({ name }) =>
    (whitelist.size === 0 || whitelist.has(name)) && !key.some((part) => part.name === name)
  );
  if (key.length === 0 && fields.length === 0) {
    throw new DataError("the value has no fields: nothing can be written");
  }
  return { record, table, key, fields };
}

/** Dots of the format part schema and table; those of topics are part of the name. */
function tableOf(topic: string, format: string): TableName {
  const dot = format.indexOf(".");
  const named = (text: string) => text.replaceAll("${topic}", () => topic);
  return dot < 0
    ? { schema: null, name: named(format) }
    : { schema: named(format.slice(0, dot)), name: named(format.slice(dot + 1)) };
}

interface Unwrapped {
  readonly value: ConnectValue;
  readonly schema: Schema | null;
}

/** The row of an envelope of Debezium behind the change; other values as they are. */
function unwrapped({ value, valueSchema }: SinkRecord): Unwrapped {
  if (!isObject(value) || !isEnvelope(value, valueSchema)) return { value, schema: valueSchema };
  const op = fieldOf(value, "op");
  if (op === "t" || op === "m") {
    throw new DataError(`this says that a table was emptied or a message sent (op "${op}")`);
  }
  if (op === "d") return { value: null, schema: null };
  const schema = valueSchema?.type === "struct"
    ? valueSchema.fields.find(({ name }) => name === "after")?.schema ?? null
    : null;
  return { value: fieldOf(value, "after"), schema };
}

function isEnvelope(value: ConnectValue, schema: Schema | null): boolean {
  if (schema !== null) return schema.name?.endsWith(".Envelope") ?? false;
  if (!isObject(value) || !Object.hasOwn(value, "source") || !Object.hasOwn(value, "op")) {
    return false;
  }
  const op = fieldOf(value, "op");
  return typeof op === "string" && /^[crudtm]$/.test(op) &&
    (Object.hasOwn(value, "after") || Object.hasOwn(value, "before"));
}

function fieldsOf(value: ConnectValue, schema: Schema | null): Field[] {
  if (!isObject(value)) return [];
  if (schema?.type === "struct") {
    return schema.fields.map(({ name, schema: of }) => ({
      name,
      value: fieldOf(value, name),
      schema: of,
    }));
  }
  return Object.keys(value).map((name) => ({ name, value: fieldOf(value, name), schema: null }));
}

function keyOf(
  record: SinkRecord,
  value: ConnectValue,
  schema: Schema | null,
  { pkMode, pkFields }: ChangeSettings,
): readonly Field[] {
  switch (pkMode) {
    case "none":
      return [];
    case "kafka": {
      const { topic, partition, offset } = record.original;
      const [topicName, partitionName, offsetName] = pkFields.length === 3 ? pkFields : KAFKA_KEY;
      return [
        { name: topicName!, value: topic, schema: null },
        { name: partitionName!, value: partition, schema: null },
        { name: offsetName!, value: offset, schema: null },
      ];
    }
    case "record_key":
      return keyOfRecord(record, pkFields);
    case "record_value":
      return picked(fieldsOf(value, schema), pkFields, "value");
  }
}

function keyOfRecord({ key, keySchema }: SinkRecord, pkFields: readonly string[]) {
  if (key === null) {
    throw new DataError("the key is null, so there is nothing for pk.mode=record_key");
  }
  if (isObject(key)) return picked(fieldsOf(key, keySchema), pkFields, "key");
  if (pkFields.length !== 1) {
    throw new DataError(
      "the key is no object: pk.fields has to name the one column that it goes into",
    );
  }
  return [{ name: pkFields[0]!, value: key, schema: keySchema }];
}

function picked(fields: readonly Field[], names: readonly string[], what: string) {
  const chosen = names.length === 0
    ? fields
    : names.map((name) => fields.find((field) => field.name === name) ?? missing(name, what));
  const empty = chosen.find(({ value }) => value === null);
  if (empty !== undefined) throw new DataError(`field "${empty.name}" of the ${what} is null`);
  if (chosen.length === 0) throw new DataError(`the ${what} has no fields for a primary key`);
  return chosen;
}

function missing(name: string, what: string): never {
  throw new DataError(`the ${what} has no field "${name}", which pk.fields names`);
}
