/** Changes of a real PostgreSQL, record by record. */
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import source from "../../connect/connectors/postgres-cdc-source/postgres-cdc-source.ts";
import { parseConfig } from "../../connect/config/parse.ts";
import { converterOf } from "../../connect/converters/registry.ts";
import { fieldOf, isObject, RetriableError } from "../../connect/index.ts";
import type { ConnectObject, ConnectValue, SourceRecord } from "../../connect/index.ts";
import { startSource, TestOffsets } from "../../connect/testing/index.ts";
import { TestTask } from "../../connect/testing/task.ts";
import type { SourceRun } from "../../connect/testing/index.ts";
import { TestAuthority } from "../harness/certificates.ts";
import { needPostgres, PostgresServer } from "./servers/postgres.ts";

const missing = await needPostgres();
if (missing !== null && process.env["CI"] !== undefined) throw new Error(missing);
const live = missing === null ? test : test.skip;

let server: PostgresServer;
beforeAll(async () => {
  if (missing !== null) return;
  server = await PostgresServer.start({
    synchronous_commit: "off",
    max_replication_slots: "30",
    max_wal_senders: "30",
  });
});
afterAll(() => server?.stop());

/** Each test has a schema, a slot and a publication of its own. */
let name = "";
let count = 0;
let config: Record<string, string> = {};
beforeEach(async () => {
  name = `s${count++}`;
  if (missing !== null) return;
  await server.sql(`CREATE SCHEMA ${name}`);
  config = {
    ...server.captureConfig,
    "topic.prefix": "p",
    "slot.name": name,
    "publication.name": name,
    "schema.include.list": name,
    "status.update.interval.ms": "100",
  };
});

const start = (more: Record<string, string> = {}, offsets = new TestOffsets()): SourceRun =>
  startSource(source, { ...config, ...more }, { offsets });
const flat = { envelope: "none" };

function object(value: ConnectValue | undefined): ConnectObject {
  if (value === undefined || !isObject(value)) throw new Error("this is no object");
  return value;
}

/** A record by its operation, with before and after: `u {"id":1} {"id":1}`. */
function shown({ key, value }: SourceRecord): string {
  const json = (part: ConnectValue) =>
    JSON.stringify(
      part,
      (_name, inner: unknown) => typeof inner === "bigint" ? String(inner) : inner,
    );
  if (value === null) return `tombstone ${json(key)}`;
  const { op, before, after } = object(value);
  return `${String(op)} ${json(before ?? null)} ${json(after ?? null)}`;
}

/** Waits for what the source logs. */
async function said(run: SourceRun, text: string): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!run.log.some((line) => line.includes(text))) {
    if (performance.now() > deadline) throw new Error(`never said "${text}"`);
    await Bun.sleep(5);
  }
}

live("rows, then every change of them, in Debezium's envelope", async () => {
  await server.sql(
    `CREATE TABLE ${name}.customers (id int PRIMARY KEY, first_name text NOT NULL, email text)`,
    `INSERT INTO ${name}.customers VALUES (1, 'Anne', 'annek@noanswer.org')`,
  );
  const run = start({ "skipped.operations": "none" });
  await run.take(1);
  await server.sql(
    `INSERT INTO ${name}.customers VALUES (2, 'Sally', NULL)`,
    `UPDATE ${name}.customers SET first_name = 'Anne Marie' WHERE id = 1`,
    `UPDATE ${name}.customers SET id = 3 WHERE id = 2`,
    `DELETE FROM ${name}.customers WHERE id = 1`,
    `TRUNCATE ${name}.customers`,
    `ALTER TABLE ${name}.customers REPLICA IDENTITY FULL`,
    `INSERT INTO ${name}.customers VALUES (4, 'Ed', NULL)`,
    `UPDATE ${name}.customers SET email = 'ed@walker.com'`,
    `DELETE FROM ${name}.customers`,
  );
  await run.take(12);
  expect(run.records.map(shown)).toEqual([
    'r null {"id":1,"first_name":"Anne","email":"annek@noanswer.org"}',
    'c null {"id":2,"first_name":"Sally","email":null}',
    'u null {"id":1,"first_name":"Anne Marie","email":"annek@noanswer.org"}',
    'd {"id":2,"first_name":null,"email":null} null',
    'tombstone {"id":2}',
    'c null {"id":3,"first_name":"Sally","email":null}',
    'd {"id":1,"first_name":null,"email":null} null',
    'tombstone {"id":1}',
    "t null null",
    'c null {"id":4,"first_name":"Ed","email":null}',
    'u {"id":4,"first_name":"Ed","email":null} {"id":4,"first_name":"Ed","email":"ed@walker.com"}',
    'd {"id":4,"first_name":"Ed","email":"ed@walker.com"} null',
    'tombstone {"id":4}',
  ]);
  expect(new Set(run.records.map(({ topic }) => topic))).toEqual(
    new Set([`p.${name}.customers`]),
  );
  await run.stop();
});

