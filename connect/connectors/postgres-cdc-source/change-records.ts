/**
 * A change of a row as records: in Debezium's envelope, or the row alone as its transform
 * ExtractNewRecordState makes it.
 */
import { optional, primitive, struct } from "../../index.ts";
import type { ConnectObject, ConnectValue, PartialSourceRecord, Schema } from "../../index.ts";
import type { CaptureConfig } from "./fields.ts";
import type { Row } from "./pgoutput.ts";
import type { TableEncoder } from "./table-encoder.ts";

export type Operation = "c" | "u" | "d" | "r" | "t";

/** Where a change comes from. */
export interface Origin {
  /** Of the commit; microseconds since 1970. */
  readonly commitUs: number;
  readonly isSnapshot: boolean;
  /** Null: a snapshot. */
  readonly xid: number | null;
  readonly lsn: bigint;
  /** Of the transaction before. */
  readonly lastCommitLsn: bigint | null;
}

/** One change, on its own: what changes a key is a delete and a create. */
export interface RowEvent {
  readonly op: Operation;
  /** What the row was; of a create by a change of key it is known as well. */
  readonly before: Row | null;
  /** Only the columns of the identity are known of `before`. */
  readonly isBeforeKeyOnly: boolean;
  readonly after: Row | null;
}

const VERSION = "1.0.0";
const int64 = primitive("int64");
const maybe = (type: "int64" | "string") => primitive(type, { optional: true });

const sourceSchema = struct({
  version: primitive("string"),
  connector: primitive("string"),
  name: primitive("string"),
  ts_ms: int64,
  snapshot: primitive("string", {
    optional: true,
    name: "io.debezium.data.Enum",
    version: 1,
    parameters: { allowed: "true,last,false,incremental" },
    defaultValue: "false",
  }),
  db: primitive("string"),
  sequence: maybe("string"),
  ts_us: maybe("int64"),
  ts_ns: maybe("int64"),
  schema: primitive("string"),
  table: primitive("string"),
  txId: maybe("int64"),
  lsn: maybe("int64"),
  xmin: maybe("int64"),
}, { name: "io.debezium.connector.postgresql.Source" });

const transactionSchema = struct({
  id: primitive("string"),
  total_order: int64,
  data_collection_order: int64,
}, { name: "event.block", version: 1, optional: true });

function envelopeSchema(table: TableEncoder): Schema {
  return struct({
    before: table.oldSchema,
    after: table.rowSchema,
    source: sourceSchema,
    transaction: transactionSchema,
    op: primitive("string"),
    ts_ms: maybe("int64"),
    ts_us: maybe("int64"),
    ts_ns: maybe("int64"),
  }, { name: `${table.topic}.Envelope`, version: 2 });
}

/** See the head of the file. */
export class ChangeRecords {
  readonly #skipped: ReadonlySet<string>;
  readonly #schemas = new WeakMap<TableEncoder, { readonly row: Schema; readonly old: Schema }>();
  readonly #isFlat: boolean;

  constructor(readonly config: CaptureConfig, readonly wallMs: () => number) {
    this.#skipped = new Set(config["skipped.operations"]);
    this.#isFlat = config.envelope === "none";
  }

