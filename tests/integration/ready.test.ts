/** `/ready` and `wait ready`: a broker that cannot take records says so, and why. */
import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { freshDir, withBroker } from "../harness/broker-process.ts";
import { fails, ok } from "./cli.ts";

async function ready(admin: string | null) {
  const answer = await fetch(`${admin}/ready`);
  return [answer.status, await answer.json()];
}

const twoDirs = () => ["one", "two"].map((name) => join(freshDir("ready"), name));

test("a broker is ready once groups are loaded, also after a kill", async () => {
  const dataDir = freshDir("ready");
  await withBroker(async ({ bootstrap, admin }) => {
    await ok(["topic", "create", "orders"], { brokers: bootstrap });
    await ok(["produce", "orders"], { brokers: bootstrap, input: "one\n" });
    await ok(["consume", "orders", "-g", "billing", "-n", "1"], { brokers: bootstrap });
    expect(await ready(admin)).toMatchObject([200, { ready: true }]);
  }, { dataDir });
  await withBroker(async ({ bootstrap, admin }) => {
    const said = await ok(["wait", "ready"], { brokers: bootstrap });
    expect(said).toMatch(/^ready: 1 broker, \d+ partitions with leaders/);
    expect(await ready(admin)).toMatchObject([200, { ready: true }]);
  }, { dataDir });
});

test("a data directory that cannot be written makes it unready, with the reason", async () => {
  const logDirs = twoDirs();
  await withBroker(async ({ bootstrap, admin }) => {
    expect(await ready(admin)).toMatchObject([200, { ready: true }]);
    rmSync(logDirs[1]!, { recursive: true });
    const dirs = await fetch(new URL("/v1/brokers/1/log-dirs", admin ?? ""));
    expect(await dirs.json())
      .toMatchObject({ logDirs: [{ failed: false }, { path: logDirs[1], failed: true }] });
    for (const topic of ["a", "b", "c"]) {
      const detail = `the data directory ${logDirs[1]} cannot be written: its files are gone`;
      expect(await ready(admin)).toMatchObject([503, { title: "not ready", detail }]);
      const health = await fetch(new URL("/health", admin ?? ""));
      expect([health.status, JSON.stringify(await health.json())])
        .toEqual([503, expect.stringContaining(detail)]);
      expect((await fetch(new URL("/metrics", admin ?? ""))).status).toBe(200);
      // A new partition there makes the folder anew, and no more.
      await ok(["produce", topic], { brokers: bootstrap, input: "x\n" });
    }
  }, { logDirs });
});

test("wait ready waits for leaders that answer and groups that are loaded", async () => {
  await withBroker(async ({ bootstrap, admin }) => {
    const at = { brokers: bootstrap, env: { KSTREAM_ADMIN: admin ?? "" } };
    await ok(["topic", "create", "orders"], at);
    for (
      const [api, error] of [
        ["ListOffsets", "KAFKA_STORAGE_ERROR"],
        ["ListGroups", "COORDINATOR_LOAD_IN_PROGRESS"],
      ] as const
    ) {
      await ok(["dev", "fault", "add", api, `error=${error}`], at);
      await fails(["wait", "ready", "--timeout", "3"], 1, [error], at);
      await ok(["dev", "fault", "clear"], at);
    }
    await ok(["wait", "ready", "--timeout", "5"], at);
  }, { args: ["--dev", "--memory", "--admin", "127.0.0.1:0"] });
});