live("as JSON with schemas it is what Debezium's documentation shows", async () => {
  await server.sql(`CREATE TABLE ${name}.customers (id int PRIMARY KEY, first_name text NOT NULL)`);
  const run = start();
  const first = run.take(1);
  await said(run, "changes are read");
  const [row] = await server.sql(
    `INSERT INTO ${name}.customers VALUES (1, 'Anne') RETURNING txid_current() AS txid`,
  );
  const [record] = await first;
  await run.stop();
  const converter = converterOf({
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
  }, "value.converter");
  const json = (schema: SourceRecord["valueSchema"], value: ConnectValue): unknown =>
    JSON.parse(new TextDecoder().decode(converter.toBytes("t", schema, value) ?? new Uint8Array()));
  expect(json(record!.keySchema, record!.key)).toEqual({
    schema: {
      type: "struct",
      name: `p.${name}.customers.Key`,
      optional: false,
      fields: [{ field: "id", optional: false, type: "int32" }],
    },
    payload: { id: 1 },
  });
  const value = json(record!.valueSchema, record!.value);
  const rowSchema = (field: string) => ({
    type: "struct",
    fields: [
      { type: "int32", optional: false, field: "id" },
      { type: "string", optional: field === "before", field: "first_name" },
    ],
    optional: true,
    name: `p.${name}.customers.Value`,
    field,
  });
  expect(value).toMatchObject({
    schema: {
      type: "struct",
      name: `p.${name}.customers.Envelope`,
      fields: [
        rowSchema("before"),
        rowSchema("after"),
        { field: "source", name: "io.debezium.connector.postgresql.Source", optional: false },
        { field: "transaction", optional: true },
        { field: "op", type: "string", optional: false },
        { field: "ts_ms", type: "int64", optional: true },
        { field: "ts_us", type: "int64", optional: true },
        { field: "ts_ns", type: "int64", optional: true },
      ],
    },
    payload: {
      before: null,
      after: { id: 1, first_name: "Anne" },
      source: {
        connector: "postgresql",
        name: "p",
        snapshot: "false",
        db: "shop",
        schema: name,
        table: "customers",
        txId: Number(row!["txid"]),
        xmin: null,
      },
      transaction: null,
      op: "c",
    },
  });
});

