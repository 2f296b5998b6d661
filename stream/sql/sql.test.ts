import { expect, test } from "bun:test";
import { ExpressionError } from "../../core/expression/expression-error.ts";
import { json, string } from "../serdes/basic-serdes.ts";
import { TestDriver } from "../testing/test-driver.ts";
import { exactJsonText } from "./exact-json.ts";
import { compileQuery, resultKeyText, type ResultRow } from "./compile.ts";
import { NamedFields } from "./named-fields.ts";
import { parseQuery } from "./parse.ts";

type Given = readonly [topic: string, key: string | null, value: unknown, timestampMs?: number];

/** What a query gives for these records: key, value and time of each row. */
async function rowsOf(text: string, given: readonly Given[]) {
  const rows: ResultRow[] = [];
  const query = await parseQuery(text);
  const driver = new TestDriver(compileQuery(query, { look: (row) => void rows.push(row) }));
  for (const [topic, key, value, timestampMs = 0] of given) {
    driver.advance(1000); // windows that are over are looked for once a second
    driver.input(topic, string(), json<unknown>()).write(key, value, timestampMs);
  }
  driver.close();
  return rows.map(({ key, value, timestampMs }) => {
    return [key === null ? null : resultKeyText(key), value, timestampMs] as const;
  });
}

/** What an expression gives for a record. */
async function valueOf(expression: string, value: unknown): Promise<unknown> {
  const [row] = await rowsOf(`SELECT ${expression} AS x FROM t`, [["t", "k", value, 1000]]);
  return (row?.[1] as { readonly x: unknown }).x;
}

async function problemOf(text: string): Promise<string> {
  try {
    compileQuery(await parseQuery(text), { look: () => {} });
  } catch (error) {
    if (error instanceof ExpressionError) return error.render();
    throw error;
  }
  throw new Error(`nothing is wrong with: ${text}`);
}

const RECORD = {
  id: 7,
  total: 120.5,
  paid: true,
  name: "Ada",
  missing: null,
  customer: { name: { first: "Ada", last: "Lovelace" }, tags: ["a", "b"] },
  items: [{ sku: "x", qty: 2 }, { sku: "y", qty: 1 }],
  at: "2026-01-31T10:20:30Z",
  huge: "12345678901234567890",
  ...{ unit: "constructor", proto: "__proto__", partition: "p", window: 3, user: "u" },
};

