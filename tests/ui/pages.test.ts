/** The web pages in a real browser: each of them, in light, dark and on a phone. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { type Look, LOOKS, Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await Scene.start(["--memory"]);
}, 600_000);
afterAll(() => scene?.stop());
afterEach(async () => {
  await scene.closeWindows();
  expect(scene.faults()).toEqual([]);
});

/** Pages by the name of their pictures: path, and what is there once it has its data. */
const PAGES: readonly (readonly [name: string, path: string, sign: string])[] = [
  ["overview", "/", "text=Throughput"],
  ["clients", "/clients", "h1"],
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

test("where ACLs are off it is said what that means, and how they are turned on", async () => {
  const page = await scene.open("/access");
  await page.getByText("ACLs are off: everybody may do everything").waitFor();
  await scene.picture(page, "acls-off");
  expect(await scene.inaccessible(page)).toEqual([]);
  expect(scene.faults().length).toBe(1);
}, 120_000);

test("keys lead to pages, to the filter and to the help", async () => {
  const page = await scene.open("/");
  await page.waitForSelector("h1");
  await page.keyboard.press("g");
  await page.keyboard.press("l");
  await page.waitForSelector("h1:text('Clients')");
  expect(page.url()).toEndWith("/ui/clients");
  await page.keyboard.press("/");
  await page.keyboard.type("nobody");
  await page.waitForURL("**/ui/clients?filter=nobody");
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  await page.waitForSelector("dialog[open] h2:text('Keys')");
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog", { state: "detached" });
  await page.goBack();
  await page.waitForSelector("h1:text('Overview')");
}, 120_000);