  /** Appends the records of a change. Throws where a value cannot be given. */
  append(
    to: PartialSourceRecord[],
    table: TableEncoder,
    event: RowEvent,
    origin: Origin,
  ): void {
    if (this.#skipped.has(event.op)) return;
    const row = event.after ?? event.before;
    const key = row === null ? null : table.key(row);
    if (this.#isFlat) this.#appendFlat(to, table, event, origin, key);
    else this.#appendEnvelope(to, table, event, origin, key);
  }

  #appendEnvelope(
    to: PartialSourceRecord[],
    table: TableEncoder,
    event: RowEvent,
    origin: Origin,
    key: ConnectObject | null,
  ): void {
    const { op, before, after } = event;
    const nowMs = this.wallMs();
    const value = {
      before: before === null || op === "c" ? null : table.value(before),
      after: after === null ? null : table.value(after, event.isBeforeKeyOnly ? null : before),
      source: this.#source(table, origin),
      transaction: null,
      op,
      ts_ms: nowMs,
      ts_us: nowMs * 1000,
      ts_ns: nanos(nowMs * 1000),
    };
    to.push(recordOf(table, key, this.#schemasOf(table).row, value));
    if (op === "d" && this.config["tombstones.on.delete"] && key !== null) {
      to.push(recordOf(table, key, null, null));
    }
  }

  #appendFlat(
    to: PartialSourceRecord[],
    table: TableEncoder,
    event: RowEvent,
    origin: Origin,
    key: ConnectObject | null,
  ): void {
    const { op, before, after } = event;
    const { row, old } = this.#schemasOf(table);
    if (after !== null) {
      const value = table.value(after, event.isBeforeKeyOnly ? null : before);
      to.push(recordOf(table, key, row, this.#withAdded(table, value, op, origin)));
      return;
    }
    const mode = this.config["delete.tombstone.handling.mode"];
    if (op !== "d" || mode === "drop") return;
    if (mode !== "tombstone" && before !== null) {
      const value = this.#withAdded(table, table.value(before), op, origin);
      to.push(recordOf(table, key, old, value));
    }
    if (mode !== "rewrite" && key !== null) to.push(recordOf(table, key, null, null));
  }

  #withAdded(
    table: TableEncoder,
    value: ConnectObject,
    op: Operation,
    origin: Origin,
  ): ConnectObject {
    const added: Record<string, ConnectValue> = {};
    if (this.#marksDeletes) added["__deleted"] = String(op === "d");
    const source = this.config["add.fields"].length === 0 ? {} : this.#source(table, origin);
    for (const name of this.config["add.fields"]) {
      added[`__${name}`] = name === "op" ? op : source[name] ?? null;
    }
    return { ...value, ...added };
  }

  get #marksDeletes(): boolean {
    return this.config["delete.tombstone.handling.mode"].startsWith("rewrite");
  }

  #schemasOf(table: TableEncoder): { readonly row: Schema; readonly old: Schema } {
    const known = this.#schemas.get(table);
    if (known !== undefined) return known;
    const schemas = this.#isFlat
      ? { row: this.#flatSchema(table.rowSchema), old: this.#flatSchema(table.oldSchema) }
      : { row: envelopeSchema(table), old: envelopeSchema(table) };
    this.#schemas.set(table, schemas);
    return schemas;
  }

  #flatSchema(schema: Schema): Schema {
    if (schema.type !== "struct") throw new Error("a row is a struct");
    const fields = [...schema.fields];
    if (this.#marksDeletes) fields.push({ name: "__deleted", schema: maybe("string") });
    for (const name of this.config["add.fields"]) {
      const field = sourceSchema.fields.find((candidate) => candidate.name === name);
      fields.push({ name: `__${name}`, schema: optional(field?.schema ?? maybe("string")) });
    }
    return struct(fields, { name: schema.name });
  }

  #source(table: TableEncoder, origin: Origin): ConnectObject {
    const { commitUs, xid, lsn, lastCommitLsn } = origin;
    return {
      version: VERSION,
      connector: "postgresql",
      name: this.config["topic.prefix"],
      ts_ms: Math.floor(commitUs / 1000),
      snapshot: origin.isSnapshot ? "true" : "false",
      db: this.config["database.dbname"],
      sequence: `[${lastCommitLsn === null ? "null" : `"${lastCommitLsn}"`},"${lsn}"]`,
      ts_us: commitUs,
      ts_ns: nanos(commitUs),
      schema: table.shape.schema,
      table: table.shape.table,
      txId: xid,
      lsn: wholeNumber(lsn),
      xmin: null,
    };
  }
}

/** Nanoseconds are beyond what numbers hold exactly, but in text they are only more zeros. */
function nanos(us: number): bigint {
  return BigInt(us) * 1000n;
}

function wholeNumber(value: bigint): number | bigint {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

function recordOf(
  table: TableEncoder,
  key: ConnectObject | null,
  valueSchema: Schema | null,
  value: ConnectObject | null,
): PartialSourceRecord {
  return {
    topic: table.topic,
    keySchema: table.keySchema,
    key,
    valueSchema,
    value,
  };
}