test.each<readonly [string, unknown]>([
  ["total", 120.5],
  ["t.total", 120.5],
  ["customer.name.first", "Ada"],
  ["t.customer.name.last", "Lovelace"],
  ["items[2].sku", "y"],
  ["items[-1].qty", 1],
  ["items[9].qty", null],
  ["customer->'tags'->0", "a"],
  ["customer->'name'->>'first'", "Ada"],
  ["nothing.at.all", null],
  ["rowkey", "k"],
  ["ROWTIME", 1000],
  ["total * 2 + 1", 242],
  ["id / 2", 3.5],
  ["id % 4", 3],
  ["id / 0", null],
  ["-id", -7],
  ["name + 1", null],
  ["missing + 1", null],
  ["huge::bigint + 1", 12345678901234567891n],
  ["1 = 1.0", true],
  ["id = '7'", true],
  ["name = 7", false],
  ["missing = missing", null],
  ["missing IS NULL", true],
  ["name IS NOT NULL", true],
  ["paid IS TRUE", true],
  ["missing IS NOT TRUE", true],
  ["missing IS DISTINCT FROM 1", true],
  ["missing IS NOT DISTINCT FROM NULL", true],
  ["missing AND false", false],
  ["missing AND true", null],
  ["missing OR true", true],
  ["NOT missing", null],
  ["total BETWEEN 100 AND 200", true],
  ["total NOT BETWEEN 100 AND 200", false],
  ["name IN ('Bob', 'Ada')", true],
  ["name NOT IN ('Bob', NULL)", null],
  ["name LIKE 'A%a'", true],
  ["name LIKE '_d_'", true],
  ["name ILIKE 'ADA'", true],
  ["name NOT LIKE 'B%'", true],
  ["CASE WHEN total > 100 THEN 'large' ELSE 'small' END", "large"],
  ["CASE name WHEN 'Bob' THEN 1 END", null],
  ["CAST(total AS int)", 120],
  ["total::text || '!'", "120.5!"],
  ["'{\"a\":1}'::jsonb -> 'a'", 1],
  ["'no'::jsonb", null],
  ["'TRUE'::boolean", true],
  ["'falsehood'::boolean", null],
  ["upper(name)", "ADA"],
  ["ucase(lcase(name))", "ADA"],
  ["len(name)", 3],
  ["ifnull(missing, 5)", 5],
  ["length(name)", 3],
  ["substring(name from 2 for 1)", "d"],
  ["trim(both 'A' from name)", "da"],
  ["position('d' in name)", 2],
  ["split_part('a-b-c', '-', 2)", "b"],
  ["coalesce(missing, nothing, 5)", 5],
  ["nullif(id, 7)", null],
  ["greatest(1, id, 3)", 7],
  ["round(total / 7, 2)", 17.21],
  ["ceil(total)", 121],
  ["concat(name, '-', missing, id)", "Ada-7"],
  ["cardinality(items)", 2],
  ["array_contains(customer.tags, 'b')", true],
  ["ARRAY[1, id]", [1, 7]],
  ["json_build_object('id', id)", { id: 7 }],
  ["extract(hour from at)", 10],
  ["date_trunc('hour', at)", "2026-01-31T10:00:00.000Z"],
  ["date_trunc('day', rowtime)", 0],
  ["iso(rowtime)", "1970-01-01T00:00:01.000Z"],
  ["epoch_ms(at)", 1769854830000],
  ["'it''s'", "it's"],
  ["items[0].sku", null],
  ["name LIKE 'A\\%'", false],
  ["'50%' LIKE '50\\%'", true],
  ["'a_b' LIKE 'a!_b' ESCAPE '!'", true],
  ["'acb' LIKE 'a!_b' ESCAPE '!'", false],
  ["'x\\y' LIKE 'x\\y' ESCAPE ''", true],
  ["substring(name for 2)", "Ad"],
  ["substring('abc' from 0 for 2)", "a"],
  ["split_part('a-b-c', '-', -1)", "c"],
  ["split_part('a-b-c', '-', 0)", null],
  ["replace(name, '', 'x')", "Ada"],
  ["replace(repeat('a', 1000000), 'a', repeat('b', 1000000))", null],
  ["position('b' in '👍b')", 2],
  ["lpad('👍', 3, 'xy')", "xy👍"],
  ["initcap('hello wORLD')", "Hello World"],
  ["array_join(customer.tags, '-')", "a-b"],
  ["split('a,b', ',')", ["a", "b"]],
  ["trunc(-1.239, 2)", -1.23],
  ["round(1234.5, -2)", 1200],
  ["CAST(1.567 AS decimal(10, 2))", 1.57],
  ["log(2, 8)", 3],
  ["abs('-9007199254740993'::bigint)", 9007199254740993n],
  ["mod(9007199254740993, 10)", 3],
  ["round(9007199254740993)", 9007199254740993n],
  ["floor(9007199254740993)", 9007199254740993n],
  ["18014398509481986 / 2", 9007199254740993n],
  ["1e308 * 10", null],
  ["extract(week from at)", 5],
  ["extract(doy from at)", 31],
  ["date_trunc('week', '2026-01-01')", "2025-12-29T00:00:00.000Z"],
  // Units that are fields, and whatever they have.
  ["date_trunc(unit, at)", null],
  ["date_part(proto, at)", null],
  ["epoch_ms('foo 1')", null],
  ["epoch_ms('2026-01-31 10:20:30+0100')", 1769851230000],
  ["rowtime = '1970-01-01T00:00:01Z'", true],
  ["rowtime BETWEEN '1970-01-01' AND '1970-01-02'", true],
  ["name ~ '^A.a$'", true],
  ["name ~ 'd'", true],
  ["name ~ 'ad'", false],
  ["name ~* 'ad'", true],
  ["name !~ 'x|y'", true],
  ["name !~* 'A'", false],
  ["missing ~ 'x'", null],
  ["regexp_like('a\nb', 'b$')", true],
  ["regexp_extract('(\\w+) (\\w+)', 'hello there', 2)", "there"],
  ["regexp_extract('[a-z]+', 'A long way')", "long"],
  ["regexp_extract('x', name)", null],
  ["t.partition", "p"],
  ["window", 3],
  ["user", "u"],
  ["t.user", "u"],
  ["user.name", null],
])("%s", async (expression, expected) => {
  expect(await valueOf(expression, RECORD)).toEqual(expected);
});

test("what is selected, and where to; records that do not hold are left out", async () => {
  const given: Given[] = [
    ["orders", "a", { id: 1, total: 5, country: "DE" }, 10],
    ["orders", "b", { id: 2, total: 500, country: "FR" }, 20],
    ["orders", "c", null, 30],
  ];
  expect(await rowsOf("SELECT id, total * 2 AS twice FROM orders WHERE total > 100", given))
    .toEqual([["b", { id: 2, twice: 1000 }, 20]]);
  expect(await rowsOf("SELECT * FROM orders o WHERE o.country = 'DE'", given))
    .toEqual([["a", { id: 1, total: 5, country: "DE" }, 10]]);
  expect(await rowsOf("SELECT id FROM orders PARTITION BY country", given))
    .toEqual([["DE", { id: 1 }, 10], ["FR", { id: 2 }, 20]]);
  expect(await rowsOf("SELECT *, upper(country) AS code FROM orders WHERE id = 1", given))
    .toEqual([["a", { id: 1, total: 5, country: "DE", code: "DE" }, 10]]);
});

