/** The source of SQL against PostgreSQL, MariaDB and a file of SQLite. */
import { afterAll, beforeAll, beforeEach, describe, expect } from "bun:test";
import sqlSink from "../../connect/connectors/sql/sql-sink.ts";
import sqlSource from "../../connect/connectors/sql/sql-source.ts";
import { Decimal, fieldOf, isObject } from "../../connect/index.ts";
import { runSink, sinkRecord, startSource, taskConfigs } from "../../connect/testing/index.ts";
import type { SourceRun } from "../../connect/testing/index.ts";
import { DATABASES } from "./servers/databases.ts";
import type { TestDatabase } from "./servers/databases.ts";
import { liveTest } from "./servers/live.ts";

const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);
const numbers = (run: SourceRun, name = "id") =>
  run.values().map((value) => isObject(value) ? Number(fieldOf(value, name)) : NaN);

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
      table = `s${tables++}`;
      if (missing !== null) return;
      const pace = { "poll.interval.ms": "10", "batch.max.rows": "7" };
      config = { ...database.config, ...pace, "table.whitelist": table, "topic.prefix": "shop-" };
    });
    const insert = (ids: readonly number[], more = "") =>
      database.query(
        `INSERT INTO ${table} VALUES ${ids.map((id) => `(${id}, ${id % 3}${more})`).join(", ")}`,
      );
    const incrementing = { mode: "incrementing", "incrementing.column.name": "id" };
    const time =
      { postgresql: "timestamptz(6)", mysql: "datetime(6)", sqlite: "DATETIME" }[kind.name];

    live("incrementing: each row once, across pages, new rows and restarts", async () => {
      await database.query(`CREATE TABLE ${table} (id bigint PRIMARY KEY, v integer)`);
      await insert(upTo(20));
      const first = startSource(sqlSource, { ...config, ...incrementing });
      await first.take(20);
      await insert([20, 21]);
      await first.take(2);
      expect(numbers(first)).toEqual(upTo(22));
      expect(first.records.every(({ topic }) => topic === `shop-${table}`)).toBe(true);
      await first.commit(10);
      await first.stop();
      await insert([30]);
      const second = startSource(sqlSource, { ...config, ...incrementing }, {
        offsets: first.offsets,
      });
      await second.take(13);
      await second.stop();
      expect(numbers(second)).toEqual([...upTo(22).slice(10), 30]);
    });

    live("numbers beyond what doubles hold are cursors too", async () => {
      await database.query(`CREATE TABLE ${table} (id bigint PRIMARY KEY, v integer)`);
      const big = 9007199254740993n;
      await database.query(
        `INSERT INTO ${table} VALUES (${big}, 1), (${big + 1n}, 2), (${big + 2n}, 3)`,
      );
      const page = { ...config, ...incrementing, "batch.max.rows": "1" };
      const first = startSource(sqlSource, page);
      await first.take(2);
      await first.commit();
      await first.stop();
      const second = startSource(sqlSource, page, { offsets: first.offsets });
      await second.take(1);
      await second.stop();
      expect([...first.values(), ...second.values()]).toEqual(
        [1, 2, 3].map((v, i) => ({ id: big + BigInt(i), v })),
      );
    });

    live("timestamp: changed rows come again, rows of one time in full", async () => {
      await database.query(`CREATE TABLE ${table} (id bigint PRIMARY KEY, v integer, at ${time})`);
      const mode = { mode: "timestamp", "timestamp.column.name": "at" };
      await insert(upTo(40), ", '2024-01-01 00:00:00.123456'");
      await insert([50, 51], ", '2024-01-01 00:00:00.123457'");
      const first = startSource(sqlSource, { ...config, ...mode });
      await first.take(42);
      expect(numbers(first).sort((a, b) => a - b)).toEqual([...upTo(40), 50, 51]);
      await database.query(`UPDATE ${table} SET v = 9, at = '2024-01-02 00:00:00' WHERE id = 3`);
      expect(await first.take(1)).toMatchObject([{ value: { id: 3, v: 9 } }]);
      // In the middle of those of one time all of these come again.
      await first.commit(20);
      await first.stop();
      const again = startSource(sqlSource, { ...config, ...mode }, { offsets: first.offsets });
      await again.take(42);
      await again.commit();
      await again.stop();
      expect(numbers(again).filter((id) => id < 50)).toHaveLength(40);
      await insert([60], ", '2024-01-03 00:00:00'");
      const last = startSource(sqlSource, { ...config, ...mode }, { offsets: again.offsets });
      await last.take(1);
      await last.stop();
      expect(numbers(last)).toEqual([60]);
    });

    live(
      "timestamp: behind each batch, as transactions have it, none is missing or twice",
      async () => {
        await database.query(
          `CREATE TABLE ${table} (id bigint PRIMARY KEY, v integer, at ${time})`,
        );
        const mode = { mode: "timestamp", "timestamp.column.name": "at" };
        for (const [second, ids] of [[1, upTo(5)], [2, [5]], [3, upTo(26).slice(6)]] as const) {
          await insert(ids, `, '2024-01-01 00:00:0${second}'`);
        }
        let run = startSource(sqlSource, { ...config, ...mode });
        const seen: number[] = [];
        while (seen.length < 26) {
          await run.next();
          await run.commit();
          await run.stop();
          seen.push(...numbers(run));
          run = startSource(sqlSource, { ...config, ...mode }, { offsets: run.offsets });
        }
        await run.stop();
        expect(seen.sort((a, b) => a - b)).toEqual(upTo(26));
      },
    );

    live(
      "timestamp+incrementing: rows of one time are told apart; what is too young waits",
      async () => {
        await database.query(
          `CREATE TABLE ${table} (id bigint PRIMARY KEY, v integer, at ${time})`,
        );
        await insert(upTo(30), ", '2024-01-01 00:00:00.5'");
        await insert([99], ", '2999-01-01 00:00:00'");
        const mode = {
          mode: "timestamp+incrementing",
          "timestamp.column.name": "at",
          "incrementing.column.name": "id",
        };
        const first = startSource(sqlSource, { ...config, ...mode });
        await first.take(30);
        await first.commit(17);
        await first.stop();
        const second = startSource(sqlSource, { ...config, ...mode }, { offsets: first.offsets });
        await second.take(13);
        await insert([31], ", '2024-01-01 00:00:01'");
        await second.take(1);
        await second.stop();
        expect(numbers(second)).toEqual([...upTo(30).slice(17), 31]);
      },
    );

    live("bulk: all rows each time, with a key of several columns and without one", async () => {
      await database.query(`CREATE TABLE ${table} (id integer, v integer, PRIMARY KEY (v, id))`);
      await insert(upTo(16));
      const keyed = startSource(sqlSource, { ...config, mode: "bulk" });
      await keyed.take(32);
      await keyed.stop();
      expect(numbers(keyed).slice(0, 16).sort((a, b) => a - b)).toEqual(upTo(16));
      expect(numbers(keyed).slice(16, 32).sort((a, b) => a - b)).toEqual(upTo(16));
      await database.query(`CREATE TABLE ${table}b AS SELECT * FROM ${table}`);
      const plain = startSource(sqlSource, {
        ...config,
        mode: "bulk",
        "table.whitelist": `${table}b`,
      });
      await plain.take(16);
      await plain.stop();
      expect(numbers(plain).sort((a, b) => a - b)).toEqual(upTo(16));
    });

    live("a query is read as a table is", async () => {
      await database.query(`CREATE TABLE ${table} (id bigint PRIMARY KEY, v integer)`);
      await insert(upTo(10));
      const { "table.whitelist": _none, ...rest } = config;
      const query = `SELECT id, v + 1 AS w FROM ${table} WHERE v = 1;`;
      const run = startSource(sqlSource, { ...rest, ...incrementing, query, "topic.prefix": "q" });
      await run.take(3);
      await run.stop();
      expect(run.records.map(({ topic, value, valueSchema }) => ({ topic, value, valueSchema })))
        .toEqual(
          [1, 4, 7].map((id) => ({ topic: "q", value: { id, w: 2 }, valueSchema: null })),
        );
    });

    live("what the source reads of a table the sink writes again, with its types", async () => {
      const types = {
        postgresql:
          "id bigint PRIMARY KEY, s smallint, n numeric(30,5), free numeric, f real, d double " +
          "precision, b boolean, t text, x bytea, j jsonb, day date, clock time, local timestamp, " +
          "moment timestamptz, u uuid, list integer[]",
        mysql:
          "id bigint PRIMARY KEY, s smallint, n decimal(30,5), ub bigint unsigned, f float, d double, " +
          "b boolean, t longtext, x longblob, j json, day date, clock time(3), local datetime(6), " +
          "moment timestamp(6), e enum('a','b'), bits bit(12)",
        sqlite: "id bigint PRIMARY KEY, d double, b boolean, t text, x blob, day date",
      }[kind.name];
      const values = {
        postgresql:
          `1, -5, 1234567890123456789.12345, 0.1234567890123456789, 1.5, 0.1, true, 'ü', ` +
          `'\\x00ff', '{"a": [1, 2]}', '2024-02-29', '12:34:56.789', '2024-02-29 23:59:59.123', ` +
          `'2024-02-29 23:59:59.123+01', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{1,NULL,3}'`,
        mysql:
          `1, -5, 1234567890123456789.12345, 18446744073709551615, 1.5, 0.1, true, 'ü', x'00ff', ` +
          `'{"a": [1, 2]}', '2024-02-29', '12:34:56.789', '2024-02-29 23:59:59.123', ` +
          `'2024-02-29 22:59:59.123', 'b', b'101'`,
        sqlite: `1, 0.1, true, 'ü', x'00ff', '2024-02-29'`,
      }[kind.name];
      await database.query(`CREATE TABLE ${table} (${types})`);
      await database.query(`INSERT INTO ${table} VALUES (${values})`);
      await database.query(`INSERT INTO ${table} (id) VALUES (2)`);
      const run = startSource(sqlSource, { ...config, ...incrementing });
      await run.take(2);
      await run.stop();
      expect(run.records[0]!.value).toMatchObject({ id: 1, d: 0.1, b: true, t: "ü" });
      if (kind.name !== "sqlite") {
        expect(run.records[0]!.value).toMatchObject({
          ...{ s: -5, n: new Decimal(123456789012345678912345n, 5), f: 1.5 },
          ...{ day: new Date("2024-02-29"), clock: new Date("1970-01-01T12:34:56.789Z") },
          local: new Date("2024-02-29T23:59:59.123Z"),
          moment: new Date("2024-02-29T22:59:59.123Z"),
        });
      }
      await database.query(`CREATE TABLE ${table}c (${types})`);
      const written = await runSink(
        sqlSink,
        { ...database.config, "table.name.format": `${table}c` },
        run.records.map(({ value, valueSchema }, i) => sinkRecord(value, i, { valueSchema })),
        { connector: table },
      );
      expect(written.rejected.map(({ error }) => error.message)).toEqual([]);
      const all = (name: string) => database.query(`SELECT * FROM ${name} ORDER BY id`);
      expect(await all(`${table}c`)).toEqual(await all(table));
    });

    live(
      "a column that comes later is read; its own tables are listed and shared out",
      async () => {
        await database.query(`CREATE TABLE ${table} (id bigint PRIMARY KEY, v integer)`);
        await insert([1]);
        const run = startSource(sqlSource, { ...config, ...incrementing });
        await run.take(1);
        await database.query(`ALTER TABLE ${table} ADD COLUMN w varchar(10) DEFAULT 'x'`);
        await database.query(`INSERT INTO ${table} VALUES (2, 5, 'new')`);
        expect((await run.take(1))[0]!.value).toEqual({ id: 2, v: 5, w: "new" });
        await run.stop();
        const { "table.whitelist": _none, ...rest } = config;
        const shares = await taskConfigs(sqlSource, { ...rest, ...incrementing }, 2);
        const named = shares.map((share) => share["table.whitelist"]!.split(","));
        expect(named).toHaveLength(2);
        expect(named.flat()).toContain(table);
      },
    );

    live("a missing column is said", async () => {
      await database.query(`CREATE TABLE ${table} (a integer)`);
      const run = startSource(sqlSource, { ...config, ...incrementing });
      await expect(run.next()).rejects.toThrow(/has no column "id"/);
      await run.stop();
    });

    if (kind.name !== "sqlite") {
      live(
        "a server that is killed is said to be away, and rows come once it is back",
        async () => {
          await database.query(`CREATE TABLE ${table} (id bigint PRIMARY KEY, v integer)`);
          await insert(upTo(10));
          const first = startSource(sqlSource, { ...config, ...incrementing });
          await first.take(10);
          await first.commit();
          await database.server!.down();
          await expect(first.take(1)).rejects.toThrow(/127\.0\.0\.1/);
          await first.stop();
          await database.server!.up();
          await insert([10]);
          const second = startSource(sqlSource, { ...config, ...incrementing }, {
            offsets: first.offsets,
          });
          await second.take(1);
          await second.stop();
          expect(numbers(second)).toEqual([10]);
        },
      );
    }
  });
}
