/** Topics in a real browser: found, created, grown, purged and deleted. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { type Look, LOOKS, Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  const topics = ["orders:3", "audit:1", "payments.eu:12"];
  scene = await Scene.start(["--memory", ...topics.flatMap((topic) => ["--topic", topic])]);
  await scene.produce("orders", [{ value: "one" }, { value: "two" }]);
}, 600_000);
afterAll(() => scene?.stop());
afterEach(async () => {
  await scene.closeWindows();
  expect(scene.faults()).toEqual([]);
});

const PAGES: readonly (readonly [name: string, path: string, sign: string])[] = [
  ["topics", "/topics", "text=payments.eu"],
  ["partitions", "/topics/orders/partitions", "tbody tr[data-index='2']"],
  ["configs", "/topics/orders/configs", "text=retention.ms"],
  ["brokers", "/brokers", "text=controller"],
];

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

test("a filter is part of the address, and leads from the list to the topic and back", async () => {
  const page = await scene.open("/topics");
  await page.waitForSelector("text=audit");
  await page.keyboard.press("/");
  await page.keyboard.type("pay");
  await page.waitForSelector("text=audit", { state: "detached" });
  expect(page.url()).toEndWith("/ui/topics?filter=pay");
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  await page.waitForSelector("tr[data-index='0']:focus");
  await page.keyboard.press("Enter");
  await page.waitForSelector("h1:text('payments.eu')");
  await page.goBack();
  expect(await page.getByLabel("Filter topics").inputValue()).toBe("pay");
  await page.getByLabel("Filter topics").fill("nothing like it");
  await page.waitForSelector("text=No topic has “nothing like it” in its name");
}, 120_000);

test("a topic is created, grown, purged and deleted; errors are in words", async () => {
  const page = await scene.open("/topics");
  await page.getByRole("button", { name: "Create topic" }).click();
  await page.getByLabel("Name").fill("orders");
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await page.locator("[role=alert]").filter({ hasText: /already exists/i }).waitFor();
  expect(scene.faults().length).toBe(1);
  expect(await scene.inaccessible(page)).toEqual([]);
  await page.getByLabel("Name").fill("made here");
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await page.locator("[role=alert]").filter({ hasText: /illegal|letters|characters/i }).waitFor();
  expect(scene.faults().length).toBe(1);
  await page.getByLabel("Name").fill("made.here");
  await page.getByLabel("Partitions").fill("2");
  await page.getByLabel("Configs").fill("retention.ms=3600000");
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await page.waitForSelector("h1:text('made.here')");
  await page.getByRole("button", { name: "Add partitions" }).click();
  await page.getByLabel("Partitions in all").fill("5");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByText("5 partitions ·").waitFor();
  await scene.produce("made.here", [{ value: "gone soon" }]);
  await page.getByText("1 record ·").waitFor();
  await page.getByRole("button", { name: "Purge" }).first().click();
  const purge = page.locator("dialog").getByRole("button", { name: "Purge" });
  expect(await purge.isDisabled()).toBe(true);
  await page.getByLabel("Type made.here to go on").fill("made.here");
  await purge.click();
  await page.getByText("· 0 records ·").waitFor();
  await page.getByRole("button", { name: "Delete" }).first().click();
  await page.getByLabel("Type made.here to go on").fill("made.here");
  await page.locator("dialog").getByRole("button", { name: "Delete" }).click();
  await page.waitForSelector("h1:text('Topics')");
  await page.waitForSelector("text=audit");
  expect(await page.getByText("made.here").count()).toBe(0);
}, 120_000);

test("a config is explained, set, and given up again", async () => {
  const page = await scene.open("/topics/audit/configs");
  await page.getByLabel("Filter configs").fill("retention.ms");
  const row = page.locator("tbody tr").filter({ hasText: /^(?!delete|local)retention.ms/ });
  await row.click();
  await page.getByLabel("Value").fill("12345678");
  await page.getByRole("button", { name: "Set", exact: true }).click();
  await row.filter({ hasText: "12345678topic" }).waitFor();
  await row.click();
  await page.getByRole("button", { name: "Back to the default" }).click();
  await row.filter({ hasNotText: "12345678" }).waitFor();
}, 120_000);

test("a topic that is not there is said in words", async () => {
  const page = await scene.open("/topics/no-such-topic");
  await page.getByText("There is no topic of this name").waitFor();
  expect(scene.faults().length).toBe(1);
}, 120_000);
