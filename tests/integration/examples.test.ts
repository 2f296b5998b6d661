/** The applications in `examples/`: their own tests, and each on a broker, over its data, by one command. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parquetReadObjects } from "hyparquet";
import { freshDir, KSTREAM } from "../harness/broker-process.ts";
import { run, runOk } from "../harness/process.ts";

const EXAMPLES = join(import.meta.dir, "../../examples");
const names = readdirSync(EXAMPLES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

interface Written {
  readonly key: string;
  readonly value: Record<string, unknown>;
}

/** Runs an example until it has written so many such records; gives those, and its folder. */
async function written(name: string, where: string, count: number) {
  const data = freshDir(`example-${name}`);
  const { stdout } = await runOk([
    ...[join(EXAMPLES, "run.sh"), name, "--where", where, "-n", `${count}`],
    ...["-f", "%k %s\n"],
  ], { env: { KSTREAM, EXAMPLE_DATA: data }, timeoutMs: 40_000 });
  const records = stdout.trimEnd().split("\n").map((line): Written => {
    const space = line.indexOf(" ");
    const value: unknown = JSON.parse(line.slice(space + 1));
    return { key: line.slice(0, space), value: value as Written["value"] };
  });
  expect(records.length).toBe(count);
  return { records, data };
}

test("the tests of all examples pass, by the binary alone", async () => {
  const files = names.map((name) => join(EXAMPLES, name, "app.test.ts"));
  const { exitCode, stderr } = await run([KSTREAM, "stream", "test", ...files]);
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  expect(stderr).toContain(`across ${names.length} files`);
});

test("the README of the examples and its script know all of them", () => {
  for (const file of ["README.md", "run.sh"]) {
    const text = readFileSync(join(EXAMPLES, file), "utf8");
    expect(names.filter((name) => !text.includes(name))).toEqual([]);
  }
});

test("ride-sharing: a zone is as dear as many want to leave it", async () => {
  const { records } = await written("ride-sharing", 'topic === "surge"', 3);
  for (const { key, value } of records) {
    expect(["airport", "harbour", "old-town", "station"]).toContain(key);
    const wanted = Number(value["requests"]) / Math.max(1, Number(value["free"]));
    expect(value["factor"]).toBeCloseTo(Math.min(3, Math.max(1, wanted)), 1);
  }
}, 60_000);

test("shop: the thief is flagged, and nobody else", async () => {
  const { records } = await written("shop", 'topic === "fraud-flags"', 2);
  expect(new Set(records.map(({ key }) => key))).toEqual(new Set(["customer-99"]));
}, 60_000);

test("iot: the boiler is an anomaly, the cellar falls silent", async () => {
  const first = 'topic === "silences" || (topic === "anomalies" && offset === 0)';
  const { records } = await written("iot", first, 2);
  const found = new Map(records.map(({ key, value }) => [key, value]));
  expect(found.get("cellar")).toHaveProperty("readings", 15);
  expect(found.get("boiler")?.["deviation"]).toBeGreaterThan(5);
}, 60_000);

test("logs: an alert fires and is resolved", async () => {
  const { records } = await written("logs", 'topic === "alerts"', 2);
  expect(records.map(({ key, value }) => [key, value["state"]])).toEqual([
    ["payments", "firing"],
    ["payments", "resolved"],
  ]);
}, 60_000);

test("market: bars of each instrument, with its name", async () => {
  const { records } = await written("market", 'topic === "bars"', 3);
  const known = { ACM: "Acme Rockets", BOS: "Bosphorus Ferries", HAN: "Hansa Cables" };
  for (const { key, value } of records) {
    expect([key, value["name"]]).toEqual([key, known[key as keyof typeof known]]);
    const [low, high] = [Number(value["low"]), Number(value["high"])];
    for (const name of ["open", "close"]) {
      expect(Number(value[name])).toBeGreaterThanOrEqual(low);
      expect(Number(value[name])).toBeLessThanOrEqual(high);
    }
  }
}, 60_000);

test("cdc-warehouse: changes of the database are in files of Parquet, each once", async () => {
  const { records, data } = await written("cdc-warehouse", 'topic === "order-changes"', 50);
  const rows: Record<string, unknown>[] = [];
  for (const file of new Bun.Glob("warehouse/**/*.parquet").scanSync(data)) {
    rows.push(
      ...await parquetReadObjects({ file: await Bun.file(join(data, file)).arrayBuffer() }),
    );
  }
  const versions = rows.map((row) => Number(row["version"]));
  expect(versions.length).toBeGreaterThan(0);
  expect(new Set(versions).size).toBe(versions.length);
  const totals = new Map(records.map(({ value }) => [value["version"], value["total"]]));
  const both = rows.filter((row) => totals.has(Number(row["version"])));
  expect(both.length).toBeGreaterThan(0);
  for (const row of both) expect(row["total"]).toBe(totals.get(Number(row["version"])));
}, 60_000);

test("what is no example is told", async () => {
  const { exitCode, stderr } = await run([join(EXAMPLES, "run.sh"), "toaster"], {
    env: { KSTREAM },
  });
  expect([exitCode, stderr]).toEqual([2, expect.stringContaining("usage:")]);
});
