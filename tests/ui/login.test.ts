/** The pages where the admin server asks who one is: whoever may little is told so, in words. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { KSTREAM } from "../harness/broker-process.ts";
import { runOk } from "../harness/process.ts";
import { Scene } from "./scene.ts";

const CONFIGS = [
  "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
  "super.users=User:ANONYMOUS;User:root",
];
const ROOT = { username: "root", password: "all of it" };
const ALICE = { username: "alice", password: "sesame" };

let scene: Scene;
beforeAll(async () => {
  const topics = ["--topic", "orders:1", "--topic", "secrets:1"];
  const configs = CONFIGS.flatMap((config) => ["--set", config]);
  scene = await Scene.start(["--memory", "--admin-auth", ...topics, ...configs]);
  for (const { username, password } of [ROOT, ALICE]) await setPassword(username, password);
  await kstream(["acl", "add", "--allow", "User:alice", "-o", "describe", "--topic", "orders"]);
  const { bootstrap } = scene.broker;
  await runOk([KSTREAM, "produce", "orders", "--brokers", bootstrap], { input: "one\ntwo\n" });
}, 600_000);
afterAll(() => scene?.stop());
afterEach(async () => {
  await scene.closeWindows();
  expect(scene.faults()).toEqual([]);
});

async function kstream(args: readonly string[], password = ""): Promise<void> {
  await runOk([KSTREAM, ...args, "--brokers", scene.broker.bootstrap], {
    env: { KSTREAM_USER_PASSWORD: password },
  });
}

const setPassword = (name: string, password: string) => kstream(["user", "set", name], password);

/** The browser says each answer that is no success on its console: these are the ones meant here. */
function refusals(status: 401 | 403): number {
  const faults = scene.faults();
  expect(faults.filter((each) => !each.includes(`the server responded with a status of ${status}`)))
    .toEqual([]);
  return faults.length;
}

const alert = (page: Page) => page.getByRole("alert");

test("nobody gets in without a password, and browsers ask for one", async () => {
  for (const path of ["/ui/", "/ui/topics", "/v1/me"]) {
    const answer = await fetch(scene.admin.replace(/\/$/, "") + path, { redirect: "manual" });
    expect(answer.status).toBe(401);
    expect(answer.headers.get("www-authenticate")).toStartWith("Basic realm=");
  }
  const page = await scene.open("/", "light", {
    user: { ...ALICE, password: "guessed" },
  });
  await page.getByText("no such user, or another password").waitFor();
  expect(refusals(401)).toBe(1);
}, 120_000);

test("who may do everything sees everything, and who they are", async () => {
  const page = await scene.open("/topics", "light", { user: ROOT });
  await page.getByText("secrets").waitFor();
  expect(await page.locator("header .user").textContent()).toBe("root");
  expect(await page.getByText("may describe is listed").count()).toBe(0);
  await page.goto(page.url().replace("/topics", "/access/users"));
  await page.locator("tbody tr").filter({ hasText: "alice" }).waitFor();
}, 120_000);

test("who may little is told what they do not see", async () => {
  const page = await scene.open("/topics", "light", { user: ALICE });
  await page.locator("tbody tr").filter({ hasText: "orders" }).waitFor();
  await page.getByText("Only what alice may describe is listed: other topics may be there.")
    .waitFor();
  expect(await page.getByText("secrets").count()).toBe(0);
  await scene.picture(page, "topics-alice");
  expect(await scene.inaccessible(page)).toEqual([]);
  for (const what of ["groups", "transactions"]) {
    await page.goto(page.url().replace(/\/ui\/.*/, `/ui/${what}`));
    await page.getByText(`There are no ${what} that alice may see`).waitFor();
    await scene.picture(page, `${what}-alice`);
    expect(await scene.inaccessible(page)).toEqual([]);
  }
  refusals(403);
}, 120_000);

for (
  const path of [
    "/",
    "/clients",
    "/disks",
    "/brokers/1",
    "/access/acls",
    "/access/users",
    "/access/quotas",
    "/topics/orders",
    "/topics/orders/configs",
    "/topics/secrets",
    "/groups/billing",
    "/transactions?hanging=0",
  ]
) {
  test(`${path}: what is forbidden is said, and asked for once`, async () => {
    const page = await scene.open(path, "light", { user: ALICE, hasClock: true });
    await alert(page).filter({ hasText: /Not allowed for alice/ }).first().waitFor();
    expect(await page.locator(".empty-title").filter({ hasNotText: "may see" }).count()).toBe(0);
    await scene.picture(page, `forbidden${path.replaceAll(/\W+/g, "-")}`);
    expect(await scene.inaccessible(page)).toEqual([]);
    const refused = new Set<string>();
    page.on("response", (answer) => {
      if (answer.status() === 403) refused.add(answer.url());
    });
    await page.reload();
    await alert(page).first().waitFor();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.clock.runFor(30_000);
    // What was asked before this has been told when it is answered.
    await page.evaluate("fetch('/live').then((answer) => answer.text())");
    expect(asked.filter((url) => refused.has(url))).toEqual([]);
    refusals(403);
  }, 120_000);
}

test("what a user may not change is refused in the dialog, and nothing is lost", async () => {
  const page = await scene.open("/topics", "light", { user: ALICE });
  await page.getByRole("button", { name: "Create topic" }).click();
  await page.getByLabel("Name").fill("mine");
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await alert(page).filter({ hasText: /Not allowed for alice/ }).waitFor();
  expect(await page.getByLabel("Name").inputValue()).toBe("mine");
  refusals(403);
}, 120_000);

test("after a change of the password the page says so, and stops asking", async () => {
  const page = await scene.open("/topics/orders/partitions", "light", { user: ALICE });
  await page.waitForSelector("tbody tr[data-index]");
  refusals(403);
  await setPassword("alice", "another");
  await page.getByRole("button", { name: "Log in again" }).first().waitFor();
  await scene.picture(page, "logged-out");
  refusals(401);
}, 120_000);
