/** Records into tables of PostgreSQL, MySQL, MariaDB and SQLite. */
import { boolean, choice, defineSink, int, list, string } from "../../index.ts";
import type { ConfigOf, ConfigProblem } from "../../index.ts";
import { connectionFields, probeTarget, targetOf } from "./connection-fields.ts";
import { DIALECTS } from "./dialects.ts";
import { RowWriter } from "./row-writer.ts";
import { SinkOffsets } from "./sink-offsets.ts";

const KAFKA_COLUMNS = 3;

const fields = {
  ...connectionFields,
  "insert.mode": choice("insert", "upsert", "update").default("insert").importance("HIGH").doc(
    "insert adds a row for each record; upsert adds the row of its key or changes it; update only " +
      "changes rows that are there.",
  ),
  "batch.size": int({ min: 1, max: 100_000 }).default(3000).doc(
    "How many records a transaction has at most. It has no more than the sink is given at a time " +
      "(consumer.override.max.poll.records).",
  ),
  "delete.enabled": boolean().default(false).doc(
    "Whether a record without a value deletes the row of its key. It needs pk.mode=record_key.",
  ),
  "delivery.guarantee": choice("exactly-once", "at-least-once").default("exactly-once")
    .importance("HIGH").doc(
      "exactly-once keeps offsets in offsets.table, in the transactions that have the rows: a record " +
        "is written once, whatever dies. at-least-once needs no such table; with insert.mode=insert a " +
        "record may be there twice then, with upsert and update it comes to the same.",
    ),
  "offsets.table": string().default("kstream_offsets").importance("LOW").doc(
    "The table that offsets are kept in, with delivery.guarantee=exactly-once; it is created. Delete " +
      "a connector's rows to have it begin where its consumer group says.",
  ),
  "table.name.format": string().default("${topic}").group("Tables").doc(
    "The name of the table, where ${topic} stands for the topic. What is before the first dot is the " +
      "schema (of MySQL the database).",
  ).example("kafka.${topic}"),
  "pk.mode": choice("none", "kafka", "record_key", "record_value").default("none").group("Tables")
    .importance("HIGH").doc(
      "What the primary key is: none; where the record lies (kafka); the record's key; or fields of " +
        "its value.",
    ),
  "pk.fields": list().default([]).group("Tables").doc(
    "Columns of the primary key. Of record_key and record_value those fields, all if it is empty; of a " +
      "key that is no object the name of its one column; of kafka three names for topic, partition " +
      "and offset.",
  ).example("id"),
  "fields.whitelist": list().default([]).group("Tables").doc(
    "The fields of values that are written, besides the primary key. Empty: all.",
  ),
  "auto.create": boolean().default(false).group("Tables").doc(
    "Whether tables are created that are not there, by the schemas of records or by their values.",
  ),
  "auto.evolve": boolean().default(false).group("Tables").doc(
    "Whether columns are added for fields that have none, and columns of whole numbers widened where " +
      "larger numbers or fractions come and no digit is lost by it.",
  ),
};

export default defineSink({
  name: "sql-sink",
  version: "1.0.0",
  doc:
    "Writes records to tables of PostgreSQL, MySQL, MariaDB or SQLite: inserts, upserts, updates and " +
    "deletions, in transactions. Exactly once with delivery.guarantee=exactly-once, as offsets are in " +
    "the same database; else at least once. Values are objects whose fields are columns; objects and " +
    "arrays in them become JSON. Tables are created and get new columns where that is wanted. " +
    "Envelopes of Debezium are unwrapped.",
  delivery: "exactly-once",
  config: fields,
  example: {
    topics: "orders",
    "connection.url": "postgresql://db.example.com:5432/shop",
    "connection.user": "kstream",
    "connection.password": "${env:DB_PASSWORD}",
    "insert.mode": "upsert",
    "pk.mode": "record_key",
    "pk.fields": "id",
    "delete.enabled": "true",
    "auto.create": "true",
    "auto.evolve": "true",
  },
  check,
  probe: probeTarget,
  open(context) {
    const { config, connector } = context;
    const target = targetOf(config);
    const dialect = DIALECTS[target.dialect];
    const [name, schema = null] = config["offsets.table"].split(".").reverse();
    const offsets = config["delivery.guarantee"] === "exactly-once"
      ? new SinkOffsets(dialect, { schema, name: name! }, connector)
      : null;
    const writer = new RowWriter(writerSettings(config), dialect, offsets, context);
    return {
      assigned: (partitions) => writer.claim(partitions),
      write: (records) => writer.write(records),
      flush: (taken) => writer.flush(taken),
      revoked(partitions) {
        for (const partition of partitions) offsets?.release(partition);
        return Promise.resolve();
      },
      close: () => writer.close(),
    };
  },
});

function writerSettings(config: ConfigOf<typeof fields>) {
  return {
    target: targetOf(config),
    changes: {
      tableFormat: config["table.name.format"],
      pkMode: config["pk.mode"],
      pkFields: config["pk.fields"],
      deletes: config["delete.enabled"],
      whitelist: new Set(config["fields.whitelist"]),
    },
    tables: { creates: config["auto.create"], evolves: config["auto.evolve"] },
    mode: config["insert.mode"],
    batchSize: config["batch.size"],
    zone: config["db.timezone"],
    timeoutMs: config["query.timeout.ms"],
  };
}

function check(config: ConfigOf<typeof fields>): readonly ConfigProblem[] {
  const mode = config["pk.mode"];
  const count = config["pk.fields"].length;
  const problems: ConfigProblem[] = [];
  if (config["insert.mode"] !== "insert" && mode === "none") {
    problems.push({
      field: "pk.mode",
      message: `"pk.mode" must say what the primary key is with insert.mode=${
        config["insert.mode"]
      }`,
    });
  }
  if (config["delete.enabled"] && mode !== "record_key") {
    problems.push({
      field: "delete.enabled",
      message: '"delete.enabled" needs pk.mode=record_key: without a value the key is all there is',
    });
  }
  if (mode === "kafka" && count !== 0 && count !== KAFKA_COLUMNS) {
    problems.push({
      field: "pk.fields",
      message: '"pk.fields" must be three names with pk.mode=kafka: of topic, partition and offset',
    });
  }
  return problems;
}
