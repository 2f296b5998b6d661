/** `kstream stream` with modules of users, in the built binary. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, KSTREAM, withBroker } from "../harness/broker-process.ts";
import { fails, kstream, ok } from "./cli.ts";

const dir = freshDir("stream");

/** Writes a module that counts words into a store, and gives its path. */
function counting(file: string, store: string, value = "safeLong()"): string {
  const path = join(dir, file);
  writeFileSync(
    path,
    `import { json, safeLong, string, TopologyBuilder } from "kstream/stream";
export const config = { "application.id": "words" };
export default ({ prefix = "" }: { prefix?: string }) => {
  const builder = new TopologyBuilder();
  builder.stream(prefix + "lines", { value: string() })
    .groupBy("by-word", (word) => word, { key: string() })
    .count("${store}", { value: ${value} })
    .toStream().to("words");
  return builder;
};
`,
  );
  return path;
}

/** Writes a module with this text, and gives its path. */
function module(file: string, text: string): string {
  const path = join(dir, file);
  writeFileSync(path, text);
  return path;
}

test("an application is described, and so is what comes of changing it", async () => {
  const before = counting("before.ts", "counts");
  expect(await ok(["stream", "describe", before, "--set", "prefix=my-"])).toContain("[my-lines]");
  expect(await ok(["stream", "describe", before, "--format", "mermaid"])).toStartWith("flowchart");
  const saved = module("saved.json", await ok(["stream", "describe", before, "--format", "json"]));
  expect((await kstream(["stream", "diff", saved, before])).stderr).toContain("nothing");
  const moved = counting("moved.ts", "totals");
  expect(await ok(["stream", "diff", saved, moved])).toMatch(
    /^orphan +store +counts .*APP-counts-changelog.*\nbegin +store +totals /m,
  );
  const other = counting("other.ts", "counts", "json()");
  const { stdout, stderr, exitCode } = await kstream(["stream", "diff", saved, other, "--json"]);
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining("stream reset")]);
  const detail = expect.stringContaining("cannot be read");
  expect(JSON.parse(stdout)).toEqual({
    compatible: false,
    changes: [
      { effect: "reset", what: "store", name: "counts", detail },
      expect.objectContaining({ effect: "note", what: "output topic", name: "words" }),
    ],
  });
});

test("a module that is no application is refused with the place and the reason", async () => {
  const describe = (path: string, words: readonly string[]) =>
    fails(["stream", "describe", path], 2, words);
  await describe(join(dir, "nowhere.ts"), ["there is no"]);
  await describe(module("none.ts", "export const x = 1;"), ["has no default export", "export"]);
  await describe(module("seven.ts", "export default 7;"), ["does not give a topology"]);
  await describe(module("syntax.ts", "export default (;"), ["line 1, column 17"]);
  await describe(module("import.ts", 'import "./gone.ts";'), ["./gone.ts"]);
  await describe(module("throws.ts", 'throw new TypeError("so it is");'), [
    "so it is",
    "throws.ts",
  ]);
  const builder =
    'import { TopologyBuilder } from "kstream/stream";\nconst b = new TopologyBuilder();\n';
  await describe(module("empty.ts", `${builder}export default b;`), ["no steps"]);
  await describe(
    module("unnamed.ts", `${builder}b.stream("a").selectKey(() => "k").groupByKey();`),
    ["groupByKey({ name: … })"],
  );
  await describe(module("config.ts", `${builder}export const config = 3; export default b;`), [
    "config of",
  ]);
  mkdirSync(join(dir, "folder"));
  await describe(join(dir, "folder"), ["is a folder", "name the module in it"]);
  await describe(module("words.txt", "a"), ["no module of TypeScript", "name a .ts or .js"]);
  await describe(module("wrong.json", "[]"), ["no description", "--format json"]);
});

test("settings are listed, with their defaults", async () => {
  const listed = JSON.parse(await ok(["stream", "settings", "--json"])) as {
    readonly settings: readonly { readonly name: string }[];
  };
  expect(listed.settings.map(({ name }) => name)).toContain("num.standby.replicas");
  expect(await ok(["stream", "settings", "processing.guarantee"])).toMatch(
    /^SETTING .*\nprocessing.guarantee +exactly_once_v2 .*exactly_once_v2 or at_least_once\n$/,
  );
  await fails(["stream", "settings", "comit.interval.ms"], 2, [
    'did you mean "commit.interval.ms"?',
  ]);
});

test("a new application does what is printed, and its test passes without anything installed", async () => {
  const cwd = freshDir("stream-new");
  const made = await ok(["stream", "new", "my-words"], { cwd });
  const printed = made.split("\n").filter((line) => line.startsWith("  kstream "))
    .map((line) => line.trim().split(" ").slice(1));
  expect(printed.map(([, verb]) => verb)).toEqual(["describe", "test", "run"]);
  expect(await ok(printed[0]!, { cwd })).toContain("my-words-lines");
  const tested = await kstream(printed[1]!, { cwd });
  expect([tested.exitCode, tested.stderr]).toEqual([0, expect.stringContaining("1 pass")]);
  await fails(["stream", "new", "my-words"], 2, ["not empty"], { cwd });
  await fails(["stream", "new", "My Words"], 2, ["write it as word-counts"], { cwd });
});