const TYPES: readonly (readonly [type: string, literal: string, value: ConnectValue])[] = [
  ["boolean", "true", true],
  ["smallint", "-32768", -32768],
  ["integer", "2147483647", 2147483647],
  ["bigint", "9223372036854775807", 9223372036854775807n],
  ["real", "1.5", 1.5],
  ["double precision", "0.1", 0.1],
  ["text", "'höhe \"1\"\n'", 'höhe "1"\n'],
  ["varchar(10)", "'abc'", "abc"],
  ["char(5)", "'abc'", "abc  "],
  ["bytea", "'\\xdeadbeef'", Uint8Array.of(0xde, 0xad, 0xbe, 0xef)],
  ["bit(1)", "B'1'", true],
  ["bit(9)", "B'100000011'", Uint8Array.of(3, 1)],
  ["date", "'2026-02-03'", 20487],
  ["date", "'0044-03-15 BC'", -735_160],
  ["time", "'04:05:06.789012'", 14_706_789_012],
  ["time(3)", "'04:05:06.789'", 14_706_789],
  ["timetz", "'04:05:06.5+02'", "02:05:06.5Z"],
  ["timestamp", "'2026-02-03 04:05:06.789012'", 1_770_091_506_789_012],
  ["timestamp(3)", "'2026-02-03 04:05:06.789'", 1_770_091_506_789],
  ["timestamp", "'infinity'", 9_223_372_036_825_200_000n],
  ["timestamptz", "'2026-02-03 04:05:06.789+02'", "2026-02-03T02:05:06.789Z"],
  ["interval", "'1 mon 1 day 00:00:01'", 2_716_201_000_000],
  ["uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
  ["json", `'{"a": 1}'`, '{"a": 1}'],
  ["jsonb", `'{"b":2,"a":1}'`, '{"a": 1, "b": 2}'],
  ["xml", "'<a/>'", "<a/>"],
  ["inet", "'10.0.0.1/8'", "10.0.0.1/8"],
  ["cidr", "'10.0.0.0/8'", "10.0.0.0/8"],
  ["macaddr", "'08:00:2b:01:02:03'", "08:00:2b:01:02:03"],
  ["int4range", "'[1,5)'", "[1,5)"],
  ["integer[]", "'{1,NULL,3}'", [1, null, 3]],
  ["text[]", `'{"a,b","c\\"d",NULL,"NULL"}'`, ["a,b", 'c"d', null, "NULL"]],
  ["timestamptz[]", "'{2026-02-03 04:05:06+00}'", ["2026-02-03T04:05:06Z"]],
];

live("values of all types, alike in the snapshot and in the stream", async () => {
  const columns = TYPES.map(([type], i) => `c${i} ${type}`).join(", ");
  const literals = TYPES.map(([, literal]) => literal).join(", ");
  await server.sql(
    `CREATE TYPE ${name}.mood AS ENUM ('sad', 'ok')`,
    `CREATE DOMAIN ${name}.cents AS numeric(10, 2)`,
    `CREATE TABLE ${name}.t (id int PRIMARY KEY, ${columns}, mood ${name}.mood, cents ${name}.cents,
       n numeric, m money, p point)`,
    `INSERT INTO ${name}.t VALUES (1, ${literals}, 'ok', -12.3, 123.456, -1234.5, '(1,2)')`,
    `INSERT INTO ${name}.t (id) VALUES (2)`,
  );
  const run = start(flat);
  await run.take(2);
  await server.sql(`UPDATE ${name}.t SET id = id + 10`);
  await run.take(4);
  await run.stop();
  const [first, second, , third, , fourth] = run.records.map(({ value }) => value);
  const expected = Object.fromEntries(TYPES.map(([, , value], i) => [`c${i}`, value]));
  for (const value of [first!, third!]) {
    const { id, mood, cents, n, m, p, ...rest } = object(value);
    expect(rest).toEqual(expected);
    expect([mood, String(cents), String(m)]).toEqual(["ok", "-12.30", "-1234.50"]);
    expect(n).toEqual({ scale: 3, value: Uint8Array.of(1, 0xe2, 0x40) });
    expect(object(p)["y"]).toBe(2);
    expect([1, 11]).toContain(Number(id));
  }
  for (const value of [second!, fourth!]) {
    const { id: _, ...rest } = object(value);
    expect(new Set(Object.values(rest))).toEqual(new Set([null]));
  }
});

live("numbers, times and bytes in the other ways that can be chosen", async () => {
  await server.sql(
    `CREATE TABLE ${name}.t (id int PRIMARY KEY, n numeric(6, 2), ts timestamp, d date, b bytea,
       i interval, e numeric)`,
    `INSERT INTO ${name}.t VALUES (1, 1.50, '2026-02-03 04:05:06.7', '2026-02-03', '\\xff00',
       '1 year -2 days 03:00:04.5', 'NaN')`,
  );
  const of = async (more: Record<string, string>) => {
    const run = start({ ...flat, "snapshot.mode": "initial_only", ...more });
    await run.take(1);
    expect(await run.next()).toBeNull();
    await run.stop();
    return object(run.records[0]!.value);
  };
  expect(
    await of({
      "decimal.handling.mode": "string",
      "time.precision.mode": "isostring",
      "binary.handling.mode": "base64",
      "interval.handling.mode": "string",
    }),
  ).toEqual({
    id: 1,
    n: "1.50",
    ts: "2026-02-03T04:05:06.7Z",
    d: "2026-02-03Z",
    b: "/wA=",
    i: "P1Y0M-2DT3H0M4.5S",
    e: "NaN",
  });
  expect(
    await of({
      "decimal.handling.mode": "double",
      "time.precision.mode": "connect",
      "binary.handling.mode": "hex",
    }),
  ).toMatchObject({ n: 1.5, ts: new Date("2026-02-03T04:05:06.7Z"), b: "ff00", e: NaN });
  await expect(of({})).rejects.toThrow(
    `${name}.t, column e, row id=1: NaN and Infinity are no exact numbers: set decimal.handling.mode`,
  );
});

live(
  "large values that were not changed, rows without an envelope, and deletes of them",
  async () => {
    await server.sql(
      `CREATE TABLE ${name}.t (id int PRIMARY KEY, big text, n int)`,
      `CREATE TABLE ${name}.f (id int PRIMARY KEY, big text, n int)`,
      `ALTER TABLE ${name}.f REPLICA IDENTITY FULL`,
    );
    const run = start({
      ...flat,
      "delete.tombstone.handling.mode": "rewrite-with-tombstone",
      "add.fields": "op,table",
    });
    const taken = run.take(8);
    await said(run, "changes are read");
    const big = `(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) i)`;
    for (const table of ["t", "f"]) {
      await server.sql(
        `INSERT INTO ${name}.${table} VALUES (1, ${big}, 1)`,
        `UPDATE ${name}.${table} SET n = 2`,
        `DELETE FROM ${name}.${table}`,
      );
    }
    await taken;
    await run.stop();
    const values = run.records.map(({ value }) => value === null ? null : object(value));
    const short = (value: ConnectValue | undefined) =>
      typeof value === "string" && value.length > 100 ? value.length : value;
    expect(values.map((value) => value === null ? null : Object.values(value).map(short))).toEqual([
      [1, 32000, 1, "false", "c", "t"],
      [1, "__debezium_unavailable_value", 2, "false", "u", "t"],
      [1, null, null, "true", "d", "t"],
      null,
      [1, 32000, 1, "false", "c", "f"],
      [1, 32000, 2, "false", "u", "f"],
      [1, 32000, 2, "true", "d", "f"],
      null,
    ]);
    expect(Object.keys(values[0]!)).toEqual(["id", "big", "n", "__deleted", "__op", "__table"]);
  },
);

live("columns added, renamed, retyped and dropped in the middle", async () => {
  await server.sql(`CREATE TABLE ${name}.t (id int PRIMARY KEY, a int)`);
  const run = start(flat);
  const taken = run.take(5);
  await said(run, "changes are read");
  await server.sql(
    `INSERT INTO ${name}.t VALUES (1, 1)`,
    `ALTER TABLE ${name}.t ADD b text DEFAULT 'x'`,
    `INSERT INTO ${name}.t VALUES (2, 2)`,
    `ALTER TABLE ${name}.t RENAME a TO aa`,
    `INSERT INTO ${name}.t VALUES (3, 3)`,
    `ALTER TABLE ${name}.t ALTER aa TYPE text USING aa || '!'`,
    `INSERT INTO ${name}.t VALUES (4, '4!')`,
    `ALTER TABLE ${name}.t DROP aa`,
    `INSERT INTO ${name}.t VALUES (5, 'y')`,
  );
  await taken;
  await run.stop();
  expect(run.values()).toEqual([
    { id: 1, a: 1 },
    { id: 2, a: 2, b: "x" },
    { id: 3, aa: 3, b: "x" },
    { id: 4, aa: "4!", b: "x" },
    { id: 5, b: "y" },
  ]);
});

live("tables and columns that are left out, hidden, or keys", async () => {
  await server.sql(
    `CREATE TABLE ${name}.users (id int PRIMARY KEY, mail text, pin text, born date, note text,
       city text)`,
    `CREATE TABLE ${name}.other (id int PRIMARY KEY)`,
    `INSERT INTO ${name}.users VALUES (1, 'a@b', '1234', '2000-01-01', 'x', 'Rome')`,
    `INSERT INTO ${name}.other VALUES (1)`,
  );
  const run = start({
    ...flat,
    "table.include.list": `${name}\\.us.*`,
    "column.exclude.list": `.*\\.note,.*\\.id`,
    "column.mask.with.4.chars": ".*\\.mail,.*\\.born",
    "column.truncate.to.2.chars": ".*\\.city",
    "column.hash.list": ".*\\.pin",
    "column.hash.salt": "s",
    "message.key.columns": `${name}.users:mail,id`,
  });
  await run.take(1);
  await server.sql(`INSERT INTO ${name}.other VALUES (2)`, `UPDATE ${name}.users SET mail = 'c'`);
  await run.take(1);
  await run.stop();
  const pin = new Bun.CryptoHasher("sha256").update("s1234").digest("hex");
  expect(run.records.map(({ key, value }) => [key, value])).toEqual([
    [{ mail: "****", id: 1 }, { mail: "****", pin, born: null, city: "Ro" }],
    [{ mail: "****", id: 1 }, { mail: "****", pin, born: null, city: "Ro" }],
  ]);
});

/** What a row has gone through: `[version, …]` by key, from records that were read. */
function versions(records: readonly SourceRecord[]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const { key, value } of records) {
    if (value === null) continue;
    const id = String(fieldOf(object(key), "id"));
    const list = found.get(id) ?? [];
    found.set(id, list);
    list.push(Number(fieldOf(object(value), "v")));
  }
  return found;
}