test("groups are added up, each change is given; what has no group is left out", async () => {
  const text = "SELECT country, count(*) AS n, sum(total) AS sum, avg(total) AS mean, " +
    "count(*) FILTER (WHERE total > 10) AS large, count(DISTINCT who) AS people, max(total) AS most " +
    "FROM orders GROUP BY country HAVING count(*) < 3";
  const rows = await rowsOf(text, [
    ["orders", null, { country: "DE", total: 5, who: "a" }, 10],
    ["orders", null, { country: "DE", total: 15, who: "a" }, 5],
    ["orders", null, { total: 15 }, 5],
    ["orders", null, { country: "DE", total: 1, who: "b" }, 20],
  ]);
  const first = { country: "DE", n: 1, sum: 5, mean: 5, large: 0, people: 1, most: 5 };
  expect(rows).toEqual([
    ["DE", first, 10],
    ["DE", { ...first, n: 2, sum: 20, mean: 10, large: 1, most: 15 }, 10],
    ["DE", null, 20],
  ]);
});

test("groups of several values go by their names; no GROUP BY is one group", async () => {
  const given: Given[] = [["orders", null, { a: 1, b: "x" }], ["orders", null, { a: 1, b: "x" }]];
  expect(await rowsOf("SELECT b, a, count(*) AS n FROM orders GROUP BY a, b", given)).toEqual([
    ['{"a":1,"b":"x"}', { b: "x", a: 1, n: 1 }, 0],
    ['{"a":1,"b":"x"}', { b: "x", a: 1, n: 2 }, 0],
  ]);
  expect((await rowsOf("SELECT count(*) AS n FROM orders", given)).at(-1))
    .toEqual(["all", { n: 2 }, 0]);
});

test("groups by what is selected, by its place or its name; keys of groups that differ do", async () => {
  const given: Given[] = [
    ["users", "7", { name: "Ada", total: 9 }],
    ["orders", "o1", { name: "x", total: 1, user: 7 }],
    ["orders", "o2", { name: "X", total: 2, user: 7 }],
  ];
  const only = given.slice(1);
  const named = "SELECT upper(o.name) AS up, sum(total) AS total FROM orders o GROUP BY";
  const rows: Awaited<ReturnType<typeof rowsOf>> = [["X", { up: "X", total: 1 }, 0], ["X", {
    up: "X",
    total: 3,
  }, 0]];
  expect(await rowsOf(`${named} up HAVING total < 9 AND sum(o.total) > 0`, only)).toEqual(rows);
  expect(await rowsOf(`${named} 1`, only)).toEqual(rows);
  // A field that is selected is meant before a column of its name.
  expect(await rowsOf("SELECT lower(name) AS name, count(*) AS n FROM orders GROUP BY name", only))
    .toEqual([["x", { name: "x", n: 1 }, 0], ["X", { name: "x", n: 1 }, 0]]);
  const joined = "SELECT o.name, u.name AS who, count(*) AS n FROM orders o " +
    "JOIN TABLE(users) u ON o.user = u.rowkey GROUP BY o.name, u.name";
  expect(await rowsOf(joined, given)).toEqual([
    ['{"o.name":"x","u.name":"Ada"}', { name: "x", who: "Ada", n: 1 }, 0],
    ['{"o.name":"X","u.name":"Ada"}', { name: "X", who: "Ada", n: 1 }, 0],
  ]);
  const windows = "SELECT windowstart, count(*) AS n FROM orders WINDOW TUMBLING (1 minute)";
  const early = `${windows} GROUP BY name, windowstart HAVING windowstart < '1970-02-01'`;
  expect((await rowsOf(early, only)).map(([, row]) => row))
    .toEqual(Array(2).fill({ windowstart: 0, n: 1 }));
});

test("DISTINCT gives each row once, whatever its type", async () => {
  const given: Given[] = [1, 2, 1, "1", null, null, 2].map((
    a,
    at,
  ) => ["t", `${at}`, { a, at }, at]);
  expect(await rowsOf("SELECT DISTINCT a FROM t WHERE at > 0", given)).toEqual([
    ['{"a":2}', { a: 2 }, 1],
    ['{"a":1}', { a: 1 }, 2],
    ['{"a":"1"}', { a: "1" }, 3],
    ['{"a":null}', { a: null }, 4],
  ]);
});

