/** What `serve --shards` tells systemd and probes of all its shards. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { z } from "zod";
import { type BrokerProcess, freshDir, withBroker } from "../harness/broker-process.ts";
import { notifySocket } from "../harness/notify-socket.ts";

const HEALTH = z.object({
  healthy: z.boolean(),
  findings: z.array(z.object({ what: z.string(), why: z.string() })),
});

async function ask(admin: string, path: string): Promise<readonly [number, string]> {
  const answer = await fetch(`${admin}${path}`);
  return [answer.status, await answer.text()];
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 30_000; !await holds();) {
    if (Date.now() > deadline) throw new Error("it never came to hold");
    await Bun.sleep(5);
  }
}

async function pidOf(shards: BrokerProcess, name: string, count: number): Promise<number> {
  const line = new RegExp(`(?:a shard serves shard=${name} pid=(\\d+)[^]*){${count}}`);
  return Number((await shards.outputHas(line, 30_000))[1]);
}

test.skipIf(process.platform !== "linux")(
  "each shard answers for all, and one that hangs is started again by the watchdog",
  async () => {
    const path = join(freshDir("notify"), "socket");
    const socket = notifySocket(path);
    const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "3000000" };
    await withBroker(async (shards) => {
      const status = "serving from 3 shards";
      expect(socket.next()).toBe(`READY=1\nSTATUS=${status}`);
      for (const admin of shards.admins) expect((await ask(admin, "/ready"))[0]).toBe(200);
      const second = await pidOf(shards, "shard-1", 1);
      process.kill(second, "SIGSTOP");
      const [first = "", , third = ""] = shards.admins;
      const hangs = "shard-1: it does not answer";
      expect(await ask(first, "/ready")).toEqual([503, expect.stringContaining(hangs)]);
      const [code, text] = await ask(third, "/health");
      expect(code).toBe(503);
      expect(HEALTH.parse(JSON.parse(text)).findings).toContainEqual(
        { what: "not-ready shard-1", why: hangs },
      );
      // Nobody else is touched, and systemd hears that the service lives.
      expect(await pidOf(shards, "shard-1", 2)).not.toBe(second);
      await until(async () => (await ask(first, "/ready"))[0] === 200);
      expect(shards.output().match(/killing a shard: it does not answer/g)).toHaveLength(1);
      expect(shards.output().match(/a shard serves/g)).toHaveLength(4);
    }, { env, args: ["--shards", "3", "--admin", "127.0.0.1:0"] });
    const told = Array.from({ length: 1000 }, () => socket.next()).filter((each) => each !== null);
    socket.close();
    expect(told.filter((each) => each === "WATCHDOG=1").length).toBeGreaterThan(0);
    expect(told.filter((each) => each !== "WATCHDOG=1")).toEqual(["STOPPING=1\nSTATUS=stopping"]);
  },
  120_000,
);
