/** Applications of streams in a real browser: their graphs, with members that tell and members that do not. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, KSTREAM } from "../harness/broker-process.ts";
import { type Look, LOOKS, Scene } from "./scene.ts";

const dir = freshDir("stream-ui");
const children: Bun.Subprocess[] = [];
let scene: Scene;

const SHOP = `import { json, string, TopologyBuilder, tumbling } from "kstream/stream";
export const config = {
  "application.id": "shop",
  "deserialization.exception.handler": "continue",
  "processing.exception.handler": "continue",
  "num.standby.replicas": 1,
};
const builder = new TopologyBuilder();
const names = builder.globalTable("people", "people", { key: string(), value: string() });
const orders = builder.stream("orders", { key: string(), value: json<{ total: number }>() });
const kinds = orders.split({ large: ({ total }) => total > 10, small: ({ total }) => total > 1 }, "rest");
const marked = kinds.large.mapValues((order) => {
  if (order.total === 13) throw new Error("no luck");
  return { ...order, kind: "large" };
}, json<{ total: number; kind: string }>());
const plain = kinds.small.mapValues((order) => ({ ...order, kind: "small" }), json<{ total: number; kind: string }>());
const both = marked.merge(plain);
both.groupBy("by-kind", (order) => order.kind).count("kinds").toStream()
  .mapValues((n) => String(n), string()).to("by-kind");
both.joinGlobal(names, (_order, key) => key, (order, name) => ({ ...order, name })).to("named", { value: json() });
orders.groupByKey().windowedBy(tumbling({ sizeMs: 60_000, graceMs: 0 })).count("a-minute", {
  retentionMs: 3_600_000,
});
export default builder;
`;
const SILENT = `import { string, TopologyBuilder } from "kstream/stream";
export const config = { "application.id": "silent" };
const builder = new TopologyBuilder();
builder.stream("orders", { value: string() }).filter((text) => text.length > 3).to("long");
export default builder;
`;

function run(file: string, ...args: string[]): void {
  const state = freshDir("stream-ui-state");
  children.push(
    Bun.spawn([
      ...[KSTREAM, "stream", "run", file, "-b", scene.broker.bootstrap],
      ...["--set", `state.dir=${state}`, "--log-level", "warn", ...args],
    ], { stdin: "ignore", stdout: "ignore", stderr: "ignore" }),
  );
}

beforeAll(async () => {
  scene = await Scene.start();
  const topics = ["orders", "people", "by-kind", "named", "long"];
  const specs = topics.map((topic) =>
    Bun.spawn([
      ...[KSTREAM, "topic", "create", topic, "-b", scene.broker.bootstrap],
      ...["-p", topic === "orders" ? "3" : "1"],
    ], { stdout: "ignore", stderr: "inherit" }).exited
  );
  expect(await Promise.all(specs)).toEqual(topics.map(() => 0));
  await scene.produce("people", ["a", "b", "c"].map((key) => ({ key, value: `Ms ${key}` })));
  const totals = [1, 2, 5, 12, 13, 20, 30];
  await scene.produce("orders", [
    ...Array.from({ length: 210 }, (_, i) => ({
      key: "abc"[i % 3]!,
      value: JSON.stringify({ total: totals[i % totals.length] }),
    })),
    { key: null, value: '{"total":3}' },
    { key: "a", value: "no object of JSON" },
  ]);
  writeFileSync(join(dir, "shop.ts"), SHOP);
  writeFileSync(join(dir, "silent.ts"), SILENT);
  run(join(dir, "shop.ts"), "--queries", "127.0.0.1:0");
  run(join(dir, "shop.ts"), "--queries", "127.0.0.1:0");
  run(join(dir, "silent.ts"));
}, 600_000);
afterAll(async () => {
  for (const child of children) child.kill("SIGTERM");
  await Promise.all(children.map((child) => child.exited));
  await scene?.stop();
}, 60_000);
afterEach(async () => {
  await scene.closeWindows();
  expect(scene.faults()).toEqual([]);
});

const PAGES = [
  ["streams", "/streams", "text=silent"],
  ["stream-graph", "/streams/shop", ".step"],
  ["stream-steps", "/streams/shop/steps", "[aria-label=Steps] tbody tr"],
  ["stream-inputs", "/streams/shop/inputs", "[aria-label=Inputs] tbody tr"],
  ["stream-tasks", "/streams/shop/tasks", "[aria-label=Members] tbody tr"],
  ["stream-stores", "/streams/shop/stores", "[aria-label=Stores] tbody tr"],
  ["stream-silent", "/streams/silent", "text=do not tell what they do"],
] as const;

test("what went through each step is shown, and counted on", async () => {
  const page = await scene.open("/streams");
  await page.getByRole("link", { name: "shop" }).click();
  const source = page.locator(".step.source", { hasText: "reads orders" });
  await source.getByText("212 in", { exact: true }).waitFor();
  await page.locator(".figure", { hasText: "Tasks" }).getByText("6/6").waitFor();
  await page.locator(".figure", { hasText: "Left out" }).getByText("and 31 failed").waitFor();
  await page.getByText("30 failed").waitFor();
  await scene.produce("orders", [{ key: "a", value: '{"total":4}' }]);
  await source.getByText("213 in", { exact: true }).waitFor();
  await page.getByRole("link", { name: "Steps", exact: true }).click();
  await page.getByText("1 × its key is null").first().waitFor();
  await page.getByRole("link", { name: "Tasks", exact: true }).click();
  await page.waitForFunction(
    "document.querySelectorAll('[aria-label=Members] tbody tr').length === 2",
  );
}, 180_000);

for (const [name, path, sign] of PAGES) {
  for (const look of Object.keys(LOOKS) as Look[]) {
    test(`${name}, ${look}: it is accessible and fits the window`, async () => {
      const page = await scene.open(path, look);
      await page.waitForSelector(sign);
      await scene.picture(page, `${name}-${look}`);
      expect(await scene.inaccessible(page)).toEqual([]);
      expect(await scene.widthOver(page)).toBe(0);
    }, 120_000);
  }
}

test("an application that is not there is told to be none", async () => {
  const page = await scene.open("/streams/nobody");
  await page.getByText("It does not run").waitFor();
  // A browser's own word of the status.
  expect(scene.faults().every((fault) => fault.includes("404"))).toBe(true);
}, 120_000);