test("windows: changes, or what has come of them when they are over", async () => {
  const given: Given[] = [
    ["clicks", "u", {}, 1000],
    ["clicks", "u", {}, 59_000],
    ["clicks", "u", {}, 61_000],
    ["clicks", "u", {}, 30_000],
    ["clicks", "u", {}, 200_000],
  ];
  const tumbling = "SELECT count(*) AS n, windowstart FROM clicks WINDOW TUMBLING (1 minute";
  const window = (start: number, n: number, timeMs: number) =>
    [
      `{"key":"u","windowstart":${start},"windowend":${start + 60_000}}`,
      { n, windowstart: start },
      timeMs,
    ] as const;
  expect(await rowsOf(`${tumbling}) GROUP BY rowkey EMIT CHANGES`, given)).toEqual([
    window(0, 1, 1000),
    window(0, 2, 59_000),
    window(60_000, 1, 61_000),
    window(0, 3, 59_000),
    window(180_000, 1, 200_000),
  ]);
  expect(await rowsOf(`${tumbling}) GROUP BY rowkey EMIT FINAL`, given)).toEqual([
    window(0, 2, 59_000),
    window(60_000, 1, 61_000),
  ]);
  expect(await rowsOf(`${tumbling}, GRACE 30 seconds) GROUP BY rowkey EMIT FINAL`, given)).toEqual([
    window(0, 3, 59_000),
    window(60_000, 1, 61_000),
  ]);
});

test("sessions are brought together by what comes between", async () => {
  const text = "SELECT count(*) AS n, avg(ms) AS mean, array_agg(ms) AS all_of " +
    "FROM clicks WINDOW SESSION (10 seconds) GROUP BY rowkey";
  const rows = await rowsOf(text, [
    ["clicks", "u", { ms: 1 }, 1000],
    ["clicks", "u", { ms: 2 }, 15_000],
    ["clicks", "u", { ms: 6 }, 8000],
  ]);
  expect(rows.at(-1)).toEqual([
    '{"key":"u","windowstart":1000,"windowend":15000}',
    { n: 3, mean: 3, all_of: [1, 2, 6] },
    15_000,
  ]);
});

test("joins keep of records what the query names, and nothing where it is all or none of it", async () => {
  const stored = async (text: string) => {
    const query = await parseQuery(text);
    const topology = compileQuery(query, { look: () => {} });
    const driver = new TestDriver(topology);
    const record = { i: "k", x: { y: 1, z: 2 }, rowtime: 3, other: "o".repeat(100) };
    for (const topic of ["a", "b"]) {
      driver.input(topic, string(), json<unknown>()).write("r", record, 0);
    }
    return ["a", "b"].map((_, at) => {
      const topic = driver.writtenTopics().filter((each) => each.endsWith("-repartition"))[at]!;
      return driver.output(topic, string(), json<unknown[]>()).readOne().value?.[0];
    });
  };
  const from = "FROM a JOIN b WITHIN 1 minute ON a.i = b.i";
  const i = "k";
  expect(
    await stored(`SELECT a.x.y, a.rowkey AS k, upper(b.other) AS o ${from} WHERE a.rowtime > 1`),
  )
    // What is said of the record itself comes with it: its key, its time.
    .toEqual([[{ i, x: { y: 1, z: 2 } }, "r", 0], { i, other: "o".repeat(100) }]);
  expect(await stored(`SELECT count(*) AS n ${from} GROUP BY b.x.z`)).toEqual([
    { i },
    { i, x: { y: 1, z: 2 } },
  ]);
  const [one, two] = await stored(`SELECT a.*, b AS b ${from}`);
  expect([one, two]).toEqual(
    Array(2).fill({ i, x: { y: 1, z: 2 }, rowtime: 3, other: "o".repeat(100) }),
  );
});

test("streams are joined within a time, and with tables by their keys", async () => {
  const given: Given[] = [
    ["customers", "7", { name: "Ada" }, 0],
    ["orders", "o1", { id: 1, customer: { id: 7 } }, 1000],
    ["orders", "o2", { id: 2, customer: { id: 8 } }, 2000],
    ["payments", "p1", { order: 1, cents: 99 }, 3000],
  ];
  const withTable = "SELECT o.id, c.name FROM orders o JOIN TABLE(customers) c " +
    "ON o.customer.id = c.rowkey";
  const payments = given.filter(([topic]) => topic !== "payments");
  expect(await rowsOf(withTable, payments)).toEqual([["7", { id: 1, name: "Ada" }, 1000]]);
  expect(await rowsOf(withTable.replace("JOIN", "LEFT JOIN"), payments)).toEqual([
    ["7", { id: 1, name: "Ada" }, 1000],
    ["8", { id: 2, name: null }, 2000],
  ]);
  const streams = "SELECT o.id, p.cents, c.name FROM orders o " +
    "JOIN payments p WITHIN 10 seconds ON p.order = o.id " +
    "LEFT JOIN TABLE(customers) c ON o.customer.id = c.rowkey";
  expect(await rowsOf(streams, given)).toEqual([["7", { id: 1, cents: 99, name: "Ada" }, 3000]]);
});