/** Nothing is lost, doubled or out of order: each row begins anywhere and goes on one by one. */
function expectEachOnce(
  records: readonly SourceRecord[],
  final: number | Map<string, number>,
): void {
  for (const [id, list] of versions(records)) {
    const last = typeof final === "number" ? final : final.get(id) ?? NaN;
    const first = list[0]!;
    expect([id, list]).toEqual([id, Array.from({ length: last - first + 1 }, (_, i) => first + i)]);
  }
}

const counters = async () => {
  const rows = await server.sql(`SELECT id, v FROM ${name}.t`);
  return new Map(rows.map((row) => [String(row["id"]), Number(row["v"])]));
};

live("a snapshot while writes go on: each version of each row once", async () => {
  await server.sql(
    `CREATE TABLE ${name}.t (id int PRIMARY KEY, v int)`,
    `INSERT INTO ${name}.t SELECT i, 0 FROM generate_series(1, 2000) i`,
  );
  let isOver = false;
  const writing = (async () => {
    const client = server.client();
    for (let i = 0; !isOver; i = (i + 37) % 2000) {
      await client.unsafe(`UPDATE ${name}.t SET v = v + 1 WHERE id BETWEEN ${i} AND ${i + 50}`);
    }
    await client.close();
  })();
  const run = start({ ...flat, "snapshot.fetch.size": "100" });
  await run.take(6000);
  isOver = true;
  await writing;
  const final = await counters();
  const total = [...final.values()].reduce((sum, v) => sum + v, 0);
  const reached = (records: readonly SourceRecord[]) =>
    [...versions(records).values()].reduce((sum, list) => sum + list.at(-1)!, 0) >= total;
  await run.take(reached);
  await run.stop();
  expect(versions(run.records).size).toBe(2000);
  expectEachOnce(run.records, final);
});

