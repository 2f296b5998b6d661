/** Connectors in a real browser, with a worker of their own behind the admin server. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startCliWorker } from "../connect/cli-worker.ts";
import type { CliWorker } from "../connect/cli-worker.ts";
import { freePort } from "../harness/free-ports.ts";
import { type Look, LOOKS, Scene } from "./scene.ts";

const SECRET = "s3cr3t-of-this-test";
let scene: Scene;
let worker: CliWorker;
let dir: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "kstream-connect-ui-"));
  const port = await freePort();
  scene = await Scene.start(["--connect-url", `http://127.0.0.1:${port}`]);
  worker = await startCliWorker(scene.broker.bootstrap, {
    rest: `127.0.0.1:${port}`,
    env: { THE_SECRET: SECRET },
  });
  await worker.put("numbers", { "connector.class": "datagen", topic: "numbers", rate: "50" });
  await worker.put("files", {
    "connector.class": "file-sink",
    topics: "numbers",
    file: join(dir, "out"),
  });
  await worker.put("broken", {
    "connector.class": "file-sink",
    topics: "numbers",
    file: join(dir, "broken"),
    // The numbers are JSON.
    "value.converter": "long",
  });
  await worker.put("hooks", {
    "connector.class": "http-sink",
    topics: "nothing",
    url: "http://127.0.0.1:9/",
    "signature.secret": "plain-secret-of-old",
  });
}, 600_000);
afterAll(async () => {
  await worker?.stop();
  await scene?.stop();
  rmSync(dir, { recursive: true, force: true });
});
afterEach(async () => {
  await scene.closeWindows();
  expect(scene.faults()).toEqual([]);
});

const PAGES = [
  ["connectors", "/connectors", ".badge.bad"],
  ["connector", "/connectors/numbers", "text=Task"],
  ["connector-failed", "/connectors/broken", "text=has failed"],
  ["connector-config", "/connectors/hooks/config", "text=finds it well"],
  ["connector-offsets", "/connectors/numbers/offsets", "text=Set…"],
  ["connector-topics", "/connectors/numbers/topics", "[aria-label=Topics] tbody tr"],
  ["connector-log", "/connectors/numbers/log", "text=Least urgent lines"],
  ["new-connector", "/new-connector", "text=s3-sink"],
  ["new-connector-form", "/new-connector/s3-sink", "text=s3.bucket.name"],
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

test("a connector is made with a form: what is wrong stands by its field", async () => {
  const page = await scene.open("/connectors");
  await page.getByRole("button", { name: "New connector…" }).click();
  await page.getByRole("link", { name: "http-sink" }).click();
  await page.getByLabel("Name", { exact: true }).fill("made-here");
  await page.getByLabel("topics", { exact: true }).fill("numbers");
  const url = page.getByLabel(/^url/);
  await url.fill("nowhere");
  await page.getByText('"url" must be').waitFor();
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await page.getByText("1 setting to mend").waitFor();
  expect(await url.getAttribute("aria-invalid")).toBe("true");
  await url.fill("http://127.0.0.1:9/{topic}");
  await page.getByText("Security", { exact: true }).click();
  const secret = page.getByLabel("signature.secret");
  await secret.fill("typed as it is");
  await page.getByText("it would be kept in the config topic").waitFor();
  await secret.fill("${env:THE_SECRET}");
  await page.getByText("it would be kept in the config topic").waitFor({ state: "detached" });
  await page.getByLabel("At first").selectOption("STOPPED");
  await page.getByText("finds it well").waitFor();
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await page.waitForSelector("h1:text('made-here')");
  await page.waitForSelector(".badge:text('stopped')");
  expect(await worker.ask("GET", "/connectors/made-here/config")).toEqual({
    name: "made-here",
    "connector.class": "http-sink",
    topics: "numbers",
    url: "http://127.0.0.1:9/{topic}",
    "signature.secret": "${env:THE_SECRET}",
  });
  await page.getByRole("button", { name: "Delete…" }).click();
  const dialog = page.locator("dialog[open]");
  expect(await dialog.getByRole("button", { name: "Delete" }).isDisabled()).toBe(true);
  await dialog.getByLabel("Type made-here to go on").fill("made-here");
  await dialog.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("table", { name: "Connectors" }).waitFor();
  await page.getByRole("link", { name: "made-here" }).waitFor({ state: "detached" });
}, 120_000);

test("a config is changed; a secret that stands in it is not shown, and stays", async () => {
  const page = await scene.open("/connectors/hooks/config");
  const secret = page.getByLabel("signature.secret");
  await secret.waitFor();
  expect(await secret.getAttribute("placeholder")).toBe("set, and not shown");
  expect(await page.content()).not.toContain("plain-secret-of-old");
  await page.getByLabel("batch.size").fill("20");
  await page.getByText("finds it well").waitFor();
  await page.getByRole("button", { name: "JSON" }).click();
  const json = page.getByLabel("The config as JSON");
  expect(await json.inputValue()).not.toContain("plain-secret-of-old");
  await json.fill((await json.inputValue()).replace('"20"', '"30"'));
  await page.getByText("finds it well").waitFor();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("It is saved").waitFor();
  expect(await worker.ask("GET", "/connectors/hooks/config")).toMatchObject({
    "batch.size": "30",
    "signature.secret": "plain-secret-of-old",
  });
}, 120_000);

test("a transform that is named brings its settings", async () => {
  const page = await scene.open("/new-connector/datagen");
  await page.getByText("Transforms", { exact: true }).click();
  await page.getByLabel("transforms", { exact: true }).fill("only");
  const type = page.getByLabel(/^transforms\.only\.type/);
  await type.waitFor();
  await type.fill("expr");
  await page.getByLabel("transforms.only.where").fill("v.");
  await page.getByText('"transforms.only.where"').first().waitFor();
}, 120_000);

test("a connector is paused, resumed, stopped; then offsets are set and reset", async () => {
  const page = await scene.open("/connectors/numbers");
  await page.getByRole("button", { name: "Pause" }).click();
  await page.waitForSelector(".figures .badge:text('paused')");
  await page.getByRole("button", { name: "Resume" }).click();
  await page.waitForSelector(".figures .badge:text('running')");
  await page.getByRole("link", { name: "Offsets" }).click();
  expect(await page.getByRole("button", { name: "Set…", exact: true }).isDisabled()).toBe(true);
  await page.getByRole("button", { name: "Stop…" }).click();
  await page.locator("dialog[open]").getByRole("button", { name: "Stop" }).click();
  await page.waitForSelector(".figures .badge:text('stopped')");
  await page.locator("table[aria-label=Offsets] tbody tr").waitFor();
  await page.getByRole("button", { name: "Set…", exact: true }).click();
  const dialog = page.locator("dialog[open]");
  const json = dialog.getByRole("textbox");
  await json.fill((await json.inputValue()).replace(/"number": \d+/, '"number": 7'));
  await dialog.getByRole("button", { name: "Preview" }).click();
  await dialog.getByText('{"number":7}').waitFor();
  await dialog.getByRole("button", { name: "Set 1 offset" }).click();
  await page.locator("table[aria-label=Offsets]").getByText('{"number":7}').waitFor();
  await page.getByRole("button", { name: "Reset…" }).click();
  await dialog.getByLabel("Type numbers to go on").fill("numbers");
  await dialog.getByRole("button", { name: "Reset" }).click();
  await page.getByText("Nothing is stored yet").waitFor();
  await page.getByRole("button", { name: "Resume" }).click();
  await page.waitForSelector(".figures .badge:text('running')");
}, 120_000);

test("the level of its log is set, its tasks begin again", async () => {
  const page = await scene.open("/connectors/numbers/log");
  await page.getByLabel(/Least urgent lines/).selectOption("DEBUG");
  await page.getByRole("button", { name: "Set" }).click();
  await page.getByText("It is set.").waitFor();
  await page.getByRole("button", { name: "Restart…" }).click();
  await page.locator("dialog[open]").getByRole("button", { name: "Restart" }).click();
  await page.locator("dialog[open]").waitFor({ state: "detached" });
  await page.waitForSelector(".figures .badge:text('running')");
}, 120_000);

test("no page has a secret of the worker's environment in it", async () => {
  for (const path of ["/connectors", "/connectors/hooks", "/connectors/hooks/config"]) {
    const page = await scene.open(path);
    await page.waitForSelector("h1");
    await page.waitForLoadState("networkidle");
    expect(await page.content()).not.toContain(SECRET);
  }
}, 120_000);