test("RIGHT JOIN keeps the rows of the right side, within times as the left one has them", async () => {
  const given: Given[] = [
    ["a", "k", { v: 1 }, 1000],
    ["b", "k", { w: 2 }, 3000],
    ["b", "k", { w: 3 }, 500],
    ["b", "other", { w: 4 }, 90_000],
    ["b", "k", { w: 5 }, 180_000],
  ];
  const streams =
    "SELECT a.v, b.w FROM a RIGHT JOIN b WITHIN (0 seconds, 5 seconds) GRACE 1 minute " +
    "ON a.rowkey = b.rowkey";
  expect(await rowsOf(streams, given)).toEqual([
    ["k", { v: 1, w: 2 }, 3000],
    ["k", { v: null, w: 3 }, 500],
    ["other", { v: null, w: 4 }, 90_000],
  ]);
  const tables = "SELECT a.v, b.w FROM TABLE(a) RIGHT JOIN TABLE(b) ON a.rowkey = b.rowkey";
  expect(await rowsOf(tables, given.slice(0, 4))).toEqual([
    ["k", { v: 1, w: 2 }, 3000],
    ["k", { v: 1, w: 3 }, 1000],
    ["other", { v: null, w: 4 }, 90_000],
  ]);
});

test("rows of joins know the keys and times of what they are made of", async () => {
  const given: Given[] = [
    ["users", "7", { name: "Ada" }, 500],
    ["sites", "o1", { at: "home" }, 600],
    ["orders", "o1", { user: 7 }, 1000],
  ];
  const streams = "SELECT o.rowkey AS o, u.rowkey AS u, o.rowtime AS t, u.rowtime AS ut, s.at " +
    "FROM orders o JOIN TABLE(users) u ON o.user = u.rowkey JOIN TABLE(sites) s ON o.rowkey = s.rowkey";
  expect(await rowsOf(streams, given)).toEqual([
    ["o1", { o: "o1", u: "7", t: 1000, ut: 500, at: "home" }, 1000],
  ]);
  const tables = "SELECT u.rowkey AS u, s.rowkey AS s, rowtime AS t FROM TABLE(users) u " +
    "FULL JOIN TABLE(sites) s ON u.rowkey = s.rowkey WHERE u.rowkey IS NULL OR rowtime < 600";
  expect(await rowsOf(tables, given.slice(0, 2))).toEqual([
    ["7", { u: "7", s: null, t: 500 }, 500],
    ["o1", { u: null, s: "o1", t: 600 }, 600],
  ]);
  // A field that happens to be called so is no key.
  const nested = "SELECT o.user.rowkey AS x, u.name FROM orders o " +
    "JOIN TABLE(users) u ON o.user.rowkey = u.rowkey";
  const order: Given = ["orders", "o2", { user: { rowkey: "7" } }, 2000];
  expect(await rowsOf(nested, [given[0]!, order])).toEqual([["7", { x: "7", name: "Ada" }, 2000]]);
});

test("tables group by the time of their rows, which leaves its group when it changes", async () => {
  const day = 86_400_000;
  const counts = await rowsOf(
    "SELECT date_trunc('day', rowtime) AS day, count(*) AS n FROM TABLE(t) GROUP BY day",
    [["t", "a", {}, 5], ["t", "b", {}, 6], ["t", "a", {}, day]],
  );
  expect(counts.map(([, row]) => row)).toEqual([
    { day: 0, n: 1 },
    { day: 0, n: 2 },
    { day: 0, n: 1 },
    { day, n: 1 },
  ]);
});

test("records that have what no object should", async () => {
  const value = JSON.parse('{"__proto__":{"a":1},"b":2}');
  const [row] = await rowsOf("SELECT *, a, b AS c FROM t", [["t", "k", value]]);
  expect(JSON.stringify(row![1])).toBe('{"__proto__":{"a":1},"b":2,"a":null,"c":2}');
  expect(await rowsOf("SELECT *, 1 AS one FROM t", [["t", "k", "text"]]))
    .toEqual([["k", { one: 1 }, 0]]);
});

