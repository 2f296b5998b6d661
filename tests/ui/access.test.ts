/** ACLs, users and quotas in a real browser: found, added and taken away. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { runOk } from "../harness/process.ts";
import { KSTREAM } from "../harness/broker-process.ts";
import { type Look, LOOKS, Scene } from "./scene.ts";

const AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";

let scene: Scene;
beforeAll(async () => {
  const configs = [`authorizer.class.name=${AUTHORIZER}`, "super.users=User:ANONYMOUS"];
  scene = await Scene.start(["--memory", ...configs.flatMap((config) => ["--set", config])]);
  await kstream(["acl", "add", "--allow", "User:alice", "-o", "read", "--topic", "orders"]);
  await kstream(["acl", "add", "--allow", "User:bob", "-o", "all", "--topic", "shop.", "--prefix"]);
  await kstream(["quota", "set", "--user", "alice", "producer_byte_rate=1048576"]);
  await kstream(["quota", "set", "--default-client-id", "request_percentage=50"]);
  await kstream(["user", "set", "alice"], "sesame");
}, 600_000);
afterAll(() => scene?.stop());
afterEach(async () => {
  await scene.closeWindows();
  expect(scene.faults()).toEqual([]);
});

async function kstream(args: readonly string[], password = ""): Promise<string> {
  const { stdout } = await runOk([KSTREAM, ...args, "--brokers", scene.broker.bootstrap], {
    env: { KSTREAM_USER_PASSWORD: password },
  });
  return stdout;
}

const ROW = "tbody tr[data-index]";
const PAGES = [["acls", "Add ACL"], ["users", "Add user"], ["quotas", "Set quota"]] as const;

for (const [tab, action] of PAGES) {
  for (const look of Object.keys(LOOKS) as Look[]) {
    test(`${tab}, ${look}: list and dialog are accessible and fit the window`, async () => {
      const page = await scene.open(`/access/${tab}`, look);
      await page.waitForSelector(ROW);
      await scene.picture(page, `${tab}-${look}`);
      expect(await scene.inaccessible(page)).toEqual([]);
      expect(await scene.widthOver(page)).toBe(0);
      await page.getByRole("button", { name: action }).click();
      await page.waitForSelector("dialog[open]");
      await scene.picture(page, `${tab}-dialog-${look}`);
      expect(await scene.inaccessible(page)).toEqual([]);
    }, 120_000);
  }
}

test("an ACL is added, found by what it says, and deleted alone", async () => {
  const page = await scene.open("/");
  await page.waitForSelector("h1");
  await page.keyboard.press("g");
  await page.keyboard.press("a");
  await page.getByRole("button", { name: "Add ACL" }).click();
  const dialog = page.locator("dialog[open]");
  await dialog.getByLabel("Who").fill("carol");
  await dialog.getByLabel("Name", { exact: true }).fill("carols-");
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  // The browser itself refuses what is no principal.
  await dialog.getByLabel("Who").fill("User:carol");
  await dialog.getByLabel("Which").selectOption("PREFIXED");
  await dialog.getByLabel("Resource").selectOption("GROUP");
  await dialog.getByText("User:carol may READ on groups that begin with carols-").waitFor();
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  await page.locator(ROW).filter({ hasText: "groups that begin with carols-" }).waitFor();
  await page.getByLabel("Filter ACLs").fill("carols");
  await page.getByText("1 of 3").waitFor();
  expect(page.url()).toEndWith("/ui/access?filter=carols");
  await page.locator(ROW).getByRole("button", { name: "Delete…" }).click();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await page.getByText("No ACL matches the filter").waitFor();
  await page.getByLabel("Filter ACLs").fill("");
  await page.getByText("2 of 2").waitFor();
  expect(JSON.parse(await kstream(["acl", "list", "--json"]))).toHaveLength(2);
}, 120_000);

test("a user is added, gets another password, and is deleted; no password is shown", async () => {
  const page = await scene.open("/access/users");
  const dialog = page.locator("dialog[open]");
  await page.getByRole("button", { name: "Add user" }).click();
  await dialog.getByLabel("Name").fill("dora");
  const field = dialog.getByLabel("Password");
  expect(await field.getAttribute("type")).toBe("password");
  await field.fill("first secret");
  await dialog.getByLabel("Logs in by").selectOption("SCRAM-SHA-512");
  await dialog.getByRole("button", { name: "Add" }).click();
  const row = page.locator(ROW).filter({ hasText: "dora" });
  await row.filter({ hasText: "SCRAM-SHA-512" }).waitFor();
  await row.getByRole("button", { name: "Password…" }).click();
  await dialog.getByLabel("Password").fill("second secret");
  await dialog.getByRole("button", { name: "Set" }).click();
  await page.waitForSelector("dialog", { state: "detached" });
  expect(await page.content()).not.toContain("secret");
  await row.getByRole("button", { name: "Delete…" }).click();
  await dialog.getByLabel("Type dora to go on").fill("dora");
  await dialog.getByRole("button", { name: "Delete" }).click();
  await row.waitFor({ state: "detached" });
  expect(JSON.parse(await kstream(["user", "list", "--json"]))).toHaveLength(1);
}, 120_000);

test("a quota is set and removed; what the broker refuses is said in its words", async () => {
  const page = await scene.open("/access/quotas");
  const dialog = page.locator("dialog[open]");
  await page.locator(ROW).filter({ hasText: "1 MiB/s" }).waitFor();
  await page.getByText("any other client id").waitFor();
  await page.getByRole("button", { name: "Set quota" }).click();
  await dialog.getByLabel("For").selectOption("both");
  await dialog.getByLabel("Name of the user").fill("eve");
  await dialog.getByLabel("Name of the client id").fill("loader");
  await dialog.getByLabel("What").selectOption("consumer_byte_rate");
  await dialog.getByLabel("How much").fill("1.5");
  await dialog.getByRole("button", { name: "Set" }).click();
  await dialog.getByRole("alert").filter({ hasText: /fractional/ }).waitFor();
  expect(scene.faults().length).toBe(1);
  await dialog.getByLabel("How much").fill("2048");
  await dialog.getByRole("button", { name: "Set" }).click();
  const row = page.locator(ROW).filter({ hasText: "user eve, client id loader" });
  await row.filter({ hasText: "2 KiB/s" }).waitFor();
  await row.getByRole("button", { name: "Remove…" }).click();
  await dialog.getByRole("button", { name: "Remove" }).click();
  await row.waitFor({ state: "detached" });
  expect(JSON.parse(await kstream(["quota", "list", "--json"]))).toHaveLength(2);
}, 120_000);
