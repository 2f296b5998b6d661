/** `kstream expect`: what holds, what does not and why, in every form of report. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, startBrokerProcess } from "../harness/broker-process.ts";
import type { BrokerProcess } from "../harness/broker-process.ts";
import { fails, kstream, ok } from "./cli.ts";

let broker: BrokerProcess;
let at: { brokers: string };

const ORDERS = `a\t{"id":1,"status":"paid","seq":1}
a\t{"id":2,"status":"open","seq":2}
b\t{"id":3,"status":"paid","seq":1}
a\t{"id":4,"status":"paid","seq":3}
`;

beforeAll(async () => {
  broker = await startBrokerProcess({ args: ["--memory", "--topic", "orders:3", "--topic", "t"] });
  at = { brokers: broker.bootstrap };
  await ok(["produce", "orders", "--key-delimiter", "\\t"], { ...at, input: ORDERS });
});

afterAll(async () => {
  expect(await broker.stop()).toBe(0);
});

const PAID = ["--where", 'v.status === "paid"'];

test("what is there holds at once", async () => {
  const cases = [
    [],
    ["--count", "4", "--unique", "v.id", "--ordered-by", "v.seq", "--ordered-by", "key"],
    ["--count", "3", ...PAID],
    ["--count", "2..3", ...PAID],
    ["--count", ">=3", ...PAID],
    ["--count-min", "1", "--count-max", "3", ...PAID],
    ["--key", "a", "--count", "3"],
    ["-e", "--count", "0", "--where", "v.id > 4"],
    ["-e", "--none", "v.id > 4"],
    ["--count", "3", "--settle", "100ms", ...PAID],
  ];
  for (const args of cases) {
    const startMs = performance.now();
    expect(await ok(["expect", "orders", ...args], at)).toContain("orders is as expected");
    expect(performance.now() - startMs).toBeLessThan(8000);
  }
});

test("what comes in time holds; what must not come is watched for", async () => {
  const waiting = ok(["expect", "t", "--count", "2"], at);
  const alarm = kstream(["expect", "t", "--none", 'v === "bad"', "--within", "15s"], at);
  await Bun.sleep(500);
  await ok(["produce", "t"], { ...at, input: "x\nbad\n" });
  expect(await waiting).toContain("2 of 2 records match");
  expect(await alarm).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining("it holds for t-0@1"),
  });
  const quiet = ["expect", "t", "--count", "0", "--from", "end", "--within", "300ms"];
  expect(await ok(quiet, at)).toContain("as expected");
});

test("what does not hold is told with what was seen", async () => {
  const cases: [args: string[], words: string[]][] = [
    [["--count", "2", ...PAID], ["3 matched, 2 expected"]],
    [["--count", "5", "--within", "300ms"], ["within 0.3 s", "4 matched, 5 expected"]],
    [["--unique", "v.status"], ["have the same: paid"]],
    [["--ordered-by", "-v.seq", "--key", "a"], ["has -2 after"]],
    [["--ordered-by", "v.nothing"], ["has no number or text there"]],
    [["--none", "v.id === 3"], ["none v.id === 3: it holds for orders-"]],
    [["-e", "--where", "v.id > 4"], ["0 matched, 1 or more expected"]],
  ];
  for (const [args, words] of cases) {
    const finished = await kstream(["expect", "orders", ...args], at);
    expect([args, finished.exitCode]).toEqual([args, 1]);
    for (const word of words) expect(finished.stderr).toContain(word);
  }
  const where = 'v.status === "open" && v.seq === 2 && k === "b"';
  const { stderr } = await kstream(["expect", "orders", "-e", "--where", where], at);
  expect(stderr).toContain(
    'key "a"  value "{\\"id\\":2,\\"status\\":\\"open\\",\\"seq\\":2}"  (2 of 3 conditions hold)',
  );
});

test("reports for machines", async () => {
  const file = join(freshDir("junit"), "out.xml");
  const args = ["expect", "orders", "-e", "--count", "9", "--none", 'k === "<z>"', ...PAID];
  const json = await kstream([...args, "--json", "--junit", file], at);
  expect(json.exitCode).toBe(1);
  expect(JSON.parse(json.stdout)).toMatchObject({
    topic: "orders",
    held: false,
    read: 4,
    matched: 3,
    checks: [{ name: "count 9", held: false, detail: "3 matched, 9 expected" }, { held: true }],
    closest: [{ held: 0, of: 1 }],
  });
  const xml = readFileSync(file, "utf8");
  expect(xml).toContain('tests="2" failures="1" errors="0"');
  expect(xml).toContain('<failure message="3 matched, 9 expected">');
  expect(xml).toContain("none k === &quot;&lt;z&gt;&quot;");
  const tap = await kstream([...args, "--tap"], at);
  expect(tap.stdout).toContain("TAP version 14\n1..2\nnot ok 1 - count 9\n");
  expect(tap.stdout).toContain("\nok 2 - none");
  const lost = await kstream(["expect", "orders", "--within", "300ms", "--junit", file]);
  expect(lost.exitCode).toBe(3);
  expect(readFileSync(file, "utf8")).toContain('errors="1"');
});

test("usage, and no broker", async () => {
  const usage: [args: string[], words: string[]][] = [
    [["--count", "many"], ["--count cannot be read"]],
    [["--count", "3", "--count-min", "1"], ["--count does not go with"]],
    [["--count-min", "3", "--count-max", "1"], ["--count-min is above"]],
    [["--within", "soon"], ["--within"]],
    [["--from", "nowhere"], ["no place in a topic"]],
    [["--tap", "--json"], ["exclude each other"]],
    [["-p", "x"], ["partition"]],
  ];
  for (const [args, words] of usage) await fails(["expect", "orders", ...args], 2, words, at);
  const broken = await kstream(["expect", "orders", "--unique", "v.("], at);
  expect(broken.exitCode).toBe(2);
  await fails(["expect", "orders", "--within", "300ms"], 3, ["no broker answers"]);
  await fails(["expect", "order", "--within", "300ms"], 1, ['did you mean "orders"?'], at);
});