test("tables: rows change, and what was added up of them with them", async () => {
  const given: Given[] = [
    ["users", "a", { country: "DE", age: 30 }, 1],
    ["users", "b", { country: "DE", age: 40 }, 2],
    ["users", "a", { country: "FR", age: 30 }, 3],
    ["users", "b", null, 4],
  ];
  const counts = await rowsOf(
    "SELECT country, count(*) AS n FROM TABLE(users) GROUP BY country",
    given,
  );
  expect(counts.filter(([key]) => key === "DE").at(-1)).toEqual(["DE", { country: "DE", n: 0 }, 4]);
  expect(await rowsOf("SELECT age FROM TABLE users WHERE country = 'DE'", given)).toEqual([
    ["a", { age: 30 }, 1],
    ["b", { age: 40 }, 2],
    ["a", null, 3],
    ["b", null, 4],
  ]);
});

test.each<readonly [string, string]>([
  ["SELECT amount + FROM orders", "there is no FROM: which topic is read?"],
  ["SELECT a FROM b WHERE uper(a) = 'x'", 'there is no function "uper": did you mean "upper"?'],
  ["SELECT a FROM b WHERE count(*) > 1", "count(…) is for SELECT and HAVING"],
  ["SELECT a, count(*) FROM b", '"a" is neither grouped by nor in an aggregate'],
  ["SELECT x FROM a JOIN TABLE(b) ON a.i = b.rowkey", "which one is meant: a.x or b.x?"],
  ["SELECT a.x FROM a JOIN b ON a.i = b.i", "two streams are joined WITHIN a time"],
  ["SELECT a.x FROM a JOIN TABLE(b) ON a.i = b.i", "b is joined by its rowkey"],
  ["SELECT a.x FROM a JOIN TABLE(b) ON a.i > b.rowkey", "ON says what is equal"],
  ["SELECT x FROM a WINDOW TUMBLING (1 minute)", "WINDOW adds nothing up"],
  ["SELECT count(*) FROM a EMIT FINAL", "EMIT FINAL is of windows"],
  ["SELECT max(x) FROM TABLE(a)", "max cannot be of a table"],
  ["SELECT windowstart FROM a", "there is no WINDOW, so no windowstart"],
  ["SELECT DISTINCT a FROM TABLE(b)", "no DISTINCT: rows of a table are there once for each key"],
  ["SELECT DISTINCT ON (a) a, b FROM c", "DISTINCT is of all that is selected"],
  ["SELECT a.x, b.x FROM a JOIN TABLE(b) ON a.i = b.rowkey", 'there are two "x"'],
  ["SELECT a FROM b GROUP BY 2", "GROUP BY 2: there is no such column"],
  ["SELECT a FROM b WINDOW TUMBLING (1 minute) WHERE windowend > 1 GROUP BY a", "windowend is of"],
  ["SELECT a FROM b GROUP BY a HAVING rowtime > 1", "rowtime is of records"],
  ["SELECT a FROM b WHERE rowtime > 'monday'", "a time is written '2026-01-31T10:20:30Z'"],
  ["SELECT date_trunc('moment', a) AS x FROM b", "date_trunc knows second, minute"],
  ["SELECT now() AS x FROM b", 'there is no function "now": rowtime is the time of a record'],
  ["SELECT a FROM b WHERE a ~ '(x'", "the regular expression cannot be used: missing closing )"],
  ["SELECT a FROM b WHERE a ~ 'x)(y'", "the regular expression cannot be used: unexpected )"],
  ["SELECT regexp_like(a, c) AS x FROM b", "the pattern of regexp_like is a text in quotes"],
  ["SELECT a FROM b QUALIFY a > 1", "QUALIFY cannot be used"],
  ["SELECT a FROM b TABLESAMPLE BERNOULLI (10)", "TABLESAMPLE cannot be used"],
  ["SELECT a FROM b FOR UPDATE", "FOR UPDATE cannot be used"],
  ["SELECT TOP 5 a FROM b", "TOP cannot be used"],
  ["SELECT first(a) IGNORE NULLS AS x FROM b", "NULL TREATMENT cannot be used"],
  ["SELECT a, count(*) FROM b GROUP BY ROLLUP (a)", "GROUP BY groups by values: no ROLLUP"],
  ["SELECT a FROM (SELECT a FROM b) c", "a topic is expected here: write the inner query INTO one"],
  ["SELECT a FROM b WHERE c IN (SELECT c FROM d)", "a query within a query cannot be used here"],
  [
    "SELECT a FROM b UNION SELECT a FROM c",
    "a query of streams is a single SELECT: two queries may",
  ],
  ["SELECT b.a FROM b RIGHT JOIN TABLE(c) ON b.i = c.rowkey", "a stream and a table are joined"],
  ["INSERT INTO a (b) SELECT c FROM d", "a list of columns cannot be used"],
  ["INSERT INTO a VALUES (1)", "records are written by: kstream produce TOPIC"],
  [
    "SELECT a FROM b WINDOW TUMBLING (1 hour, RETENTION 1 day) GROUP BY a",
    "windows are kept as long as GRACE lets them change",
  ],
  ["SELECT a FROM b ORDER BY a", "a query of streams knows no ORDER BY"],
  ["SELECT a FROM b WINDOW TUMBLING (1 lightyear)", "a unit is expected"],
  ["SELECT a FROM b WINDOW TUMBLING (0 seconds) GROUP BY a", "this is less than a millisecond"],
  ["SELECT a FROM b WINDOW SESSION (0.1 milliseconds) GROUP BY a", "this is less than a millisec"],
  [
    "SELECT a FROM b WINDOW HOPPING (1 day, ADVANCE BY 0 seconds) GROUP BY a",
    "this is less than a millisecond",
  ],
  [
    "SELECT a FROM b WINDOW HOPPING (1 day, ADVANCE BY 1 second) GROUP BY a",
    "each record would be in 86400 windows, at most 10000",
  ],
  ["DELETE FROM a", "a query begins with SELECT or INSERT INTO"],
  ["SELEC a FROM b", "a query begins with SELECT or INSERT INTO"],
  [
    "-- mine\nCREATE STREAM a AS SELECT b FROM c",
    "a query begins with SELECT or INSERT INTO: what",
  ],
  ["show topics", "a query begins with SELECT or INSERT INTO: topics are listed by: kstream topic"],
  ["SELECT a FROM b LIMIT 0", "LIMIT needs a whole number from 1 on"],
  [
    "SELECT a FROM b LIMIT 5 OFFSET 2",
    "LIMIT needs a whole number from 1 on, and there is no OFFSET",
  ],
  ["SELECT a FROM b LIMIT 5 INTO c", "LIMIT is for rows that are printed, without INTO"],
  ["SELECT 'a", "Unterminated string literal"],
  ["SELECT a FROM b; SELECT c FROM d", "there is more than one query"],
  ["", "there is no query"],
])("%s", async (text, problem) => {
  expect(await problemOf(text)).toStartWith(problem);
});

