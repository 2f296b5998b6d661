/** `kstream stream sql` and `pipe` in the built binary: queries that print, and that write topics. */
import { expect, test } from "bun:test";
import { freshDir, KSTREAM, withBroker } from "../harness/broker-process.ts";
import { fails, kstream, ok } from "./cli.ts";

const ORDERS = [
  { id: 1, amount: 60, country: "DE", customer: 7 },
  { id: 2, amount: 120, country: "FR", customer: 8 },
  { id: 3, amount: 180, country: "DE", customer: 7 },
  { id: 4, amount: 240, country: "FR", customer: 9 },
];

/** A broker with customers by their keys, and orders in two partitions, which are of later. */
function withOrders(body: (brokers: string) => Promise<void>): Promise<void> {
  return withBroker(async ({ bootstrap: brokers }) => {
    await ok(["topic", "create", "orders", "-p", "2"], { brokers });
    await ok(["topic", "create", "customers", "-p", "2"], { brokers });
    const lines = (values: readonly unknown[]) =>
      values.map((v) => `${JSON.stringify(v)}\n`).join("");
    const customers = '7\t{"name":"Ada"}\n8\t{"name":"Bob"}\n';
    await ok(["produce", "customers", "-K", "\t"], { brokers, input: customers });
    await ok(["produce", "orders"], { brokers, input: lines(ORDERS) });
    await body(brokers);
  });
}

const parsed = (stdout: string): unknown[] =>
  stdout.trim().split("\n").map((line): unknown => JSON.parse(line));

test("a query prints rows, ends with its limit and leaves nothing behind", async () => {
  await withOrders(async (brokers) => {
    const rows = await ok([
      ...["stream", "sql", "SELECT id, amount * 2 AS twice FROM orders WHERE amount > 100 LIMIT 3"],
      ...["--limit", "5"],
    ], { brokers });
    expect(parsed(rows).sort((a, b) => (a as { id: number }).id - (b as { id: number }).id))
      .toEqual([
        { id: 2, twice: 240 },
        { id: 3, twice: 360 },
        { id: 4, twice: 480 },
      ]);
    // Changes are gathered until a commit: whether there is one in between is not said.
    const groups =
      "SELECT country, sum(amount) AS total FROM orders GROUP BY country HAVING count(*) = 2";
    expect(parsed(await ok(["stream", "sql", groups, "--limit", "2"], { brokers }))).toEqual(
      expect.arrayContaining([{ country: "DE", total: 240 }, { country: "FR", total: 360 }]),
    );
    const one = ["stream", "sql", "SELECT id FROM orders WHERE id = 4 PARTITION BY country"];
    expect(parsed(await ok([...one, "--keys", "--limit", "1"], { brokers }))).toEqual([
      { key: "FR", value: { id: 4 }, timestamp: expect.any(Number) },
    ]);
    const joined =
      "SELECT o.id, c.name FROM orders o JOIN TABLE(customers) c ON o.customer = c.rowkey";
    expect(parsed(await ok(["stream", "sql", joined, "--limit", "3"], { brokers }))).toEqual(
      expect.arrayContaining([{ id: 1, name: "Ada" }, { id: 2, name: "Bob" }, {
        id: 3,
        name: "Ada",
      }]),
    );
    const all = "SELECT c.name, sum(o.amount) AS total FROM orders o " +
      "LEFT JOIN TABLE(customers) c ON o.customer = c.rowkey GROUP BY c.name";
    const totals = parsed(await ok(["stream", "sql", all, "-e"], { brokers })) as object[];
    // Changes come one after the other, so the last of each name is what counts.
    const last = new Map(totals.map((row) => [(row as { name: string }).name, row]));
    expect([...last.values()]).toEqual(expect.arrayContaining([
      { name: "Ada", total: 240 },
      { name: "Bob", total: 120 },
    ]));
    const end = ["--exit-at-end", "--map", "v.id"];
    const piped = await ok(["stream", "pipe", "orders", ...end], { brokers });
    expect(piped.trim().split("\n").sort()).toEqual(["1", "2", "3", "4"]);
    await ok(["topic", "create", "bad", "silent"], { brokers });
    await ok(["produce", "bad"], { brokers, input: "no json\n" });
    const bad = ["stream", "sql", "SELECT a FROM bad", "-e"];
    await fails(
      bad,
      1,
      ["bad-0 offset 0", "no JSON", "deserialization.exception.handler=continue"],
      {
        brokers,
      },
    );
    const mistaken = await kstream(
      ["stream", "sql", "SELECT Amount FROM orders WHERE Amount > 1", "-e"],
      { brokers },
    );
    const hint =
      'kstream: no record of orders so far has a field "Amount": did you mean "amount"?\n';
    expect([mistaken.stdout, mistaken.stderr]).toEqual(["", hint]);
    const without = ["--set", "deserialization.exception.handler=continue"];
    expect(await ok([...bad, ...without], { brokers })).toBe("");
    expect(await ok(["stream", "sql", "SELECT a FROM silent", "-e"], { brokers })).toBe("");
    const topics = await ok(["topic", "list", "--json"], { brokers });
    expect(topics).not.toContain("repartition");
    expect(await ok(["group", "list"], { brokers })).not.toContain("sql");
  });
});