live("a snapshot that is interrupted goes on, and nothing is there twice", async () => {
  // Keys whose order is the server's affair: of two columns, one of them text in a collation.
  await server.sql(
    `CREATE TABLE ${name}.t (part text COLLATE "und-x-icu", id text, v int, PRIMARY KEY (part, id))`,
    `CREATE TABLE ${name}.z (id text PRIMARY KEY, v int)`,
    `INSERT INTO ${name}.t SELECT chr(97 + i % 3) || 'ä', 'Row ' || i, 0 FROM generate_series(1, 150) i`,
    `INSERT INTO ${name}.z SELECT 'z' || i, 0 FROM generate_series(1, 50) i`,
  );
  const all: SourceRecord[] = [];
  const offsets = new TestOffsets();
  const bump = [`UPDATE ${name}.t SET v = v + 1`, `UPDATE ${name}.z SET v = v + 1`];
  const more = { ...flat, "snapshot.fetch.size": "20", "max.batch.size": "50" };
  for (let life = 0; life < 4; life++) {
    const run = start(more, offsets);
    await run.take(45);
    // The last batch was given on, but is not safe: it comes again.
    const safe = run.records.length - run.batches.at(-1)!;
    await run.commit(safe);
    all.push(...run.records.slice(0, safe));
    await run.stop();
    await server.sql(...bump);
    if (life === 1) {
      await server.sql(
        `INSERT INTO ${name}.t SELECT p || 'ä', 'New', 2 FROM unnest('{a,b,c}'::text[]) p`,
      );
    }
  }
  const last = start(more, offsets);
  await last.take((records) => {
    const found = versions([...all, ...records]);
    return found.size === 201 &&
      [...found].every(([id, list]) => id === "New" ? list.length >= 9 : list.at(-1) === 4);
  });
  await last.stop();
  all.push(...last.records);
  const isNew = ({ key }: SourceRecord) => fieldOf(object(key), "id") === "New";
  expectEachOnce(all.filter((record) => !isNew(record)), 4);
  for (const part of ["aä", "bä", "cä"]) {
    const of = all.filter((r) => isNew(r) && fieldOf(object(r.key), "part") === part);
    expectEachOnce(of, 4);
    expect(of.length).toBeGreaterThan(0);
  }
});

