/** The records of a topic in a real browser: read, followed, sent, exported. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { type Look, LOOKS, Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  const topics = ["orders:3", "deep:1", "live:2", "sent:1", "busy:1", "empty:1"];
  scene = await Scene.start(["--memory", ...topics.flatMap((topic) => ["--topic", topic])]);
  await scene.produce("orders", Array.from({ length: 300 }, (_, n) => orderOf(n)));
  await scene.produce("deep", Array.from({ length: 1000 }, (_, n) => ({ value: `line ${n}` })));
}, 600_000);
afterAll(() => scene?.stop());
afterEach(async () => {
  await scene.closeWindows();
  expect(scene.faults()).toEqual([]);
});

function orderOf(n: number) {
  const value = { id: n, customer: { name: `Ada ${n}`, tags: ["new", "paid"] }, total: n % 100 };
  return {
    key: `k${n}`,
    value: JSON.stringify(value),
    headers: [["trace", `t${n}`], ["raw", { base64: "/wD+" }], ["none", null]],
    partition: n % 3,
  };
}

const ROW = "tbody tr[data-index]";
const statusHas = (page: Page, text: string | RegExp) =>
  page.locator("[role=status]").filter({ hasText: text }).first().waitFor();

for (const look of Object.keys(LOOKS) as Look[]) {
  test(`${look}: the list and a record are accessible and fit the window`, async () => {
    const page = await scene.open("/topics/orders", look);
    await page.waitForSelector(ROW);
    await scene.picture(page, `messages-${look}`);
    expect(await scene.inaccessible(page)).toEqual([]);
    expect(await scene.widthOver(page)).toBe(0);
    await page.locator(ROW).nth(2).click();
    await page.waitForSelector("dialog[open] .tree");
    await scene.picture(page, `record-${look}`);
    expect(await scene.inaccessible(page)).toEqual([]);
  }, 120_000);
}

test("the newest come first, and a record shows key, value, headers and bytes", async () => {
  const page = await scene.open("/topics/orders");
  await statusHas(page, "201 records");
  const first = page.locator(ROW).first();
  expect(await first.locator("td").nth(2).textContent()).toBe("99");
  await first.click();
  const dialog = page.locator("dialog[open]");
  await dialog.locator(".tree").waitFor();
  const text = await dialog.textContent() ?? "";
  for (const part of ["trace", "raw", "0xff00fe", "none", "null"]) expect(text).toContain(part);
  await dialog.getByRole("group", { name: "How value is shown" }).getByText("Hex").click();
  expect(await dialog.locator("pre.hex").textContent()).toStartWith("00000000  7b 22 69 64 22 3a");
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog", { state: "detached" });
}, 120_000);

test("from the oldest, from an offset and from a time; more is read as one scrolls", async () => {
  const page = await scene.open("/topics/deep?start=oldest");
  await statusHas(page, "200 records, and more below");
  await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)");
  await statusHas(page, "400 records");
  await page.getByLabel("Show").selectOption("offset");
  await page.getByRole("textbox", { name: "Offset" }).fill("995");
  await page.getByRole("button", { name: "Read" }).click();
  await statusHas(page, /^5 records$/);
  expect(page.url()).toContain("start=offset&at=995");
  await page.getByLabel("Show").selectOption("time");
  await page.getByRole("textbox", { name: "Time" }).fill("tomorrow");
  await page.keyboard.press("Enter");
  await page.getByText("There are no records there").waitFor();
  await page.getByRole("textbox", { name: "Time" }).fill("the day of doom");
  await page.keyboard.press("Enter");
  await page.getByText("is no place in a topic").waitFor();
  expect(scene.faults().length).toBe(1);
}, 120_000);

test("rows are walked with j and k, opened with Enter, and the focus comes back", async () => {
  const page = await scene.open("/topics/deep?start=oldest");
  await page.waitForSelector(ROW);
  for (let i = 0; i < 4; i++) {
    await page.keyboard.press("j");
    await page.waitForSelector(`tr[data-index="${i}"]:focus`);
  }
  await page.keyboard.press("k");
  await page.waitForSelector('tr[data-index="2"]:focus');
  await page.keyboard.press("Enter");
  await page.getByText("Partition 0, offset 2").waitFor();
  await page.keyboard.press("Escape");
  await page.waitForSelector('tr[data-index="2"]:focus');
}, 120_000);

test("a search by text or expression says how far it is, and what it found", async () => {
  const page = await scene.open("/topics/orders");
  await page.waitForSelector(ROW);
  await page.keyboard.press("/");
  await page.keyboard.type("Ada 29");
  await page.keyboard.press("Enter");
  await statusHas(page, "Done: 11 records found, scanned 300 of 300");
  expect(page.url()).toEndWith("?q=Ada+29");
  expect(await page.locator("mark").first().textContent()).toBe("Ada 29");
  await scene.picture(page, "search-light");
  expect(await scene.inaccessible(page)).toEqual([]);
  await page.getByRole("combobox", { name: "Search" }).selectOption("where");
  await page.getByLabel("True for the record").fill('v.total > 97 && h.trace === "t99"');
  await page.getByRole("button", { name: "Search" }).click();
  await statusHas(page, "Done: 1 record found, scanned 300 of 300");
  await page.getByLabel("True for the record").fill("v.total >");
  await page.getByRole("button", { name: "Search" }).click();
  await page.locator("[role=alert]").filter({ hasText: "where" }).waitFor();
  expect(scene.faults().length).toBe(1);
}, 120_000);

test(
  "a live tail shows what comes, and goes on where it was when the connection broke",
  async () => {
    const page = await scene.open("/topics/live?start=live");
    await page.getByText("Nothing has come yet").waitFor();
    await scene.produce("live", [{ value: "first", partition: 0 }]);
    await statusHas(page, "1 record since");
    await page.context().setOffline(true);
    await scene.produce("live", Array.from({ length: 50 }, (_, n) => ({ value: `away ${n}` })));
    await page.context().setOffline(false);
    await scene.produce("live", [{ value: "last", partition: 1 }]);
    await statusHas(page, "52 records since");
    await page.getByText("last", { exact: true }).waitFor();
    scene.faults();
  },
  120_000,
);

test("a flood loses nothing: what is out of view is counted and read again", async () => {
  const page = await scene.open("/topics/busy?start=live");
  await page.getByText("Nothing has come yet").waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  const records = Array.from({ length: 5000 }, (_, n) => ({ value: `event ${n}` }));
  for (let i = 0; i < 3; i++) await scene.produce("busy", records);
  await page.getByRole("button", { name: "Go on" }).click();
  await statusHas(page, "15,000 records since");
  await page.getByText("13,000 are out of view").waitFor();
  await page.getByRole("button", { name: "Read them from 0:0" }).click();
  await statusHas(page, "200 records, and more below");
  expect(await page.locator(ROW).first().locator("td").nth(2).textContent()).toBe("0");
}, 120_000);

test("a record is produced, and produced again with all that it has", async () => {
  const page = await scene.open("/topics/sent");
  await page.getByText("This topic has no records").waitFor();
  await page.getByRole("button", { name: "Produce" }).click();
  await page.getByLabel("What value is").selectOption("text");
  await page.getByLabel("Value", { exact: true }).fill('{"hello": "world"}');
  await page.getByRole("button", { name: "Add a header" }).click();
  await page.getByLabel("Name of the header").fill("trace");
  await page.getByLabel("Value of the header trace").fill("x1");
  const dialog = page.locator("dialog[open]");
  await dialog.getByRole("button", { name: "Produce" }).click();
  await dialog.getByText("It is at offset 0 of partition 0.").waitFor();
  await scene.picture(page, "produce-light");
  expect(await scene.inaccessible(page)).toEqual([]);
  await page.keyboard.press("Escape");
  await page.locator(ROW).first().click();
  await page.getByRole("button", { name: "Produce again…" }).click();
  expect(await page.getByLabel("Value of the header trace").inputValue()).toBe("x1");
  await page.getByLabel("What value is").selectOption("null");
  await dialog.getByRole("button", { name: "Produce" }).click();
  await dialog.getByText("It is at offset 1 of partition 0.").waitFor();
  await page.keyboard.press("Escape");
  await statusHas(page, "2 records");
  expect(await page.locator(ROW).first().locator("td").nth(4).textContent()).toBe("null");
}, 120_000);

test("what is shown is exported as a file", async () => {
  const page = await scene.open("/topics/orders?start=oldest&partition=1");
  await page.waitForSelector(ROW);
  await page.getByRole("button", { name: "Export" }).click();
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "JSON, one per line" }).click(),
  ]);
  expect(file.suggestedFilename()).toBe("orders.ndjson");
  const lines = readFileSync(await file.path(), "utf8").trimEnd().split("\n");
  expect(lines.length).toBe(100);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ partition: 1, offset: 0, key: "k1" });
  const [table] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "CSV" }).click(),
  ]);
  const rows = readFileSync(await table.path(), "utf8").trimEnd().split("\n");
  expect([rows.length, rows[1]?.split(",")[4]]).toEqual([101, "k1"]);
}, 120_000);
