/** What the source is configured with: Debezium's names where it has them. */
import { boolean, choice, FieldError, int, list, long, secret, string } from "../../index.ts";
import type { ConfigOf, Field } from "../../index.ts";

const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;

/** A list of regular expressions, each for a whole name. */
function patterns(): Field<readonly string[]> {
  return list().default([]).check((texts) => {
    for (const text of texts) {
      try {
        new RegExp(text);
      } catch {
        return "must be a list of regular expressions, between commas";
      }
    }
    return null;
  });
}

const NAME = /^[a-z0-9_]{1,63}$/;

export const captureFields = {
  "database.hostname": string().group("Server").importance("HIGH").doc("The host of PostgreSQL."),
  "database.port": int({ min: 1, max: 65_535 }).default(5432).group("Server").doc(
    "The port that it listens on.",
  ),
  "database.user": string().group("Server").importance("HIGH").doc(
    "The role that logs in. It needs REPLICATION and SELECT on the tables, and has to own them where " +
      "the publication is to be made.",
  ),
  "database.password": secret().default("").group("Server").importance("HIGH").doc(
    "Its password. SCRAM-SHA-256, MD5 and plain passwords are known.",
  ),
  "database.dbname": string().group("Server").importance("HIGH").doc("The database to read."),
  "database.sslmode": choice("disable", "prefer", "require", "verify-ca", "verify-full")
    .default("prefer").group("Server").doc(
      "Whether TLS is spoken, and what is asked of the server's certificate, as libpq has it.",
    ),
  "database.sslrootcert": string().optional().group("Server").doc(
    "A PEM file with the certificates of authorities that are trusted; without it those of the system.",
  ),
  "database.sslcert": string().optional().group("Server").doc(
    "A PEM file with the certificate that the role shows.",
  ),
  "database.sslkey": string().optional().group("Server").doc("A PEM file with the key to it."),
  "topic.prefix": string().group("Topics").importance("HIGH").check((value) =>
    /^[a-zA-Z0-9._-]+$/.test(value) ? null : "must have letters, digits, dots, hyphens, underscores"
  ).doc("What names of topics begin with: PREFIX.SCHEMA.TABLE. It also names the server."),
  "plugin.name": choice("pgoutput").default("pgoutput").group("Slot").importance("LOW").doc(
    "The plugin that decodes changes. Only pgoutput, which all servers have, is known.",
  ),
  "slot.name": string().default("kstream").group("Slot").importance("HIGH").check((value) =>
    NAME.test(value) ? null : "must have up to 63 small letters, digits and underscores"
  ).doc("The replication slot. It is made if it is not there, and is for this connector alone."),
  "slot.lag.max.bytes": long({ min: 0 }).default(0).group("Slot").doc(
    "How much of its log (WAL) the server may keep for the slot before slot.lag.action is taken; 0: " +
      "whatever there is. It is looked at only while the connector runs: a connector that is stopped " +
      "is guarded against by max_slot_wal_keep_size of the server.",
  ),
  "slot.lag.action": choice("warn", "fail", "drop-slot").default("warn").group("Slot").doc(
    "What is done when slot.lag.max.bytes is passed: a line in the log, the task fails, or the slot is " +
      "dropped, which frees the server's disk, and the task fails: after that a new snapshot is needed.",
  ),
  "publication.name": string().default("kstream").group("Slot").doc(
    "The publication that says which tables the server sends.",
  ),
  "publication.autocreate.mode": choice("filtered", "all_tables", "disabled").default("filtered")
    .group("Slot").doc(
      "filtered: the publication is made, and later brought up to date, with the tables that are " +
        "included. all_tables: it is made for all tables, which takes a superuser. disabled: it has " +
        "to be there.",
    ),
  "replica.identity.autoset.values": list().default([]).group("Slot").doc(
    "SCHEMA.TABLE:FULL and the like, with a regular expression for the table: the REPLICA IDENTITY " +
      "that tables are given at the start: FULL, DEFAULT, NOTHING or INDEX name.",
  ).check((texts) =>
    texts.every((text) => /^.+:(FULL|DEFAULT|NOTHING|INDEX \S+)$/i.test(text))
      ? null
      : "must be a list as public.orders:FULL"
  ),
  "status.update.interval.ms": int({ min: 10, max: 3_600_000 }).default(10_000).group("Slot").doc(
    "How often the server hears that the connector is there, and its lag is looked at.",
  ),
  "schema.include.list": patterns().group("Tables").doc(
    "Regular expressions of schemas to read; empty: all.",
  ),
  "schema.exclude.list": patterns().group("Tables").doc(
    "Regular expressions of schemas to leave out.",
  ),
  "table.include.list": patterns().group("Tables").importance("HIGH").doc(
    "Regular expressions of tables to read, as public\\.orders; empty: all but those of the system.",
  ),
  "table.exclude.list": patterns().group("Tables").doc(
    "Regular expressions of tables to leave out.",
  ),
  "column.include.list": patterns().group("Tables").doc(
    "Regular expressions of columns to keep, as public\\.orders\\.(id|total); empty: all.",
  ),
  "column.exclude.list": patterns().group("Tables").doc(
    "Regular expressions of columns to leave out of values; keys keep them.",
  ),
  "column.hash.list": patterns().group("Tables").doc(
    "Regular expressions of columns that are replaced by the SHA-256 of column.hash.salt and their text.",
  ),
  "column.hash.salt": secret().default("").group("Tables").doc(
    "What is hashed before the text of columns of column.hash.list.",
  ),
  "message.key.columns": string().default("").group("Tables").doc(
    "Keys other than the primary key: TABLE:COLUMN,COLUMN;TABLE:COLUMN, with regular expressions for tables.",
  ),
  "snapshot.mode": choice("initial", "initial_only", "never", "no_data", "when_needed")
    .default("initial").group("Snapshot").importance("HIGH").doc(
      "initial: the rows that are there, then changes. initial_only: the rows alone, then it ends. " +
        "no_data (never): changes alone. when_needed: as initial, and again whenever the slot is gone.",
    ),
  "snapshot.fetch.size": int({ min: 1, max: 1_000_000 }).default(2000).group("Snapshot").doc(
    "How many rows of a table are read at a time.",
  ),
  envelope: choice("debezium", "none").default("debezium").group("Records").importance("HIGH").doc(
    "debezium: before, after, source and op. none: the row alone, as Debezium's transform " +
      "ExtractNewRecordState makes it.",
  ),
  "tombstones.on.delete": boolean().default(true).group("Records").doc(
    "Whether the envelope of a delete is followed by a record of the key with null, for compaction.",
  ),
  "delete.tombstone.handling.mode": choice("tombstone", "rewrite", "rewrite-with-tombstone", "drop")
    .default("tombstone")
    .group("Records").doc(
      "What a delete is without an envelope: null; the old row with __deleted, which all rows then " +
        "have; both; or nothing.",
    ),
  "add.fields": list().default([]).group("Records").doc(
    "Fields of the source that rows without an envelope have too, with two underscores before: op, " +
      "db, schema, table, lsn, txId, ts_ms, snapshot.",
  ).check((names) =>
    names.every((name) => ADDABLE.some((known) => known === name))
      ? null
      : `must be a list of ${ADDABLE.join(", ")}`
  ),
  "skipped.operations": list().default(["t"]).group("Records").doc(
    "Operations that make no record: c (create), u (update), d (delete), t (truncate), none.",
  ).check((names) =>
    names.every((name) => /^([cudt]|none)$/.test(name))
      ? null
      : "must be a list of c, u, d, t, none"
  ),
  "unavailable.value.placeholder": string().default("__debezium_unavailable_value")
    .group("Records").doc(
      "What stands for a large value (TOAST) that an update left as it was, so that the server does " +
        "not send it. REPLICA IDENTITY FULL has it sent.",
    ),
  "decimal.handling.mode": choice("precise", "double", "string").default("precise")
    .group("Types").doc("How numeric and money are given: exactly, as a double, or as text."),
  "time.precision.mode": choice("adaptive", "adaptive_time_microseconds", "connect", "isostring")
    .default("adaptive")
    .group("Types").doc(
      "How date, time and timestamp are given: as numbers in the precision of the column, as " +
        "Connect's types in milliseconds, or as ISO 8601 text.",
    ),
  "binary.handling.mode": choice("bytes", "base64", "base64-url-safe", "hex").default("bytes")
    .group("Types").doc("How bytea is given."),
  "interval.handling.mode": choice("numeric", "string").default("numeric").group("Types").doc(
    "How interval is given: in microseconds, with a month as 30.4375 days, or as P1Y2M3DT4H5M6S.",
  ),
  "hstore.handling.mode": choice("json", "map").default("json").group("Types").doc(
    "How hstore is given: as text of JSON, or as a map.",
  ),
  "money.fraction.digits": int({ min: 0, max: 10 }).default(2).group("Types").doc(
    "How many digits money has behind the point in the server's locale.",
  ),
  "heartbeat.interval.ms": int({ min: 0, max: DAY_MS }).default(0).group("Heartbeat").doc(
    "How often a record is written to the heartbeat topic, which keeps the stored offset young where " +
      "the tables are idle; 0: never. The slot itself moves on without it.",
  ),
  "heartbeat.action.query": string().optional().group("Heartbeat").doc(
    "A statement that is run at each heartbeat, as an UPDATE of a table of its own.",
  ),
  "topic.heartbeat.prefix": string().default("__debezium-heartbeat").group("Heartbeat").doc(
    "What the name of the heartbeat topic begins with; .PREFIX follows.",
  ),
  "max.batch.size": int({ min: 1, max: 1_000_000 }).default(2048).group("Memory").doc(
    "How many records are given on at a time at most.",
  ),
  "max.queue.size": int({ min: 1, max: 10_000_000 }).default(8192).group("Memory").doc(
    "How many changes wait in memory at most; then the server is read no further.",
  ),
  "max.queue.size.in.bytes": long({ min: 1024 }).default(32 * MIB).group("Memory").doc(
    "How many bytes of changes wait in memory; beyond, the server is read no further.",
  ),
} satisfies Record<string, Field<unknown>>;

const ADDABLE = ["op", "db", "schema", "table", "lsn", "txId", "ts_ms", "snapshot"] as const;

export type CaptureConfig = ConfigOf<typeof captureFields>;

/** `message.key.columns` as pairs of a table's pattern and columns. Throws `FieldError`. */
export function keyColumns(text: string): (readonly [table: RegExp, columns: readonly string[]])[] {
  return text.split(";").map((part) => part.trim()).filter(Boolean).map((part) => {
    const at = part.lastIndexOf(":");
    if (at <= 0) throw new FieldError("must be a list as public.orders:id,line;public.users:mail");
    const columns = part.slice(at + 1).split(",").map((name) => name.trim());
    return [new RegExp(`^(?:${part.slice(0, at)})$`), columns] as const;
  });
}
