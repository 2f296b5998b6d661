import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Producer } from "../../client/producer.ts";
import { bunClock } from "../../core/io/bun/clock.ts";
import { bunNetwork } from "../../core/io/bun/network.ts";
import { bunRandom } from "../../core/io/bun/random.ts";
import { freshDir, KSTREAM, startBrokerProcess } from "../harness/broker-process.ts";

const dir = freshDir("serve-connect");
const BAD = `
import { defineSource, string } from "kstream/connect";
export default defineSource({
  name: "bad", doc: "Misbehaves.", version: "1.0.0",
  config: { mode: string().doc("How.") },
  async *read({ config, clock, signal }) {
    yield [{ topic: "bad", value: config.mode }];
    if (config.mode === "crash") process.exit(3);
    const hoard = [];
    while (config.mode === "leak") {
      hoard.push(new Array(100_000).fill(1));
      await clock.sleep(1, signal);
    }
    for (;;);
  },
});
`;

type Broker = Awaited<ReturnType<typeof startBrokerProcess>>;
let broker: Broker;

beforeAll(async () => {
  await Bun.write(join(dir, "connectors/bad.ts"), BAD);
  broker = await start();
});

afterAll(async () => {
  await broker.stop("SIGKILL");
});

/** On disk, so that it can be started again. */
function start(): Promise<Broker> {
  return startBrokerProcess({
    dataDir: join(dir, "data"),
    args: [
      ...["--topic", "orders", "--connect", "--connect-rest", "127.0.0.1:0"],
      ...["--connect-plugins", join(dir, "connectors"), "--connect-memory", "200m"],
    ],
  });
}

async function restOf(one: Broker): Promise<string> {
  const [, url = ""] = await one.outputHas(/connectors run beside this broker.*rest=(\S+)/, 20_000);
  return url;
}

async function put(rest: string, name: string, config: Record<string, string>): Promise<void> {
  const response = await fetch(`${rest}/connectors/${name}/config`, {
    method: "PUT",
    body: JSON.stringify(config),
    headers: { "content-type": "application/json" },
  });
  expect([response.status, await response.text()]).toEqual([201, expect.anything()]);
}

/** Where it stands; null: it has no task yet. */
async function task(rest: string, name: string): Promise<{ state: string; trace?: string } | null> {
  const response = await fetch(`${rest}/connectors/${name}/status`);
  if (!response.ok) return null;
  const status: { tasks: { state: string; trace?: string }[] } = await response.json();
  return status.tasks[0] ?? null;
}

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  const deadlineMs = performance.now() + 30_000;
  while (!await condition()) {
    if (performance.now() > deadlineMs) throw new Error(`it never came to be: ${broker.output()}`);
    await Bun.sleep(20);
  }
}

/** How long each of so many records takes, one after the other: the 99th of a hundred, in ms. */
async function p99(records: number): Promise<number> {
  const io = { clock: bunClock, random: bunRandom, network: bunNetwork };
  const producer = new Producer(io, { brokers: [broker.bootstrap], lingerMs: 0 });
  const tookMs: number[] = [];
  await producer.send({ topic: "orders", value: new Uint8Array(100) });
  for (let i = 0; i < records; i++) {
    const beganMs = performance.now();
    await producer.send({ topic: "orders", value: new Uint8Array(100) });
    tookMs.push(performance.now() - beganMs);
  }
  await producer.close();
  return tookMs.sort((a, b) => a - b)[Math.floor(records * 0.99)] ?? 0;
}

test("connectors that block, leak and crash hurt nobody but themselves", async () => {
  const rest = await restOf(broker);
  const before = await p99(300);
  for (const mode of ["block", "leak", "crash"]) {
    await put(rest, mode, { "connector.class": "bad", mode });
  }
  await put(rest, "good", { "connector.class": "datagen", topic: "good", template: '{"a":1}' });
  const why: Readonly<Record<string, string>> = { leak: "200 MiB", crash: "exit code 3" };
  for (const [mode, trace] of Object.entries(why)) {
    await until(async () => (await task(rest, mode))?.trace?.includes(trace) === true);
  }
  await until(async () => (await task(rest, "good"))?.state === "RUNNING");
  const metrics = async (accept: string) => {
    const response = await fetch(`${broker.admin}/metrics`, { headers: { accept } });
    return await response.text();
  };
  const written =
    /^kafka_connect_source_task_metrics_source_record_write_total\{.*"good".*\} [1-9]/m;
  // Beside the broker's own, one text.
  await until(async () => written.test(await metrics("text/plain")));
  const open = await metrics("application/openmetrics-text");
  expect(open).toMatch(written);
  expect(open).toMatch(/^kstream_connections\{/m);
  expect(open.match(/# EOF/g)).toHaveLength(1);
  const beside = await p99(300);
  // One of them keeps a processor busy, others keep starting: the kernel shares out what there is.
  expect(beside).toBeLessThan(Math.max(250, 50 * before));
});

test("connectors end and go on with their broker, and none is left when it is killed", async () => {
  const hosts = () => {
    const text = readFileSync(`/proc/${broker.pid}/task/${broker.pid}/children`, "utf8");
    return text.trim().split(" ").filter((part) => part !== "");
  };
  const gone = (pids: readonly string[]) => pids.every((pid) => !existsSync(`/proc/${pid}`));
  // One that is blocked has to be killed, which takes its time.
  for (const name of ["block", "leak", "crash"]) {
    await fetch(`${await restOf(broker)}/connectors/${name}`, { method: "DELETE" });
  }
  const before = hosts();
  expect(before.length).toBeGreaterThan(0);
  expect(await broker.stop()).toBe(0);
  expect(gone(before)).toBe(true);
  broker = await start();
  const rest = await restOf(broker);
  await until(async () => (await task(rest, "good"))?.state === "RUNNING");
  await until(() => hosts().length > 0);
  const after = hosts();
  await broker.stop("SIGKILL");
  await until(() => gone(after));
});

test("what cannot be meant is refused before the broker starts", async () => {
  const refused = async (...args: string[]) => {
    const command = [KSTREAM, "serve", "--memory", "--listen", "127.0.0.1:0", ...args];
    const child = Bun.spawn(command, { stdout: "ignore", stderr: "pipe" });
    const said = await new Response(child.stderr).text();
    expect(await child.exited).toBe(2);
    return said;
  };
  expect(await refused("--connect-plugins", "there")).toContain("give --connect as well");
  expect(await refused("--connect", "--shards", "2")).toContain("do not go together");
  expect(await refused("--connect", "--connect-profile", "none")).toContain("no profile");
});