live("a large transaction is cut anywhere and goes on there", async () => {
  await server.sql(`CREATE TABLE ${name}.t (id int PRIMARY KEY, v int)`);
  const offsets = new TestOffsets();
  const more = { ...flat, "max.batch.size": "300", "max.queue.size": "500" };
  const first = start(more, offsets);
  const begun = first.take(1);
  await said(first, "changes are read");
  await server.sql(
    `INSERT INTO ${name}.t SELECT i, 0 FROM generate_series(1, 10000) i`,
    `INSERT INTO ${name}.t SELECT i, 0 FROM generate_series(10001, 10010) i`,
  );
  await begun;
  const ids: number[] = [];
  const idsOf = (records: readonly SourceRecord[]) =>
    records.map(({ value }) => Number(fieldOf(object(value), "id")));
  for (let run = first;; run = start(more, offsets)) {
    await run.take(Math.min(1700, 10_010 - ids.length - run.records.length));
    const isLast = ids.length + run.records.length === 10_010;
    const safe = run.records.length - (isLast ? 0 : run.batches.at(-1)!);
    await run.commit(safe);
    ids.push(...idsOf(run.records.slice(0, safe)));
    await run.stop();
    if (isLast) break;
  }
  expect(ids).toEqual(Array.from({ length: 10_010 }, (_, i) => i + 1));
});

live("the slot moves on with what is safe alone, and without changes of its tables", async () => {
  await server.sql(
    `CREATE TABLE ${name}.t (id int PRIMARY KEY)`,
    `CREATE TABLE public.busy (x int)`,
  );
  const lsns = async () => {
    const [row] = await server.sql(
      `SELECT (confirmed_flush_lsn - '0/0')::text AS flushed, (pg_current_wal_lsn() - '0/0')::text AS now
       FROM pg_replication_slots WHERE slot_name = '${name}'`,
    );
    return { flushed: BigInt(String(row!["flushed"])), now: BigInt(String(row!["now"])) };
  };
  const run = start({ ...flat, "heartbeat.interval.ms": "150" });
  const first = run.take((records) => records.some(({ topic }) => topic === `p.${name}.t`));
  await said(run, "changes are read");
  const [commit] = await server.sql(
    "SET synchronous_commit = on",
    `INSERT INTO ${name}.t VALUES (1)`,
    "SELECT (pg_current_wal_lsn() - '0/0')::text AS lsn",
  );
  await first;
  await server.sql(`INSERT INTO public.busy SELECT generate_series(1, 1000)`);
  await run.take(2);
  // Given on, but not safe.
  expect((await lsns()).flushed).toBeLessThan(BigInt(String(commit!["lsn"])));
  const { now } = await lsns();
  await run.take(3);
  await run.commit();
  while ((await lsns()).flushed < now) {
    await run.take(1);
    await run.commit();
  }
  const beat = run.records.at(-1)!;
  expect([beat.topic, beat.key]).toEqual(["__debezium-heartbeat.p", { serverName: "p" }]);
  expect(run.gauges.get("slot-lag-bytes")).toBeGreaterThanOrEqual(0);
  await run.stop();
  await server.sql("DROP TABLE public.busy");
});

live("kill -9 of the server: the source says so, and goes on where it was", async () => {
  await server.sql(
    `CREATE TABLE ${name}.t (id int PRIMARY KEY, v int)`,
    `SET synchronous_commit = on`,
  );
  const offsets = new TestOffsets();
  const first = start(flat, offsets);
  const taken = first.take(1000);
  await said(first, "changes are read");
  await server.sql(
    "SET synchronous_commit = on",
    `INSERT INTO ${name}.t SELECT i, 0 FROM generate_series(1, 1000) i`,
  );
  await taken;
  await first.commit();
  const failed = first.next().then(() => null, (error: unknown) => error);
  await server.down();
  expect(await failed).toBeInstanceOf(RetriableError);
  await first.stop();
  const away = start(flat, offsets);
  await expect(away.next()).rejects.toThrow("ECONNREFUSED");
  await away.stop();
  await server.up();
  await server.sql(`UPDATE ${name}.t SET v = 1`);
  const second = start(flat, offsets);
  await second.take(1000);
  await second.stop();
  expectEachOnce([...first.records, ...second.records], 1);
});