/** Runs a command until something holds, and then ends it in good order. */
async function whileRunning(
  args: readonly string[],
  brokers: string,
  body: () => Promise<void>,
): Promise<void> {
  const cwd = freshDir("one-liner");
  const env = { ...process.env, KSTREAM_BROKERS: brokers, XDG_CONFIG_HOME: cwd };
  const child = Bun.spawn([KSTREAM, ...args], { cwd, env, stdout: "pipe", stderr: "pipe" });
  try {
    await body();
  } finally {
    child.kill("SIGTERM");
    expect([await new Response(child.stderr).text(), await child.exited]).toEqual([
      expect.any(String),
      0,
    ]);
  }
}

test("a query with INTO is an application: exactly once, and it goes on where it was", async () => {
  await withOrders(async (brokers) => {
    const query =
      "INSERT INTO totals SELECT country, sum(amount) AS total FROM orders GROUP BY country";
    const args = ["stream", "sql", query, "--name", "totals-app"];
    const last = async (wanted: string) => {
      const is = `valueText === ${JSON.stringify(wanted)}`;
      await ok(["expect", "totals", "--where", is, "--within", "15s"], { brokers });
    };
    await ok(["topic", "create", "totals"], { brokers });
    await whileRunning(args, brokers, () => last('{"country":"FR","total":360}'));
    await ok(["produce", "orders"], { brokers, input: '{"amount":40,"country":"FR"}\n' });
    await whileRunning(args, brokers, () => last('{"country":"FR","total":400}'));
  });
}, 60_000);

test("a pipe filters, maps and keys", async () => {
  await withOrders(async (brokers) => {
    const pipe = ["stream", "pipe", "orders", "--where", "v.amount > 100", "--map", "v.id"];
    expect((await ok([...pipe, "--limit", "3"], { brokers })).trim().split("\n").sort())
      .toEqual(["2", "3", "4"]);
    await ok(["topic", "create", "ids"], { brokers });
    await whileRunning([...pipe, "--key-by", "v.country", "--to", "ids"], brokers, async () => {
      const read = await ok(["consume", "ids", "-n", "3", "-f", "%k %s\\n"], { brokers });
      expect(read.trim().split("\n").sort()).toEqual(["DE 3", "FR 2", "FR 4"]);
    });
  });
}, 60_000);

test("EXPLAIN shows what a query does; what is wrong is told with its place", async () => {
  const explained = await ok([
    ...["stream", "sql", "--name", "app"],
    "EXPLAIN SELECT country, count(*) AS n FROM orders o WINDOW TUMBLING (1 minute) " +
    "WHERE amount > 100 GROUP BY country EMIT FINAL INTO by_country",
  ]);
  expect(explained).toStartWith(
    "reads   orders as o (stream)\nkeeps   amount > 100\n" +
      "groups  by country, in windows of 1 minute; late ones are left out; " +
      "given when they are over\ngives   country, count(*) as n\nwrites  by_country\n" +
      "makes   app-group-repartition, app-aggregate-changelog\n\nTopologies:",
  );
  const { stderr, exitCode } = await kstream(["stream", "sql", "SELECT uper(a) AS b FROM c"]);
  expect([exitCode, stderr]).toEqual([
    2,
    'kstream: the query cannot be read: there is no function "uper": did you mean "upper"?\n' +
    "  SELECT uper(a) AS b FROM c\n         ^^^^^^^\n",
  ]);
  await fails(["stream", "sql", "SELECT a FROM b INTO c", "--limit", "1"], 2, ["--limit"]);
  await fails(["stream", "sql", "SELECT a FROM b INTO c", "-e"], 2, ["--exit-at-end"]);
  await fails(["stream", "pipe", "a", "b", "--to", "b"], 2, ['"b" is both read and written']);
});
