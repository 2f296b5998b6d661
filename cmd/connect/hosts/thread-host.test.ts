import { afterAll, afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HostedWorker } from "../../../connect/host/hosted-worker.ts";
import { MemoryOffsetStore } from "../../../connect/offsets/memory-offset-store.ts";
import { silentLogger } from "../../../core/logger.ts";
import { clientIo } from "../../client.ts";
import { threadHosts } from "./thread-host.ts";

const dir = mkdtempSync(join(tmpdir(), "kstream-thread-"));
const hosts: HostedWorker[] = [];

afterEach(async () => {
  for (const host of hosts.splice(0)) await host.close();
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

const CONFIG = { name: "c", "connector.class": "file-source", file: "/none", topic: "t" };

/** A host in a thread, where this code is run as well; and by what its connector has failed. */
function hostWith(code: string, limits = { leaseMs: 60_000, stallMs: 2000 }) {
  const script = join(dir, "script.ts");
  const own = join(import.meta.dir, "host-thread.ts");
  writeFileSync(script, `import ${JSON.stringify(own)};\n${code}`);
  const failure = Promise.withResolvers<string>();
  const host = new HostedWorker({
    open: threadHosts(script),
    setup: {
      module: null,
      client: {},
      groupId: "",
      offsetFlushIntervalMs: 1000,
      taskShutdownTimeoutMs: 1000,
      transactionalTopic: null,
      isOffline: true,
      leaseMs: limits.leaseMs,
    },
    stallMs: limits.stallMs,
    world: { io: clientIo, offsets: new MemoryOffsetStore(), log: silentLogger },
    listener: {
      connector: (_name, { trace }) => {
        if (trace !== null) failure.resolve(trace);
      },
      task: () => {},
      changed: () => {},
      topic: () => {},
    },
  });
  hosts.push(host);
  return { host, failure: failure.promise };
}

test("a thread knows the built-in connectors, and is gone when it was told to end", async () => {
  const { host } = hostWith("");
  expect(await host.validate(CONFIG)).toEqual([]);
  const [problem] = await host.validate({ ...CONFIG, mode: "sideways" });
  expect(problem).toMatchObject({ field: "mode" });
  await host.close();
  expect(host.isOver).toBeTrue();
});

for (
  const [what, code, why] of [
    ["throws", 'setTimeout(() => { throw new Error("boom"); }, 0);', "boom"],
    ["rejects", 'void Promise.reject(new Error("boom"));', "boom"],
    ["exits", "setTimeout(() => process.exit(7), 0);", "exit code 7"],
    ["blocks", "setTimeout(() => { for (;;); }, 0);", "it has not answered for"],
    ["cannot be loaded", 'import "./not-there.ts";', "not-there"],
  ] as const
) {
  test(`a thread is gone where its code ${what}, and its connectors fail with why`, async () => {
    const { host, failure } = hostWith(code);
    await host.startConnector("c", CONFIG, "STARTED");
    expect(await failure).toContain(`the host of this connector has ended: `);
    expect(await failure).toContain(why);
    await host.ended;
  });
}

test("a thread that was busy for longer than its lease hears first that its worker is there", async () => {
  const code = `
    const beginMs = performance.now();
    const busy = () => {
      if (performance.now() - beginMs < 200) return setTimeout(busy, 10);
      while (performance.now() - beginMs < 4500);
    };
    busy();`;
  // Long enough that this thread is never late with a message, whatever else the machine does.
  const leaseMs = 1600;
  const { host } = hostWith(code, { leaseMs, stallMs: 20_000 });
  for (let i = 0; i < 5; i++) expect(await host.validate(CONFIG)).toEqual([]);
  await Bun.sleep(4500);
  expect(await host.validate(CONFIG)).toEqual([]);
  await Bun.sleep(leaseMs);
  expect(host.isOver).toBeFalse();
});

test("a thread whose worker stands still ends itself", async () => {
  const { host, failure } = hostWith("", { leaseMs: 400, stallMs: 20_000 });
  expect(await host.validate(CONFIG)).toEqual([]);
  await host.startConnector("c", CONFIG, "STARTED");
  Bun.sleepSync(2000);
  expect(await failure).toContain("exit code 1");
});