live("a slot that somebody has dropped is said, or made up for by a new snapshot", async () => {
  await server.sql(
    `CREATE TABLE ${name}.t (id int PRIMARY KEY)`,
    `INSERT INTO ${name}.t VALUES (1)`,
  );
  const offsets = new TestOffsets();
  const first = start(flat, offsets);
  await first.take(1);
  await first.commit();
  await first.stop();
  await dropSlot();
  await server.sql(`INSERT INTO ${name}.t VALUES (2)`);
  const second = start(flat, offsets);
  await expect(second.next()).rejects.toThrow(
    new RegExp(`slot "${name}" is gone, and with it changes since .*snapshot.mode=when_needed`),
  );
  await second.stop();
  const third = start({ ...flat, "snapshot.mode": "when_needed" }, offsets);
  await third.take(2);
  await third.stop();
  expect(third.values()).toEqual([{ id: 1 }, { id: 2 }]);
});

/** Drops the slot once nobody uses it. */
async function dropSlot(): Promise<void> {
  const statement = `SELECT pg_drop_replication_slot('${name}')`;
  while (!await server.sql(statement).then(() => true, () => false)) await Bun.sleep(10);
}

live("a slot that keeps too much is dropped where that is wished", async () => {
  await server.sql(`CREATE TABLE ${name}.t (id int PRIMARY KEY, x text)`);
  const run = start({
    ...flat,
    "slot.lag.max.bytes": "300000",
    "slot.lag.action": "drop-slot",
    "max.queue.size": "10",
  });
  const failed = run.take(10_000).then(() => "", (error: Error) => error.message);
  await said(run, "changes are read");
  await server.sql(
    `INSERT INTO ${name}.t SELECT i, repeat('x', 1000) FROM generate_series(1, 2000) i`,
  );
  // Nothing is committed, so the slot keeps it.
  expect(await failed).toContain("so it was dropped: a new snapshot is needed");
  await said(run, "the slot was dropped");
  const slots = await server.sql(
    `SELECT FROM pg_replication_slots WHERE slot_name = '${name}'`,
  );
  expect(slots).toEqual([]);
  await run.stop();
});

live("tables of partitions, and identities that are an index", async () => {
  await server.sql(
    `CREATE TABLE ${name}.events (id int, day date, n int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day)`,
    `CREATE TABLE ${name}.events_1 PARTITION OF ${name}.events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')`,
    `CREATE TABLE ${name}.events_2 PARTITION OF ${name}.events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')`,
    `INSERT INTO ${name}.events VALUES (1, '2026-01-05', 1), (2, '2026-02-05', 1)`,
    `CREATE TABLE ${name}.named (name text NOT NULL UNIQUE, n int)`,
    `INSERT INTO ${name}.named VALUES ('a', 1)`,
  );
  const run = start({ "replica.identity.autoset.values": `.*named:INDEX named_name_key` });
  await run.take(3);
  await server.sql(
    `UPDATE ${name}.events SET n = 2 WHERE id = 2`,
    `UPDATE ${name}.named SET n = 2`,
    `UPDATE ${name}.named SET name = 'b'`,
  );
  await run.take(5);
  await run.stop();
  expect(run.records.map((record) => [record.topic.split(".").at(-1)!, shown(record)])).toEqual([
    ["events", 'r null {"id":1,"day":20458,"n":1}'],
    ["events", 'r null {"id":2,"day":20489,"n":1}'],
    ["named", 'r null {"name":"a","n":1}'],
    ["events", 'u null {"id":2,"day":20489,"n":2}'],
    ["named", 'u null {"name":"a","n":2}'],
    ["named", 'd {"name":"a","n":null} null'],
    ["named", 'tombstone {"name":"a"}'],
    ["named", 'c null {"name":"b","n":2}'],
  ]);
});