test("tests of applications fail with the exit code of a failure; names choose among them", async () => {
  const path = module(
    "two.test.ts",
    `import { expect, test } from "bun:test";
import { string, TopologyBuilder } from "kstream/stream";
import { TestDriver } from "kstream/stream/testing";
const builder = new TopologyBuilder();
builder.stream("in", { value: string() }).to("out");
test("well", () => {
  const driver = new TestDriver(builder);
  driver.input("in", string(), string()).write("k", "v");
  expect(driver.output("out", string(), string()).readPairs()).toEqual([["k", "v"]]);
});
test("badly", () => expect(1).toBe(2));
`,
  );
  const both = await kstream(["stream", "test", path]);
  expect([both.exitCode, both.stderr]).toEqual([1, expect.stringContaining("1 fail")]);
  const one = await kstream(["stream", "test", path, "-t", "well"]);
  expect([one.exitCode, one.stderr]).toEqual([0, expect.stringContaining("1 pass")]);
  await fails(["stream", "test", join(dir, "gone.test.ts")], 2, ["there is no"]);
});

test(
  "a reset shows what it would do, waits for the members to be gone, and then does it",
  async () => {
    const topics = [
      "lines:2",
      "words-counts-changelog",
      "words-old-changelog",
      "words-eu-x-changelog",
    ];
    await withBroker(async ({ bootstrap }) => {
      const at = { brokers: bootstrap, cwd: freshDir("stream-reset") };
      const app = counting("reset.ts", "counts");
      const reset = (...more: string[]) => ["stream", "reset", app, ...more];
      await ok(["produce", "lines", "-p", "0"], { ...at, input: "1\n2\n3\n" });
      await ok(["consume", "lines", "-g", "words", "-n", "3"], at);
      // Another application, to which topics belong that begin as ours do.
      await ok(
        ["group", "seek", "words-eu", "--create", "--to", "end", "-t", "lines", "--execute"],
        at,
      );
      mkdirSync(join(at.cwd, "kstream-state/words/1_0"), { recursive: true });
      const snapshots = join(at.cwd, "snapshots/words");
      mkdirSync(join(snapshots, "words-counts-changelog/0"), { recursive: true });
      writeFileSync(join(snapshots, "words-counts-changelog/0/some"), "");
      const member = Bun.spawn([KSTREAM, "consume", "lines", "-g", "words", "-b", bootstrap], {
        stdout: "pipe",
        stderr: "ignore",
      });
      await ok(["wait", "group", "words", "--state", "Stable"], at);
      await fails(reset("--execute"), 1, ["has 1 live member", "stop its members"], at);
      const shown = await kstream(reset(), at);
      expect(shown.stderr).toContain("--execute would refuse");
      expect(shown.stdout).toMatch(/^lines +0 +3 +0 +-3$/m);
      expect(shown.stdout).toContain("to delete: topic words-counts-changelog\n");
      expect(shown.stdout).toContain("left alone: topic words-old-changelog\n");
      member.kill("SIGTERM");
      await member.exited;
      // What is no state of an application is not removed, nor is anything else done then.
      const foreign = join(at.cwd, "kstream-state/words/letters.txt");
      writeFileSync(foreign, "dear reader");
      await fails(reset("--execute"), 1, ["is not a state directory", "letters.txt"], at);
      rmSync(foreign);
      const withSnapshots = ["--set", `state.snapshot.dir=${join(at.cwd, "snapshots")}`];
      expect(await ok(reset(...withSnapshots), at)).toContain(
        `to delete: snapshots in ${snapshots}`,
      );
      const done = JSON.parse(
        await ok(reset(...withSnapshots, "--execute", "--orphans", "--json"), at),
      );
      const { offsets, ...others } = done;
      expect(offsets.length).toBe(2);
      expect(others).toEqual({
        ...{
          applicationId: "words",
          executed: true,
          stateFolder: "kstream-state/words",
          snapshots,
        },
        topics: ["words-counts-changelog", "words-old-changelog"],
        spared: ["words-eu-x-changelog"],
      });
      expect(existsSync(join(at.cwd, "kstream-state/words"))).toBe(false);
      expect(existsSync(snapshots)).toBe(false);
      const left = await ok(["topic", "list"], at);
      expect(left).not.toContain("words-counts-changelog");
      expect(left).toContain("words-eu-x-changelog");
      const [group] = JSON.parse(await ok(["group", "describe", "words", "--json"], at));
      expect(group.partitions[0]).toMatchObject({ topic: "lines", committedOffset: 0 });
      // Once more, and by the id alone.
      const byId = ["stream", "reset", "--application-id", "words", "-t", "lines", "--to", "end"];
      expect(JSON.parse(await ok([...byId, "--json"], at)).offsets[0]).toMatchObject({
        newOffset: 3,
      });
      await fails(["stream", "reset"], 2, ["which application"], at);
      await fails(["stream", "reset", "--application-id", "words"], 2, ["--topic"], at);
    }, { args: ["--memory", ...topics.flatMap((topic) => ["--topic", topic])] });
  },
  60_000,
);