test("what a query writes does not come back to it", async () => {
  const compiled = async (text: string) => {
    const query = await parseQuery(text);
    return () => compileQuery(query, { topic: query.into! });
  };
  const written = "this is also written, and each row would be read again, without end";
  expect(await compiled("SELECT a FROM b INTO b")).toThrow(written);
  expect(await compiled("SELECT a FROM TABLE(b) INTO b")).toThrow(written);
  expect(await compiled("SELECT b.x FROM a JOIN b WITHIN 1 second ON a.i = b.i INTO b"))
    .toThrow(written);
  // A stream that looks up what it has written itself goes on only with its own records.
  expect(await compiled("SELECT b.x FROM a JOIN TABLE(b) ON a.i = b.rowkey INTO b")).not.toThrow();
});

test("whole numbers are exact, however large, through topics and stores as well", async () => {
  const query = await parseQuery(
    "SELECT rowkey AS k, sum(n) AS total, last(o) AS o FROM t GROUP BY rowkey",
  );
  const rows: string[] = [];
  const look = ({ value }: ResultRow) => void rows.push(exactJsonText(value));
  const driver = new TestDriver(compileQuery(query, { look }));
  const input = driver.input("t", string(), string());
  input.write("k", '{"n":9007199254740993,"o":{"id":-12345678901234567890}}');
  input.write("k", '{"n":9007199254740993,"o":[1e300,0.1234567890123456789,"9007199254740993"]}');
  driver.close();
  expect(rows).toEqual([
    '{"k":"k","total":9007199254740993,"o":{"id":-12345678901234567890}}',
    '{"k":"k","total":18014398509481986,"o":[1e+300,0.12345678901234568,"9007199254740993"]}',
  ]);
  const big = "9007199254740993";
  expect(await exactRows("SELECT a.n, b.n AS m FROM a JOIN b WITHIN 1 second ON a.k = b.k", big))
    .toContain(`{"n":${big},"m":${big}}`);
  expect(await exactRows("SELECT a.n, b.n AS m FROM a LEFT JOIN TABLE(b) ON a.k = b.rowkey", big))
    .toContain(`{"n":${big},"m":${big}}`);
  const tables = "FROM TABLE(a) FULL JOIN TABLE(b) ON a.rowkey = b.rowkey";
  expect(await exactRows(`SELECT a.n, b.n AS m ${tables}`, big)).toContain(
    `{"n":${big},"m":${big}}`,
  );
  expect(await exactRows("SELECT n, count(*) AS m FROM TABLE(a) GROUP BY n", big))
    .toContain(`{"n":${big},"m":1}`);
  expect(await valueOf("9007199254740991 + id", RECORD)).toBe(9007199254740998n);
  expect(await valueOf("3000000000 * 3000000001", RECORD)).toBe(9000000003000000000n);
});

