/** Transactions and disks in a real browser. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { leaveOpen } from "../harness/raw-transactions.ts";
import { type Look, LOOKS, Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  const unverified = "transaction.partition.verification.enable=false";
  scene = await Scene.start(["--set", unverified, "--topic", "orders:3"]);
  const { port } = scene.broker;
  const open = { topic: "orders", records: 3 };
  await leaveOpen(port, { ...open, transactionalId: "billing-1", partition: 1, known: true });
  await leaveOpen(port, { ...open, transactionalId: "billing-2", partition: 2, known: true });
  await leaveOpen(port, { ...open, transactionalId: "lost", partition: 0, known: false });
}, 600_000);
afterAll(() => scene?.stop());
afterEach(async () => {
  await scene.closeWindows();
  expect(scene.faults()).toEqual([]);
});

const ROW = "tbody tr[data-index]";
const PAGES = [
  ["transactions", "/transactions?hanging=0", "[aria-label='Hanging transactions'] tbody tr"],
  ["transaction", "/transactions/billing-1", "text=Running for"],
  ["disks", "/disks", "text=healthy"],
  ["broker-disks", "/brokers/1/disks", "text=healthy"],
] as const;

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

test("transactions are found by id and state, and one is aborted", async () => {
  const page = await scene.open("/transactions");
  const rows = page.getByRole("table", { name: "Transactions", exact: true }).locator(ROW);
  await rows.filter({ hasText: "lost" }).waitFor();
  await page.getByLabel("State").selectOption("Ongoing");
  await rows.filter({ hasText: "lost" }).waitFor({ state: "detached" });
  await page.getByLabel("Filter transactions").fill("billing-2");
  await rows.filter({ hasText: "billing-1" }).waitFor({ state: "detached" });
  await rows.filter({ hasText: "billing-2" }).waitFor();
  expect(page.url()).toEndWith("/ui/transactions?state=Ongoing&filter=billing-2");
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  await page.waitForSelector("tr[data-index='0']:focus");
  await page.keyboard.press("Enter");
  await page.waitForSelector("h1:text('billing-2')");
  await page.getByRole("button", { name: "Abort…" }).click();
  const dialog = page.locator("dialog[open]");
  expect(await dialog.getByRole("button", { name: "Abort" }).isDisabled()).toBe(true);
  await dialog.getByLabel("Type billing-2 to go on").fill("billing-2");
  await dialog.getByRole("button", { name: "Abort" }).click();
  await page.getByText("No transaction is open").waitFor();
  await page.goBack();
  await page.getByText("No transactional id has “billing-2” in it").waitFor();
}, 120_000);

test("one that hangs is looked for, marked and ended", async () => {
  const page = await scene.open("/transactions");
  await page.getByRole("button", { name: "Look for them" }).click();
  await page.getByText("None hangs").waitFor();
  await page.getByLabel("Quiet for at least").selectOption("0");
  const table = page.getByRole("table", { name: "Hanging transactions" });
  await table.locator(ROW).filter({ hasText: "orders" }).filter({ hasText: "hangs" }).waitFor();
  expect(await table.locator(ROW).count()).toBe(1);
  await table.getByRole("button", { name: "Abort…" }).click();
  await page.locator("dialog[open]").getByRole("button", { name: "Abort" }).click();
  await page.getByText("None hangs").waitFor();
}, 120_000);

test("a transactional id that is not there is said in words", async () => {
  const page = await scene.open("/transactions/nobody");
  await page.getByText("There is no such transactional id").waitFor();
  expect(scene.faults().length).toBe(1);
}, 120_000);
