/** Groups in a real browser: how far they are behind, live. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { KSTREAM } from "../harness/broker-process.ts";
import { runOk } from "../harness/process.ts";
import { type Look, LOOKS, Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await Scene.start(["--memory", "--topic", "orders:1", "--topic", "audit:1"]);
  await scene.produce("orders", Array.from({ length: 20 }, (_, n) => ({ value: `${n}` })));
  await scene.produce("audit", [{ value: "one" }]);
  await consume("billing", "orders", 5);
  await consume("billing", "audit", 1);
  await consume("shipping", "orders", 20);
}, 600_000);
afterAll(() => scene?.stop());
afterEach(async () => {
  await scene.closeWindows();
  expect(scene.faults()).toEqual([]);
});

/** Reads so many records in the name of a group, and commits. */
async function consume(group: string, topic: string, records: number): Promise<void> {
  const { bootstrap } = scene.broker;
  const command = [KSTREAM, "consume", topic, "--group", group, "-n", String(records)];
  await runOk([...command, "--brokers", bootstrap]);
}

for (const look of Object.keys(LOOKS) as Look[]) {
  test(`${look}: list and group are accessible and fit the window`, async () => {
    for (const [name, path] of [["groups", "/groups"], ["group", "/groups/billing"]] as const) {
      const page = await scene.open(path, look);
      await page.waitForSelector("tbody tr[data-index]");
      await scene.picture(page, `${name}-${look}`);
      expect(await scene.inaccessible(page)).toEqual([]);
      expect(await scene.widthOver(page)).toBe(0);
    }
  }, 120_000);
}

test("the lag of a group is that of all its topics, and grows without a reload", async () => {
  const page = await scene.open("/groups");
  const row = page.locator("tbody tr").filter({ hasText: "billing" });
  await row.filter({ hasText: "Empty" }).filter({ hasText: "15" }).waitFor();
  await page.locator("tbody tr").filter({ hasText: "shipping" }).click();
  await page.waitForSelector("h1:text('shipping')");
  const lag = page.locator(".figure").filter({ hasText: /^Lag\d/ });
  await lag.filter({ hasText: "0records" }).waitFor();
  await scene.produce("orders", [{ value: "a" }, { value: "b" }, { value: "c" }]);
  await lag.filter({ hasText: "3records" }).waitFor();
  await page.getByRole("link", { name: "orders" }).first().click();
  await page.getByRole("navigation", { name: "Parts of the topic" }).getByText("Groups").click();
  await page.locator("tbody tr").filter({ hasText: "shipping" }).waitFor();
  expect(page.url()).toEndWith("/ui/topics/orders/groups");
}, 120_000);

test("a group is sent elsewhere once one has seen what would change", async () => {
  const page = await scene.open("/groups/billing");
  await page.getByRole("button", { name: "Seek…" }).click();
  await page.getByLabel("To:").fill("start");
  await page.getByLabel("Topic").selectOption("orders");
  await page.getByRole("button", { name: "Preview" }).click();
  const dialog = page.locator("dialog[open]");
  await dialog.locator("tbody tr").filter({ hasText: "-5" }).waitFor();
  await scene.picture(page, "seek-light");
  expect(await scene.inaccessible(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Move 1 partition" }).click();
  await page.waitForSelector("dialog", { state: "detached" });
  await page.locator("tbody tr").filter({ hasText: /^orders00/ }).waitFor();
}, 120_000);

test("a group that is not there is said, with what to type", async () => {
  const page = await scene.open("/groups/nobody");
  await page.getByText("There is no such group").waitFor();
  await page.getByText("kstream consume TOPIC --group nobody").waitFor();
  expect(scene.faults().length).toBe(1);
}, 120_000);