/** What a query gives for a record of `b` and one of `a`, with this number. */
async function exactRows(text: string, n: string): Promise<string[]> {
  const rows: string[] = [];
  const look = ({ value }: ResultRow) => void rows.push(exactJsonText(value));
  const query = await parseQuery(text);
  const driver = new TestDriver(compileQuery(query, { look }));
  for (const topic of [...query.joins.map(({ source }) => source.topic), query.from.topic]) {
    driver.input(topic, string(), string()).write("k", `{"k":"k","n":${n}}`);
  }
  driver.close();
  return rows;
}

test("fields that no record has are told, with what they may have been meant to be", async () => {
  const problemsOf = async (text: string, given: readonly Given[]) => {
    const query = await parseQuery(text);
    const fields = new NamedFields(query);
    const topology = compileQuery(query, { look: () => {} });
    fields.watch(topology);
    const driver = new TestDriver(topology);
    for (const [topic, key, value] of given) {
      driver.input(topic, string(), json<unknown>()).write(key, value);
    }
    driver.close();
    return fields.problems();
  };
  const orders: Given[] = [["orders", null, { id: 1, amount: 2 }], ["orders", "k", { by: "a" }]];
  const users: Given[] = [["users", "a", { name: "Ada" }]];
  expect(await problemsOf('SELECT id AS x, by, rowkey FROM orders WHERE "DE" = totl', orders))
    .toEqual([
      `no record of orders so far has a field "DE": a text is written 'DE'`,
      'no record of orders so far has a field "totl": they have id, amount, by',
    ]);
  const joined = "SELECT o.*, u.nam FROM orders o JOIN TABLE(users) u ON o.By = u.rowkey";
  expect(await problemsOf(joined, [...users, ...orders])).toEqual([
    'no record of orders so far has a field "By": did you mean "by"?',
    'no record of users so far has a field "nam": did you mean "name"?',
  ]);
  expect(await problemsOf(joined, [])).toEqual([]);
  expect(await problemsOf("SELECT o.id FROM orders o WHERE amount IS NULL", orders)).toEqual([]);
});

test("what is no JSON is told without any of it", async () => {
  const query = await parseQuery("SELECT a FROM t");
  const driver = new TestDriver(compileQuery(query, { look: () => {} }));
  const input = driver.input("t", string(), string());
  expect(() => input.write("k", "secret words")).toThrow(/^(?!.*secret).*no JSON/);
});

test("the place of a mistake is shown, also behind what SQL does not know", async () => {
  expect(await problemOf("SELECT a FROM my-topic\n  WINDOW SESSION (5 minutes) WHERE flor(a)"))
    .toBe(
      'there is no function "flor": did you mean "floor"?\n' +
        "    WINDOW SESSION (5 minutes) WHERE flor(a)\n" +
        "                                     ^^^^^^^",
    );
});

test("a query's clauses, and where it writes", async () => {
  const query = await parseQuery(
    "INSERT INTO out SELECT a FROM my-topic.v2 t WINDOW HOPPING (SIZE 1 hour, ADVANCE BY 5 minutes)",
  );
  expect(query.into).toBe("out");
  expect(query.from).toMatchObject({ topic: "my-topic.v2", alias: "t", isTable: false });
  expect(query.window).toMatchObject({ kind: "hopping", sizeMs: 3_600_000, advanceMs: 300_000 });
  expect((await parseQuery("SELECT a FROM b LIMIT 5;")).limit).toBe(5);
  expect((await parseQuery("INSERT INTO my-out.v2 SELECT a FROM b")).into).toBe("my-out.v2");
  const called = await parseQuery(
    "SELECT o.emit, within AS into, a AS window FROM window o WINDOW TUMBLING (1 minute) EMIT FINAL",
  );
  expect(called).toMatchObject({ emits: "final", into: null, from: { topic: "window" } });
  const other = await parseQuery('SELECT a FROM "odd topic" EMIT CHANGES INTO out-2.x');
  expect([other.from.topic, other.into]).toEqual(["odd topic", "out-2.x"]);
});

test("carets are below what is meant, also behind characters that take two columns", async () => {
  expect(await problemOf("SELECT '日本👍' AS x, flor(a) FROM b")).toEndWith(
    `  SELECT '日本👍' AS x, flor(a) FROM b\n${" ".repeat(24)}^^^^^^^`,
  );
});
