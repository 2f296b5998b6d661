/** The sink of SQL against PostgreSQL, MariaDB and a file of SQLite: one story for all. */
import { afterAll, beforeAll, beforeEach, describe, expect } from "bun:test";
import { join } from "node:path";
import sqlSink from "../../connect/connectors/sql/sql-sink.ts";
import {
  arrayOf,
  dateSchema,
  Decimal,
  decimalSchema,
  optional,
  primitive,
  struct,
  timeSchema,
  timestampSchema,
} from "../../connect/index.ts";
import type { ConnectValue, SinkRecord } from "../../connect/index.ts";
import { runSink, sinkRecord, sinkRecords, startSink } from "../../connect/testing/index.ts";
import { readConfig } from "../../connect/testing/task.ts";
import { DATABASES } from "./servers/databases.ts";
import type { TestDatabase } from "./servers/databases.ts";
import { liveTest } from "./servers/live.ts";

const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);
const keyed = (key: ConnectValue, value: ConnectValue, offset: number) =>
  sinkRecord(value, offset, { key });

for (const kind of DATABASES) {
  const missing = await kind.need();
  const live = liveTest(missing);
  describe(kind.name, () => {
    let database: TestDatabase;
    let config: Record<string, string> = {};
    let table = "";
    let tables = 0;
    beforeAll(async () => {
      if (missing === null) database = await kind.start();
    });
    afterAll(() => database?.stop());
    beforeEach(() => {
      table = `t${tables++}`;
      if (missing === null) config = { ...database.config, "table.name.format": table };
    });
    const quoted = (name: string) => kind.name === "mysql" ? `\`${name}\`` : `"${name}"`;
    const rows = (what = "*", order = "id") =>
      database.query(`SELECT ${what} FROM ${quoted(table)} ORDER BY ${order}`);
    const made = { "auto.create": "true", "auto.evolve": "true" };
    const upserts = { "insert.mode": "upsert", "pk.mode": "record_key", "pk.fields": "id" };
    /** Another name for each, as offsets are by name. */
    const named = () => ({ connector: `c-${table}` });

    live("a table is made of schemas, with every type, and holds what was written", async () => {
      const schema = struct({
        id: primitive("int64"),
        small: primitive("int16"),
        flag: primitive("boolean"),
        ratio: primitive("float64"),
        name: optional(primitive("string")),
        bytes: primitive("bytes"),
        price: decimalSchema(4),
        day: dateSchema,
        time: timeSchema,
        at: timestampSchema,
        tags: arrayOf(primitive("string")),
        part: struct({ a: primitive("int64") }),
      });
      const value = {
        ...{ id: 9007199254740993n, small: -5, flag: true, ratio: 0.1, name: 'tëx"t\\😀' },
        ...{ bytes: new Uint8Array([0, 255, 7]), price: new Decimal(-123456789012345678901n, 4) },
        ...{ day: new Date("2024-02-29"), time: new Date("1970-01-01T12:34:56.789Z") },
        ...{ at: new Date("2024-02-29T23:59:59.123Z"), tags: ["a", '"'], part: { a: 1 } },
      };
      const records = [
        sinkRecord(value, 0, { valueSchema: schema }),
        sinkRecord({ ...value, id: 1, name: null }, 1, { valueSchema: schema }),
      ];
      await runSink(
        sqlSink,
        { ...config, ...made, ...{ "pk.mode": "record_value", "pk.fields": "id" } },
        records,
        named(),
      );
      const text = (name: string) =>
        kind.name === "mysql"
          ? `CAST(${name} AS CHAR) AS ${name}`
          : `CAST(${name} AS text) AS ${name}`;
      const what = [
        "id",
        "small",
        "flag",
        "ratio",
        "name",
        "price",
        "day",
        "time",
        "at",
        "tags",
        "part",
      ]
        .map(text).join(", ");
      const [first, second] = await rows(`${what}, bytes`, "name IS NULL");
      expect(first).toMatchObject({
        ...{ id: "9007199254740993", small: "-5", ratio: "0.1", name: 'tëx"t\\😀' },
        ...{ price: "-12345678901234567.8901", day: "2024-02-29", time: "12:34:56.789" },
        at: expect.stringMatching(/^2024-02-29 23:59:59\.123(\+00)?$/),
      });
      expect(["true", "1"]).toContain(String(first!["flag"]));
      expect(JSON.parse(String(first!["tags"]))).toEqual(["a", '"']);
      expect(JSON.parse(String(first!["part"]))).toEqual({ a: 1 });
      expect([...first!["bytes"] as Uint8Array]).toEqual([0, 255, 7]);
      expect(second).toMatchObject({ id: "1", name: null });
    });

    live("a table is made of plain JSON and grows with it; hostile names are names", async () => {
      const hostile = "a\"b`c'; DROP TABLE x; --";
      const sink = await startSink(sqlSink, { ...config, ...made }, named());
      await sink.write(sinkRecords([{ id: 1, a: null, [hostile]: "x" }, { id: 2, n: 1.5 }]));
      await sink.write(sinkRecords([{ id: 3, more: { deep: [1, "2"] }, n: 7 }], { first: 2 }));
      await sink.stop();
      const [one, two, three] = await rows();
      expect(one![hostile]).toBe("x");
      expect(Object.hasOwn(one!, "a")).toBe(false);
      expect([two!["n"], three!["n"]]).toEqual([1.5, 7]);
      const more = three!["more"];
      expect(typeof more === "string" ? JSON.parse(more) : more).toEqual({ deep: [1, "2"] });
      expect(sink.committed()).toEqual({ "test-0": 3n });
    });

    live(
      "without auto.create and auto.evolve nothing is made, and it says what to do",
      async () => {
        const sink = await startSink(sqlSink, config, named());
        await expect(sink.write(sinkRecords([{ id: 1 }]))).rejects.toThrow("auto.create=true");
        await database.query(`CREATE TABLE ${table} (id integer)`);
        await sink.write(sinkRecords([{ id: 1 }, { id: 2, other: "x" }, { id: 3, nil: null }]));
        await sink.stop();
        expect(sink.rejected.map(({ record, error }) => [record.offset, error.message])).toEqual([
          [1n, expect.stringMatching(/field "other" has no column in table .*auto\.evolve=true/)],
        ]);
        expect((await rows("id")).map(({ id }) => Number(id))).toEqual([1, 3]);
      },
    );

    live(
      "the last state of each key counts: upserts, deletions, in one batch and over several",
      async () => {
        const settings = { ...config, ...made, ...upserts, "delete.enabled": "true" };
        const sink = await startSink(sqlSink, settings, named());
        await sink.write([
          keyed(1, { name: "a", n: 1 }, 0),
          keyed(2, { name: "b" }, 1),
          keyed(1, { name: "c" }, 2),
          keyed(2, null, 3),
          keyed(3, { name: "d", n: 3 }, 4),
          keyed(3, null, 5),
          keyed(3, { name: "e" }, 6),
          keyed(4, null, 7),
        ]);
        expect(await rows("id, name, n")).toMatchObject([
          { name: "c", n: expect.anything() },
          { name: "e", n: null },
        ]);
        await sink.write([keyed(1, null, 8), keyed(3, { n: 9 }, 9), keyed(5, { id: 7, n: 5 }, 10)]);
        await sink.stop();
        const left = await rows("id, name, n");
        expect(left.map(({ id, name, n }) => [Number(id), name, Number(n)])).toEqual([
          [3, "e", 9],
          [5, null, 5],
        ]);
      },
    );

    live("update changes only rows that are there; keys of several fields", async () => {
      const keys = { "pk.mode": "record_key", "delete.enabled": "true" };
      const insert = await startSink(sqlSink, { ...config, ...made, ...keys }, named());
      await insert.write([
        keyed({ a: 1, id: "x" }, { v: "1" }, 0),
        keyed({ a: 1, id: "y" }, { v: "2" }, 1),
      ]);
      await insert.stop();
      const update = await startSink(
        sqlSink,
        { ...config, ...keys, "insert.mode": "update" },
        named(),
      );
      await update.write([
        keyed({ a: 1, id: "y" }, { v: "3" }, 2),
        keyed({ a: 9, id: "z" }, { v: "4" }, 3),
        keyed({ a: 1, id: "x" }, null, 4),
      ]);
      await update.stop();
      expect((await rows("a, id, v")).map(({ a, id, v }) => [Number(a), id, v])).toEqual([[
        1,
        "y",
        "3",
      ]]);
    });

    live("one bad record of a batch is rejected alone, with the database's reason", async () => {
      await database.query(
        `CREATE TABLE ${table} (id integer PRIMARY KEY, n integer NOT NULL CHECK (n < 500))`,
      );
      const records = sinkRecords(
        upTo(300).map((n): ConnectValue =>
          n === 7
            ? { id: 6, n }
            : n === 100
            ? { id: n }
            : n === 200
            ? { id: n, n: 1000 }
            : { id: n, n }
        ),
      );
      const sink = await runSink(sqlSink, { ...config, "batch.size": "128" }, records, named());
      expect(sink.rejected.map(({ record }) => record.offset)).toEqual([7n, 100n, 200n]);
      for (const { error } of sink.rejected) expect(error.message).toContain(table);
      expect(sink.rejected[0]!.error.message).toMatch(/duplicate|unique/i);
      expect(await rows("id")).toHaveLength(297);
      expect(sink.committed()).toEqual({ "test-0": 300n });
    });

    live("values that do not fit are refused, not bent", async () => {
      await database.query(
        `CREATE TABLE ${table} (id integer PRIMARY KEY, s varchar(3), n smallint, b ${
          kind.name === "postgresql" ? "bytea" : "blob"
        })`,
      );
      const sink = await runSink(
        sqlSink,
        config,
        sinkRecords([
          { id: 1, s: "abcd" },
          { id: 2, n: 70_000 },
          { id: 3, b: "text" },
          { id: 4, n: { a: 1 } },
          "no object",
          null,
          { id: 5, s: "abc", n: 7 },
        ]),
        named(),
      );
      // SQLite knows no lengths.
      const taken = kind.name === "sqlite" ? [1, 2, 5] : [5];
      expect((await rows("id")).map(({ id }) => Number(id))).toEqual(taken);
      expect(sink.rejected).toHaveLength(7 - taken.length);
    });

    live("envelopes of change data are unwrapped", async () => {
      const source = { table: "x" };
      const settings = { ...config, ...made, ...upserts, "delete.enabled": "true" };
      await runSink(sqlSink, settings, [
        keyed({ id: 1 }, { op: "c", before: null, after: { id: 1, v: "a" }, source }, 0),
        keyed({ id: 2 }, { op: "r", before: null, after: { id: 2, v: "b" }, source }, 1),
        keyed(
          { id: 1 },
          { op: "u", before: { id: 1, v: "a" }, after: { id: 1, v: "c" }, source },
          2,
        ),
        keyed({ id: 2 }, { op: "d", before: { id: 2 }, after: null, source }, 3),
        keyed({ id: 2 }, null, 4),
      ], named());
      expect((await rows("id, v")).map(({ id, v }) => [Number(id), v])).toEqual([[1, "c"]]);
    });

    live("where records lie may be the key, and whitelisted fields alone are written", async () => {
      const settings = { ...config, ...made, "pk.mode": "kafka", "fields.whitelist": "v" };
      await runSink(
        sqlSink,
        settings,
        sinkRecords([{ v: "a", w: 1 }, { v: "b" }], { first: 5 }),
        named(),
      );
      const found = await rows("*", "v");
      expect(found.map((row) => Object.keys(row))).toEqual(
        [0, 1].map(() => ["__connect_topic", "__connect_partition", "__connect_offset", "v"]),
      );
      expect(found.map((row) => Number(row["__connect_offset"]))).toEqual([5, 6]);
    });

    live("times are those of db.timezone where the column says no zone", async () => {
      const type = kind.name === "mysql" ? "datetime(3)" : "timestamp";
      await database.query(`CREATE TABLE ${table} (id integer, at ${type})`);
      const settings = { ...config, "db.timezone": "America/New_York" };
      await runSink(sqlSink, settings, [
        sinkRecord({ id: 1, at: new Date("2024-01-15T12:00:00.5Z") }, 0),
        sinkRecord({ id: 2, at: "2024-07-15T12:00:00.250+02:00" }, 1),
      ], named());
      const cast = kind.name === "mysql" ? "CHAR" : "text";
      const found = await rows(`CAST(at AS ${cast}) AS at`);
      expect(found.map(({ at }) => String(at).replace(/0+$/, ""))).toEqual([
        "2024-01-15 07:00:00.5",
        "2024-07-15 06:00:00.25",
      ]);
    });

    live(
      "exactly once: what is written again after a crash is there once, without a key",
      async () => {
        const settings = { ...config, ...made };
        const records = (from: number, to: number): SinkRecord[] =>
          upTo(to - from).map((i) => sinkRecord({ id: from + i }, from + i));
        const first = await startSink(sqlSink, settings, named());
        await first.write(records(0, 50));
        await first.crash();
        const second = await startSink(sqlSink, settings, named());
        expect(await second.assign([{ topic: "test", partition: 0 }])).toEqual([
          { topic: "test", partition: 0, offset: 50n },
        ]);
        await second.write(records(0, 80));
        await second.stop();
        expect((await rows("id")).map(({ id }) => Number(id))).toEqual(upTo(80));
        expect(second.committed()).toEqual({ "test-0": 80n });
      },
    );

    live("a task that another one has replaced writes nothing any more", async () => {
      const settings = { ...config, ...made };
      const zombie = await startSink(sqlSink, settings, named());
      await zombie.write(sinkRecords([{ id: 0 }]));
      const next = await startSink(sqlSink, settings, named());
      await next.write(sinkRecords([{ id: 0 }, { id: 1 }]));
      const late = zombie.write(sinkRecords([{ id: 1 }, { id: 2 }], { first: 1 }));
      late.catch(() => {});
      while (zombie.retries < 2) await Bun.sleep(5);
      await next.write(sinkRecords([{ id: 2 }], { first: 2 }));
      await zombie.crash();
      await next.stop();
      expect((await rows("id")).map(({ id }) => Number(id))).toEqual([0, 1, 2]);
      await late.catch(() => {});
    });

    live("many tasks make one table at once", async () => {
      const settings = { ...config, ...made, ...upserts };
      await Promise.all(
        upTo(4).map((partition) =>
          runSink(
            sqlSink,
            settings,
            upTo(20).map((n) =>
              sinkRecord({ v: n, [`c${partition}`]: "x" }, n, {
                ...{ partition, key: partition * 100 + n },
                original: { topic: "test", partition, offset: BigInt(n) },
              })
            ),
            named(),
          )
        ),
      );
      expect(await rows("id")).toHaveLength(80);
    });

    live("two fields of one column are refused; keys of other fields are other rows", async () => {
      await database.query(`CREATE TABLE ${table} (id integer, a integer, b integer)`);
      const settings = { ...config, "pk.mode": "record_key" };
      const sink = await runSink(sqlSink, settings, [
        keyed({ id: 1 }, { a: 1, b: 1 }, 0),
        keyed({ id: 2, a: 2 }, { b: 2 }, 1),
        keyed({ id: 3 }, { b: 3, a: 3 }, 2),
        keyed({ id: 4 }, { a: 4, A: 5 }, 3),
      ], named());
      expect((await rows("id, a, b")).map(({ id, a, b }) => [id, a, b].map(Number))).toEqual(
        [1, 2, 3].map((n) => [n, n, n]),
      );
      expect(sink.rejected.map(({ error }) => error.message)).toEqual([
        expect.stringMatching(kind.name === "postgresql" ? /no column/ : /two fields/),
      ]);
    });

    live("offsets are stored behind records that were rejected as well", async () => {
      const settings = { ...config, ...made };
      const first = await runSink(sqlSink, settings, sinkRecords([{ id: 1 }, "no", "no"]), named());
      expect(first.rejected).toHaveLength(2);
      const second = await startSink(sqlSink, settings, named());
      expect(await second.assign([{ topic: "test", partition: 0 }])).toEqual([
        { topic: "test", partition: 0, offset: 3n },
      ]);
      await second.stop();
    });

    live("a worker that is killed leaves each record there once, without a key", async () => {
      const settings = JSON.stringify({ ...config, ...made });
      const start = () =>
        Bun.spawn(["bun", join(import.meta.dir, "sql-sink-process.ts"), settings, "2000"], {
          stdout: "pipe",
          stderr: "inherit",
        });
      for (const batches of [1, 4]) {
        const child = start();
        let lines = "";
        for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
          lines += text;
          if (lines.split("\n").length > batches) break;
        }
        child.kill("SIGKILL");
        await child.exited;
      }
      expect(await start().exited).toBe(0);
      expect((await rows("id")).map(({ id }) => Number(id))).toEqual(upTo(2000));
    }, 30_000);

    live("a table that others change meanwhile is looked at again", async () => {
      await database.query(`CREATE TABLE ${table} (id integer, a integer, b integer)`);
      const sink = await startSink(sqlSink, config, named());
      await sink.write(sinkRecords([{ id: 1, a: 1 }]));
      await database.query(`ALTER TABLE ${table} DROP COLUMN a`);
      await sink.write(
        sinkRecords([{ id: 2, b: 2 }, { id: 3, a: 3 }, { id: 4, b: 4 }], { first: 1 }),
      );
      await sink.stop();
      expect(sink.rejected.map(({ record }) => record.offset)).toEqual([2n]);
      expect((await rows("id")).map(({ id }) => Number(id))).toEqual([1, 2, 4]);
    });

    live("a row that somebody else has locked is waited for, then tried again", async () => {
      const settings = { ...config, ...made, ...upserts, "query.timeout.ms": "150" };
      const sink = await startSink(sqlSink, settings, named());
      await sink.write([keyed(1, { v: "a" }, 0)]);
      const lock = await database.lock(`UPDATE ${quoted(table)} SET v = 'locked'`);
      const writing = sink.write([keyed(1, { v: "b" }, 1)]);
      while (sink.retries < 2) await Bun.sleep(5);
      await lock.release();
      await writing;
      await sink.stop();
      expect(await rows("v")).toEqual([{ v: "b" }]);
    });

    live("at least once keeps no offsets, and upserts come to the same", async () => {
      const settings = {
        ...{ ...config, ...made, ...upserts },
        ...{ "delivery.guarantee": "at-least-once", "offsets.table": "no_such_offsets" },
      };
      const records = upTo(30).map((n) => keyed(n % 10, { v: n }, n));
      const first = await startSink(sqlSink, settings, named());
      await first.write(records.slice(0, 20));
      await first.crash();
      const second = await startSink(sqlSink, settings, named());
      expect(await second.assign([{ topic: "test", partition: 0 }])).toEqual([]);
      await second.write(records);
      await second.stop();
      expect((await rows("v", "v")).map(({ v }) => Number(v))).toEqual(upTo(30).slice(20));
      await expect(database.query("SELECT * FROM no_such_offsets")).rejects.toThrow();
    });

    if (kind.name !== "sqlite") {
      live("a server that is killed holds the sink up; each record is there once", async () => {
        const settings = { ...config, ...made };
        const sink = await startSink(sqlSink, settings, named());
        let offset = 0;
        const batch = () =>
          sinkRecords(upTo(40).map((n) => ({ id: offset + n })), { first: offset });
        for (let round = 0; round < 2; round++) {
          await sink.write(batch());
          offset += 40;
          const down = database.server!.down();
          const writing = sink.write(batch());
          await down;
          const before = sink.retries;
          while (sink.retries === before && round < 1) {
            if (await Promise.race([writing.then(() => true), Bun.sleep(5).then(() => false)])) {
              break;
            }
          }
          await database.server!.up();
          await writing;
          offset += 40;
        }
        await sink.stop();
        expect((await rows("id")).map(({ id }) => Number(id))).toEqual(upTo(offset));
        expect(sink.committed()).toEqual({ "test-0": BigInt(offset) });
      }, 30_000);

      live("tasks that lock each other out are tried again, and each batch is whole", async () => {
        if (kind.name === "postgresql") {
          await database.query("ALTER ROLE CURRENT_USER SET deadlock_timeout = '10ms'");
        }
        const ids = upTo(1000);
        const settings = { ...config, ...made, ...upserts };
        const tasks = await Promise.all(
          [ids, ids.toReversed()].map(async (order, partition) => {
            const sink = await startSink(sqlSink, settings, { ...named(), task: partition });
            return { order, partition, sink, rounds: 0 };
          }),
        );
        const write = async (task: typeof tasks[number]) => {
          const first = ids.length * task.rounds++;
          const by = `${task.partition} in round ${task.rounds}`;
          await task.sink.write(
            task.order.map((id, i) =>
              sinkRecord({ v: by }, first + i, { key: id, partition: task.partition })
            ),
          );
          return by;
        };
        await write(tasks[0]!);
        const isDone = () => tasks.some(({ sink, rounds }) => sink.retries > 0 || rounds === 300);
        const last = await Promise.all(tasks.map(async (task) => {
          let by = await write(task);
          while (!isDone()) by = await write(task);
          return by;
        }));
        for (const { sink } of tasks) await sink.stop();
        expect(tasks.reduce((sum, { sink }) => sum + sink.retries, 0)).toBeGreaterThan(0);
        expect(tasks.flatMap(({ sink }) => sink.rejected)).toEqual([]);
        const found = await rows("id, v");
        expect(found.map(({ id }) => Number(id))).toEqual(ids);
        const states = [...new Set(found.map(({ v }) => String(v)))];
        expect(states).toHaveLength(1);
        expect(last).toContain(states[0]!);
        for (const { partition, rounds, sink } of tasks) {
          expect(sink.committed()[`test-${partition}`]).toBe(BigInt(rounds * ids.length));
        }
      });

      live("a wrong password is said, without the password", async () => {
        const wrong = { ...config, "connection.password": "wr0ng" };
        const { config: parsed } = readConfig(sqlSink, wrong);
        const probed = sqlSink.probe!(parsed, new AbortController().signal, {});
        await expect(probed).rejects.toThrow(/password authentication failed|Access denied/);
        const sink = await startSink(sqlSink, wrong, named());
        await expect(sink.write(sinkRecords([{ id: 1 }]))).rejects.toThrow(/denied|failed/);
        await sink.crash();
        expect(sink.log.join("\n")).not.toContain("wr0ng");
      });
    }
  });
}
