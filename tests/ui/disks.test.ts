/** A disk that fails, as the pages show it. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { freshDir } from "../harness/broker-process.ts";
import { type Look, LOOKS, Scene } from "./scene.ts";

const base = freshDir("disks");
const logDirs = [join(base, "good"), join(base, "bad")];

let scene: Scene;
beforeAll(async () => {
  scene = await Scene.start(["--topic", "orders:4"], { logDirs });
  rmSync(logDirs[1] ?? "", { recursive: true });
}, 600_000);
afterAll(async () => {
  await scene?.stop();
  rmSync(base, { recursive: true, force: true });
});
afterEach(() => scene.closeWindows());

for (const look of Object.keys(LOOKS) as Look[]) {
  test(`${look}: the overview says what is wrong, and the disks say which`, async () => {
    const page = await scene.open("/", look);
    await page.locator(".problem").filter({ hasText: "its files are gone" }).first().waitFor();
    await scene.picture(page, `overview-wrong-${look}`);
    expect(await scene.inaccessible(page)).toEqual([]);
    expect(await scene.widthOver(page)).toBe(0);
    await page.goto(page.url().replace(/\/ui\/.*/, "/ui/disks"));
    await page.locator("tbody tr").filter({ hasText: "good" }).filter({ hasText: "healthy" })
      .waitFor();
    await page.locator("tbody tr").filter({ hasText: "failed" }).waitFor();
    await scene.picture(page, `disks-wrong-${look}`);
  }, 120_000);
}
