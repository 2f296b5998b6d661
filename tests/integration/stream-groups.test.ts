/** `group.protocol=streams` of `kstream stream run`, in the built binary over our own broker. */
import { afterAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, KSTREAM, withBroker } from "../harness/broker-process.ts";
import { freePorts } from "../harness/free-ports.ts";
import { fails, kstream, ok } from "./cli.ts";

const dir = freshDir("stream-groups");

/** Words of lines, counted in a store of this name. */
function words(store: string): string {
  const path = join(dir, `${store}.ts`);
  writeFileSync(
    path,
    `import { string, TopologyBuilder } from "kstream/stream";
export const config = {
  "application.id": "words",
  "group.protocol": "streams",
  "statestore.cache.max.bytes": 0,
  "transaction.timeout.ms": 5000,
};
const builder = new TopologyBuilder();
builder.stream("lines", { value: string() })
  .groupBy("by-word", (word) => word)
  .count("${store}")
  .toStream()
  .mapValues((count) => String(count), string())
  .to("totals");
export default builder;
`,
  );
  return path;
}

/** So that a member that was killed is gone soon. */
const BROKER = [
  "--memory",
  ...["--topic", "lines:4", "--topic", "totals:2"],
  ...["--set", "group.streams.min.session.timeout.ms=1000"],
  ...["--set", "group.streams.session.timeout.ms=6000"],
  ...["--set", "group.streams.min.heartbeat.interval.ms=100"],
  ...["--set", "group.streams.heartbeat.interval.ms=500"],
  ...["--set", "group.streams.initial.rebalance.delay.ms=0"],
  ...["--set", "transaction.abort.timed.out.transaction.cleanup.interval.ms=500"],
];

const members: Bun.Subprocess[] = [];

/** A test that fails leaves none behind. */
afterAll(async () => {
  for (const member of members) member.kill("SIGKILL");
  await Promise.all(members.map(({ exited }) => exited));
});

/** A member, running. */
function start(app: string, brokers: string, state: string, ...args: string[]) {
  const member = Bun.spawn([
    ...[KSTREAM, "stream", "run", app, "-b", brokers, "--set", `state.dir=${join(dir, state)}`],
    ...args,
  ], { stdin: "ignore", stdout: "ignore", stderr: Bun.file(join(dir, `${state}.log`)) });
  members.push(member);
  return member;
}

async function end(member: Bun.Subprocess): Promise<void> {
  member.kill("SIGTERM");
  expect(await member.exited).toBe(0);
}

