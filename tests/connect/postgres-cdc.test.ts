/** Rows and changes of a real PostgreSQL, and what records become of them. */
import { expect } from "bun:test";
import { converterOf } from "../../connect/converters/registry.ts";
import type { ConnectValue, SourceRecord } from "../../connect/index.ts";
import { CaptureScene, flat, live, object, said, shown } from "./capture-scene.ts";

const scene = new CaptureScene();

live("rows, then every change of them, in Debezium's envelope", async () => {
  await scene.server.sql(
    `CREATE TABLE ${scene.name}.customers (id int PRIMARY KEY, first_name text NOT NULL, email text)`,
    `INSERT INTO ${scene.name}.customers VALUES (1, 'Anne', 'annek@noanswer.org')`,
  );
  const run = scene.start({ "skipped.operations": "none" });
  await run.take(1);
  await scene.server.sql(
    `INSERT INTO ${scene.name}.customers VALUES (2, 'Sally', NULL)`,
    `UPDATE ${scene.name}.customers SET first_name = 'Anne Marie' WHERE id = 1`,
    `UPDATE ${scene.name}.customers SET id = 3 WHERE id = 2`,
    `DELETE FROM ${scene.name}.customers WHERE id = 1`,
    `TRUNCATE ${scene.name}.customers`,
    `ALTER TABLE ${scene.name}.customers REPLICA IDENTITY FULL`,
    `INSERT INTO ${scene.name}.customers VALUES (4, 'Ed', NULL)`,
    `UPDATE ${scene.name}.customers SET email = 'ed@walker.com'`,
    `DELETE FROM ${scene.name}.customers`,
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
    new Set([`p.${scene.name}.customers`]),
  );
  await run.stop();
});