live("TLS: an authority that is known, a name that is right, and else a word", async () => {
  const authority = new TestAuthority();
  const { cert, key } = authority.sign("db", { names: "DNS:localhost" });
  const folder = mkdtempSync(join(tmpdir(), "kstream-pg-tls-"));
  const files = { ssl_cert_file: join(folder, "cert.pem"), ssl_key_file: join(folder, "key.pem") };
  writeFileSync(files.ssl_cert_file, cert);
  writeFileSync(files.ssl_key_file, key, { mode: 0o600 });
  if (process.getuid?.() === 0) {
    for (const path of [folder, ...Object.values(files)]) chownSync(path, 65534, 65534);
  }
  await server.sql(
    ...Object.entries(files).map(([setting, path]) => `ALTER SYSTEM SET ${setting} = '${path}'`),
    "ALTER SYSTEM SET ssl = on",
    `CREATE TABLE ${name}.t (id int PRIMARY KEY)`,
    `INSERT INTO ${name}.t VALUES (1)`,
    "SELECT pg_reload_conf()",
  );
  while ((await server.sql("SHOW ssl"))[0]!["ssl"] !== "on") await Bun.sleep(10);
  const attempt = async (more: Record<string, string>) => {
    const run = start({ ...flat, ...more });
    const said = await run.take(1).then(
      () =>
        server.sql(
          "SELECT bool_and(ssl) AS ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) " +
            "WHERE application_name LIKE 'kstream%'",
        ).then(([row]) => row!["ssl"] === true ? "TLS" : "plain"),
      (error: Error) => error.message,
    );
    await run.stop();
    return said;
  };
  const ca = { "database.sslrootcert": authority.caFile };
  const full = { "database.sslmode": "verify-full", ...ca };
  try {
    expect(await attempt({ "database.sslmode": "prefer" })).toBe("TLS");
    expect(await attempt({ ...full, "database.hostname": "localhost" })).toBe("TLS");
    expect(await attempt({ ...ca, "database.sslmode": "verify-ca" })).toBe("TLS");
    expect(await attempt({ "database.sslmode": "disable" })).toBe("plain");
    expect(await attempt(full)).toMatch(/altnames|does not match/);
    expect(await attempt({ "database.sslmode": "verify-full", "database.hostname": "localhost" }))
      .toMatch(/certificate/);
  } finally {
    await server.sql("ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()");
    rmSync(folder, { recursive: true });
    authority.dispose();
  }
});

live("what cannot work is said before, without the password", async () => {
  const probe = async (more: Record<string, string>) => {
    const parsed = parseConfig(source.config, { ...config, ...more });
    return await source.probe!(parsed, AbortSignal.timeout(10_000), {}).then(
      () => "well",
      (error: Error) => error.message,
    );
  };
  expect(await probe({})).toContain("has no table that is included");
  await server.sql(
    `CREATE TABLE ${name}.keyless (id int)`,
    "CREATE ROLE guest LOGIN PASSWORD 'guest-pw'",
    `GRANT USAGE ON SCHEMA ${name} TO guest`,
  );
  const guest = { "database.user": "guest", "database.password": "guest-pw" };
  expect(await probe(guest)).toContain("the role may not read");
  await server.sql(`GRANT SELECT ON ${name}.keyless TO guest`);
  expect(await probe(guest)).toContain("role guest may not replicate");
  const wrong = await probe({ "database.password": "wr0ng" });
  expect(wrong).toContain("password authentication failed");
  expect(wrong).not.toContain("wr0ng");
  expect(await probe({ "database.sslmode": "require" })).toContain("does not support SSL");
  expect(await probe({})).toContain(`${name}.keyless cannot be published`);
  const keyless = start();
  await expect(keyless.next()).rejects.toThrow(`${name}.keyless cannot be published`);
  await keyless.stop();
  const full = start({ "replica.identity.autoset.values": ".*keyless:FULL" });
  const taken = full.take(2);
  await said(full, "changes are read");
  await server.sql(
    `INSERT INTO ${name}.keyless VALUES (1)`,
    `UPDATE ${name}.keyless SET id = 2`,
  );
  expect((await taken).map(shown)).toEqual(['c null {"id":1}', 'u {"id":1} {"id":2}']);
  expect(full.records[0]?.key).toBeNull();
  await full.stop();
});

live("who only looks what would be read makes nothing on the server", async () => {
  await server.sql(
    `CREATE TABLE ${name}.t (id int PRIMARY KEY)`,
    `INSERT INTO ${name}.t VALUES (1)`,
  );
  const parsed = parseConfig(source.config, { ...config, ...flat });
  const { context } = new TestTask({ config: parsed, dynamic: {} }, {});
  const offsets = new TestOffsets();
  const nothing = () => {};
  const read = source.read({
    ...context,
    config: parsed,
    isDryRun: true,
    offsets,
    onCommitted: nothing,
    onAcknowledged: nothing,
  });
  const found: ConnectValue[] = [];
  for await (const batch of read) found.push(...batch.map(({ value }) => value));
  expect(found).toEqual([{ id: 1 }]);
  const left = await server.sql(
    `SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE '${name}%'
     UNION SELECT pubname FROM pg_publication WHERE pubname = '${name}'`,
  );
  expect(left).toEqual([]);
});
