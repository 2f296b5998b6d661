import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, KSTREAM, startBrokerProcess } from "../harness/broker-process.ts";

const dir = freshDir("hosts");
let broker: Awaited<ReturnType<typeof startBrokerProcess>>;

/** What a token stands for. */
const SESAME = "sesame-of-hosts";

/** Counts; at 20 it does what `mode` says. */
const COUNTER = `
import { defineSource, string } from "kstream/connect";
import { twice } from "./_twice.ts";
import { NAME } from "a-package";
export default defineSource({
  name: NAME, doc: "Counts.", version: "1.0.0",
  config: { topic: string().doc("Where to."), mode: string().default("").doc("What it does."),
    token: string().doc("A secret.") },
  async *read({ config, clock, offsets, signal }) {
    const last = await offsets.get({ counter: "only" });
    for (let n = Number(last?.["n"] ?? 0); !signal.aborted; n++) {
      yield [{
        topic: config.topic, value: { n, twice: twice(n) },
        sourcePartition: { counter: "only" }, sourceOffset: { n: n + 1 },
      }];
      if (n % 50 === 49) console.log("fifty more");
      if (n === 20 && config.mode === "crash") setTimeout(() => { throw new Error("boom " + config.token); }, 0);
      if (n === 20 && config.mode === "exit") process.exit(7);
      if (n === 20 && config.mode === "block") { console.log("blocked now"); for (;;); }
      const hoard = [];
      while (n === 20 && config.mode === "leak") {
        hoard.push(new Array(100_000).fill(n));
        await clock.sleep(1, signal);
      }
      await clock.sleep(5, signal);
    }
  },
});
`;

beforeAll(async () => {
  broker = await startBrokerProcess({ args: [] });
  const files = {
    "connectors/counter.ts": COUNTER,
    "connectors/_twice.ts": "export const twice = (n: number): number => 2 * n;",
    "connectors/counter.test.ts": "throw new Error('tests are not connectors');",
    "connectors/node_modules/a-package/package.json": '{"main":"it.js"}',
    "connectors/node_modules/a-package/it.js": 'exports.NAME = "counter";',
    // Types for editors; what runs is in the binary.
    "connectors/node_modules/kstream/package.json": '{"exports":{"./connect":"./no.js"}}',
    "connectors/node_modules/kstream/no.js": "throw new Error('not this one');",
    "connectors/datagen.ts": COUNTER.replace("name: NAME", 'name: "datagen"'),
    "connectors/nothing.ts": "export const nothing = 1;",
    "connectors/throws.ts": "throw new Error('no luck');",
  };
  for (const [name, text] of Object.entries(files)) await Bun.write(join(dir, name), text);
});

afterAll(async () => {
  await broker.stop();
});

function start(args: readonly string[]) {
  const child = Bun.spawn([KSTREAM, "connect", ...args], {
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, SESAME },
  });
  let said = "";
  const listen = async () => {
    for await (const chunk of child.stderr) said += new TextDecoder().decode(chunk);
  };
  const heard = listen();
  return { child, said: () => said, heard, output: () => new Response(child.stdout).text() };
}

async function until(condition: () => boolean, what: () => string): Promise<void> {
  const deadlineMs = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error(`it never came to be: ${what()}`);
    await Bun.sleep(20);
  }
}

async function runMode(mode: string, ...more: string[]) {
  const path = join(dir, `${mode}.yaml`);
  await Bun.write(
    path,
    `name: ${mode}\nconnector: ./counter.ts\ntopic: topic-${mode}\nmode: ${mode}\n` +
      "token: ${env:SESAME}\n",
  );
  const plugins = join(dir, "connectors");
  return start(["run", path, "-b", broker.bootstrap, "--plugins", plugins, ...more]);
}

/** Processes that one has begun. */
function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.trim().split(" ").filter((part) => part !== "").map(Number);
}

test("connectors of a folder are found, and what is none is said in a line", async () => {
  const { child, output, said, heard } = start([
    ...["plugins", "--json", "--plugins", join(dir, "connectors")],
  ]);
  const all: { name: string }[] = JSON.parse(await output());
  await Promise.all([child.exited, heard]);
  expect(all.filter(({ name }) => name === "counter")).toMatchObject([
    { kind: "source", version: "1.0.0", doc: "Counts." },
  ]);
  expect(all.filter(({ name }) => name === "datagen")).toHaveLength(1);
  const lines = said().trim().split("\n");
  expect(lines).toHaveLength(3);
  expect(said()).toContain('datagen.ts is left out: there is another connector "datagen"');
  expect(said()).toContain("nothing.ts is left out: it has no default export");
  expect(said()).toContain("throws.ts is left out: no luck");
});

for (
  const [mode, why, ...more] of [
    ["crash", "boom ${env:SESAME}"],
    ["exit", "exit code 7"],
    ["leak", "the limit is 200 MiB", "--plugin-memory", "200m"],
  ] as const
) {
  test(`a connector that does this ends its own process: ${mode}`, async () => {
    const { child, said, heard } = await runMode(mode, "--restarts", "0", ...more);
    await Promise.all([child.exited, heard]);
    expect(child.exitCode).toBe(1);
    expect(said()).toContain(why);
    expect(said()).not.toContain(SESAME);
    expect(said()).toContain(`${mode}-0 has failed: the host of this connector has ended`);
  });
}

test("no process stays when the worker is killed, not even one that is blocked", async () => {
  const { child, said } = await runMode("block");
  await until(() => said().includes("blocked now"), said);
  const hosts = childrenOf(child.pid);
  expect(hosts.length).toBeGreaterThan(0);
  child.kill("SIGKILL");
  await child.exited;
  await until(() => hosts.every((pid) => !existsSync(`/proc/${pid}`)), () => hosts.join());
});

test("a source goes on where its offsets are, and ends with its worker in good order", async () => {
  const numbers = async () => {
    const read = Bun.spawn(
      [KSTREAM, "consume", "topic-good", "-e", "-b", broker.bootstrap, "--format", "%v\\n"],
      { stdout: "pipe", stderr: "ignore" },
    );
    const lines = (await new Response(read.stdout).text()).trim().split("\n");
    return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as object);
  };
  for (const run of [1, 2]) {
    const { child, said, heard } = await runMode("good");
    await until(() => said().includes("fifty more"), said);
    child.kill("SIGTERM");
    await Promise.all([child.exited, heard]);
    expect(child.exitCode).toBe(0);
    const read = await numbers();
    expect(read.length).toBeGreaterThanOrEqual(run * 50);
    expect(read).toEqual(read.map((_, n) => ({ n, twice: 2 * n })));
  }
});