live("as JSON with schemas it is what Debezium's documentation shows", async () => {
  await scene.server.sql(
    `CREATE TABLE ${scene.name}.customers (id int PRIMARY KEY, first_name text NOT NULL)`,
  );
  const run = scene.start();
  const first = run.take(1);
  await said(run, "changes are read");
  const [row] = await scene.server.sql(
    `INSERT INTO ${scene.name}.customers VALUES (1, 'Anne') RETURNING txid_current() AS txid`,
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
      name: `p.${scene.name}.customers.Key`,
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
    name: `p.${scene.name}.customers.Value`,
    field,
  });
  expect(value).toMatchObject({
    schema: {
      type: "struct",
      name: `p.${scene.name}.customers.Envelope`,
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
        schema: scene.name,
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
  await scene.server.sql(
    `CREATE TYPE ${scene.name}.mood AS ENUM ('sad', 'ok')`,
    `CREATE DOMAIN ${scene.name}.cents AS numeric(10, 2)`,
    `CREATE TABLE ${scene.name}.t (id int PRIMARY KEY, ${columns}, mood ${scene.name}.mood, cents ${scene.name}.cents,
       n numeric, m money, p point)`,
    `INSERT INTO ${scene.name}.t VALUES (1, ${literals}, 'ok', -12.3, 123.456, -1234.5, '(1,2)')`,
    `INSERT INTO ${scene.name}.t (id) VALUES (2)`,
  );
  const run = scene.start(flat);
  await run.take(2);
  await scene.server.sql(`UPDATE ${scene.name}.t SET id = id + 10`);
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
  await scene.server.sql(
    `CREATE TABLE ${scene.name}.t (id int PRIMARY KEY, n numeric(6, 2), ts timestamp, d date, b bytea,
       i interval, e numeric)`,
    `INSERT INTO ${scene.name}.t VALUES (1, 1.50, '2026-02-03 04:05:06.7', '2026-02-03', '\\xff00',
       '1 year -2 days 03:00:04.5', 'NaN')`,
  );
  const of = async (more: Record<string, string>) => {
    const run = scene.start({ ...flat, "snapshot.mode": "initial_only", ...more });
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
    `${scene.name}.t, column e, row id=1: NaN and Infinity are no exact numbers: set decimal.handling.mode`,
  );
});

live(
  "large values that were not changed, rows without an envelope, and deletes of them",
  async () => {
    await scene.server.sql(
      `CREATE TABLE ${scene.name}.t (id int PRIMARY KEY, big text, n int)`,
      `CREATE TABLE ${scene.name}.f (id int PRIMARY KEY, big text, n int)`,
      `ALTER TABLE ${scene.name}.f REPLICA IDENTITY FULL`,
    );
    const run = scene.start({
      ...flat,
      "delete.tombstone.handling.mode": "rewrite-with-tombstone",
      "add.fields": "op,table",
    });
    const taken = run.take(8);
    await said(run, "changes are read");
    const big = `(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) i)`;
    for (const table of ["t", "f"]) {
      await scene.server.sql(
        `INSERT INTO ${scene.name}.${table} VALUES (1, ${big}, 1)`,
        `UPDATE ${scene.name}.${table} SET n = 2`,
        `DELETE FROM ${scene.name}.${table}`,
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
  await scene.server.sql(`CREATE TABLE ${scene.name}.t (id int PRIMARY KEY, a int)`);
  const run = scene.start(flat);
  const taken = run.take(5);
  await said(run, "changes are read");
  await scene.server.sql(
    `INSERT INTO ${scene.name}.t VALUES (1, 1)`,
    `ALTER TABLE ${scene.name}.t ADD b text DEFAULT 'x'`,
    `INSERT INTO ${scene.name}.t VALUES (2, 2)`,
    `ALTER TABLE ${scene.name}.t RENAME a TO aa`,
    `INSERT INTO ${scene.name}.t VALUES (3, 3)`,
    `ALTER TABLE ${scene.name}.t ALTER aa TYPE text USING aa || '!'`,
    `INSERT INTO ${scene.name}.t VALUES (4, '4!')`,
    `ALTER TABLE ${scene.name}.t DROP aa`,
    `INSERT INTO ${scene.name}.t VALUES (5, 'y')`,
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
  await scene.server.sql(
    `CREATE TABLE ${scene.name}.users (id int PRIMARY KEY, mail text, pin text, born date, note text,
       city text)`,
    `CREATE TABLE ${scene.name}.other (id int PRIMARY KEY)`,
    `INSERT INTO ${scene.name}.users VALUES (1, 'a@b', '1234', '2000-01-01', 'x', 'Rome')`,
    `INSERT INTO ${scene.name}.other VALUES (1)`,
  );
  const run = scene.start({
    ...flat,
    "table.include.list": `${scene.name}\\.us.*`,
    "column.exclude.list": `.*\\.note,.*\\.id`,
    "column.mask.with.4.chars": ".*\\.mail,.*\\.born",
    "column.truncate.to.2.chars": ".*\\.city",
    "column.hash.list": ".*\\.pin",
    "column.hash.salt": "s",
    "message.key.columns": `${scene.name}.users:mail,id`,
  });
  await run.take(1);
  await scene.server.sql(
    `INSERT INTO ${scene.name}.other VALUES (2)`,
    `UPDATE ${scene.name}.users SET mail = 'c'`,
  );
  await run.take(1);
  await run.stop();
  const pin = new Bun.CryptoHasher("sha256").update("s1234").digest("hex");
  expect(run.records.map(({ key, value }) => [key, value])).toEqual([
    [{ mail: "****", id: 1 }, { mail: "****", pin, born: null, city: "Ro" }],
    [{ mail: "****", id: 1 }, { mail: "****", pin, born: null, city: "Ro" }],
  ]);
});

live("tables of partitions, and identities that are an index", async () => {
  await scene.server.sql(
    `CREATE TABLE ${scene.name}.events (id int, day date, n int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day)`,
    `CREATE TABLE ${scene.name}.events_1 PARTITION OF ${scene.name}.events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')`,
    `CREATE TABLE ${scene.name}.events_2 PARTITION OF ${scene.name}.events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')`,
    `INSERT INTO ${scene.name}.events VALUES (1, '2026-01-05', 1), (2, '2026-02-05', 1)`,
    `CREATE TABLE ${scene.name}.named (name text NOT NULL UNIQUE, n int)`,
    `INSERT INTO ${scene.name}.named VALUES ('a', 1)`,
  );
  const run = scene.start({ "replica.identity.autoset.values": `.*named:INDEX named_name_key` });
  await run.take(3);
  await scene.server.sql(
    `UPDATE ${scene.name}.events SET n = 2 WHERE id = 2`,
    `UPDATE ${scene.name}.named SET n = 2`,
    `UPDATE ${scene.name}.named SET name = 'b'`,
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