async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 90_000;
  while (!await isSo()) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}, see ${dir}`);
    await Bun.sleep(100);
  }
}

interface Described {
  readonly type: string;
  readonly members: readonly {
    readonly tasks: { readonly active: readonly { readonly partitions: readonly number[] }[] };
  }[];
}

/** Until members have so many tasks. */
function awaitShares(brokers: string, want: readonly number[]): Promise<void> {
  return until(async () => {
    const { exitCode, stdout } = await kstream(["group", "describe", "words", "--json"], {
      brokers,
    });
    if (exitCode !== 0) return false;
    const [{ type, members }] = JSON.parse(stdout) as [Described];
    // Of offsets alone, until somebody joins.
    if (type !== "streams") return false;
    const shares = members.map(({ tasks }) =>
      tasks.active.reduce((sum, { partitions }) => sum + partitions.length, 0)
    );
    return Bun.deepEquals(shares.toSorted(), want);
  }, `shares of ${want.join(", ")}`);
}

/** Until each word was counted from 1 to so much, without a gap. */
function awaitCounts(brokers: string, want: Readonly<Record<string, number>>): Promise<void> {
  const args = ["consume", "totals", "-e", "--isolation", "read_committed", "--format", "%k %s\n"];
  return until(async () => {
    const counts: Record<string, number> = {};
    for (const line of (await ok(args, { brokers })).split("\n").filter((each) => each !== "")) {
      const [word = "", count] = line.split(" ");
      expect([word, Number(count)]).toEqual([word, (counts[word] ?? 0) + 1]);
      counts[word] = Number(count);
    }
    return Bun.deepEquals(counts, want);
  }, "counts");
}

const WORDS = Array.from({ length: 20 }, (_, i) => `w${i}`);
const upTo = (count: number) => Object.fromEntries(WORDS.map((word) => [word, count]));

async function say(brokers: string, times: number): Promise<void> {
  const input = Array.from({ length: times }, () => WORDS.map((word) => `${word}\n`).join(""));
  await ok(["produce", "lines"], { brokers, input: input.join("") });
}

test(
  "two members share tasks, one is killed, and every count follows the one before",
  () =>
    withBroker(async ({ bootstrap: brokers }) => {
      const app = words("counts");
      const [port] = await freePorts(1);
      const first = start(app, brokers, "one", "--queries", `127.0.0.1:${port}`);
      const other = start(app, brokers, "other");
      await awaitShares(brokers, [4, 4]);
      await say(brokers, 50);
      await awaitCounts(brokers, upTo(50));
      await say(brokers, 50);
      other.kill("SIGKILL");
      await other.exited;
      await say(brokers, 50);
      await awaitShares(brokers, [8]);
      await awaitCounts(brokers, upTo(150));
      const stores = `http://127.0.0.1:${port}/stores`;
      const { members } = await (await fetch(stores)).json() as { members: { endpoint: string }[] };
      expect(members.map(({ endpoint }) => endpoint)).toEqual([`127.0.0.1:${port}`]);
      expect(await (await fetch(`${stores}/counts/w3`)).json()).toMatchObject({ value: 150 });
      const again = start(app, brokers, "other");
      await awaitShares(brokers, [4, 4]);
      await say(brokers, 50);
      await awaitCounts(brokers, upTo(200));
      await end(first);
      await end(again);
    }, { args: BROKER }),
  240_000,
);

test(
  "another topology is refused in a line, until the group is made anew",
  () =>
    withBroker(async ({ bootstrap: brokers }) => {
      const at = { brokers, cwd: dir };
      const first = start(words("counts"), brokers, "first");
      await say(brokers, 10);
      await awaitCounts(brokers, upTo(10));
      await end(first);
      const changed = words("totals-by-word");
      const state = ["--set", `state.dir=${join(dir, "second")}`];
      await fails(
        ["stream", "run", changed, "--log-format", "json", "--log-level", "error", ...state],
        1,
        [
          'this member cannot work in group "words"',
          "does not take its topology",
        ],
        at,
      );
      // Its offsets stay, so nothing is read twice; the new store begins with nothing.
      const offsets = await ok(["group", "describe", "words", "--json"], at);
      writeFileSync(join(dir, "offsets.json"), offsets);
      await ok(["group", "delete", "words"], at);
      await ok(
        ["group", "seek", "words", "--create", "--to-file", "offsets.json", "--execute"],
        at,
      );
      const second = start(changed, brokers, "second");
      await awaitShares(brokers, [8]);
      await say(brokers, 1);
      const fresh = () => ok(["consume", "totals", "-e", "--format", "%k %s\n"], at);
      await until(
        async () => (await fresh()).split("\n").length === 1 + 11 * WORDS.length,
        "counts",
      );
      await end(second);
      // From the beginning on.
      const shown = await ok(["stream", "reset", words("counts"), ...state, "--execute"], at);
      expect(shown).toContain("deleted: topology of group words");
      const third = start(words("counts"), brokers, "third");
      await until(
        async () => (await fresh()).split("\n").filter((line) => line === "w3 11").length === 1,
        "all counted again",
      );
      await end(third);
    }, { args: BROKER }),
  240_000,
);

test("a broker that does not offer the protocol is told in a line", () =>
  withBroker(async ({ bootstrap: brokers }) => {
    const state = ["--set", `state.dir=${join(dir, "classic")}`];
    await fails(
      ["stream", "run", words("counts"), "--log-format", "json", "--log-level", "error", ...state],
      1,
      [
        "the brokers do not offer group.protocol=streams",
        "take group.protocol=classic",
      ],
      { brokers },
    );
  }, {
    args: [...BROKER, "--set", "group.coordinator.rebalance.protocols=classic,consumer"],
  }));
