/** `kstream stream run` in the built binary: an application of a user's, from its start to its end. */
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, KSTREAM, withBroker } from "../harness/broker-process.ts";
import { fails, ok } from "./cli.ts";

const dir = freshDir("stream-run");
const app = join(dir, "words.ts");
writeFileSync(
  app,
  `import { string, TopologyBuilder } from "kstream/stream";
export const config = { "application.id": "words" };
const builder = new TopologyBuilder();
builder.stream("lines", { value: string() })
  .flatMapValues((line) => line.split(" "), string())
  .groupBy("by-word", (word) => word)
  .count("counts")
  .toStream()
  .mapValues((count) => String(count), string())
  .to("totals");
export default builder;
`,
);

/** The application, running; what it says on stderr. */
function start(bootstrap: string, ...args: string[]) {
  const state = freshDir("stream-state");
  const child = Bun.spawn([
    ...[KSTREAM, "stream", "run", app, "-b", bootstrap],
    ...["--set", `state.dir=${state}`, ...args],
  ], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [log, rest] = child.stderr.tee();
  const said = new Response(rest).text();
  return { child, log, said, state };
}

/** The last count of each word, once it is as wanted. */
async function totals(
  brokers: string,
  want: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const deadline = Date.now() + 20_000;
  const args = ["consume", "totals", "-e", "--isolation", "read_committed", "--format", "%k %s\n"];
  for (;;) {
    const lines = (await ok(args, { brokers })).trimEnd().split("\n");
    const found = Object.fromEntries(lines.map((line) => line.split(" ")));
    if (Bun.deepEquals(found, want) || Date.now() > deadline) return found;
    await Bun.sleep(50);
  }
}

test(
  "words are counted, on and on over restarts, and all ends in good order",
  () =>
    withBroker(async ({ bootstrap: brokers }) => {
      await ok(["topic", "create", "lines", "-p", "3"], { brokers });
      await ok(["topic", "create", "totals", "-p", "2"], { brokers });
      const first = start(brokers);
      await ok(["produce", "lines"], { brokers, input: "one two\ntwo\n" });
      expect(await totals(brokers, { one: "1", two: "2" })).toEqual({ one: "1", two: "2" });
      const other = [KSTREAM, "stream", "run", app, "-b", brokers];
      await fails([...other.slice(1), "--set", `state.dir=${first.state}`], 1, [
        'the state of "words"',
        "is in use",
      ]);
      first.child.kill("SIGTERM");
      expect(await first.child.exited).toBe(0);
      const said = await first.said;
      for (const part of ["application: words", "reads:       lines", "stopping"]) {
        expect(said).toContain(part);
      }
      const second = start(brokers, "--log-format", "json", "--set", `state.dir=${first.state}`);
      await ok(["produce", "lines"], { brokers, input: "two three\n" });
      const want = { one: "1", two: "3", three: "1" };
      expect(await totals(brokers, want)).toEqual(want);
      second.child.kill("SIGINT");
      expect(await second.child.exited).toBe(0);
      for (const line of (await second.said).trimEnd().split("\n")) {
        expect(JSON.parse(line)).toHaveProperty("message");
      }
    }),
  60_000,
);

test("what keeps an application from running is one line", () =>
  withBroker(async ({ bootstrap: brokers }) => {
    const run = (
      ...args: string[]
    ) => ["stream", "run", app, "--set", `state.dir=${dir}/s`, ...args];
    await fails(run(), 1, ['topic "lines" does not exist', "kstream topic create lines"], {
      brokers,
    });
    await fails(run("--set", "comit.interval.ms=5"), 2, ['did you mean "commit.interval.ms"?'], {
      brokers,
    });
    await fails(run("--timeout", "1"), 3, ["no broker answers"]);
  }));

test("a step that fails is told with its place, and ends the application when told so", () =>
  withBroker(async ({ bootstrap: brokers }) => {
    const failing = join(dir, "failing.ts");
    writeFileSync(
      failing,
      `import { string, TopologyBuilder } from "kstream/stream";
export const config = { "application.id": "failing", "uncaught.exception.handler": "shutdown-client" };
const builder = new TopologyBuilder();
builder.stream("lines", { value: string() }).foreach((line) => { throw new Error("no luck"); });
export default builder;
`,
    );
    await ok(["topic", "create", "lines"], { brokers });
    await ok(["produce", "lines"], { brokers, input: "secret\n" });
    const args = ["stream", "run", failing, "--log-level", "error", "--log-format", "json"];
    const { stderr } = await fails([...args, "--set", `state.dir=${dir}/f`], 1, [
      "task 0_0 fails in step",
      "at lines-0 offset 0: no luck",
    ], { brokers });
    expect(stderr).not.toContain("secret");
  }));

test(
  "stores are asked over HTTP, whichever member has the key",
  () =>
    withBroker(async ({ bootstrap: brokers }) => {
      await ok(["topic", "create", "lines", "-p", "3"], { brokers });
      await ok(["topic", "create", "totals", "-p", "2"], { brokers });
      await ok(["produce", "lines"], { brokers, input: "one two\ntwo\nthree three three\n" });
      const members = [start(brokers, "--queries", "127.0.0.1:0")];
      const first = await queriesOf(members[0]!.log);
      const token = join(dir, "token");
      writeFileSync(token, "short");
      const bad = ["stream", "run", app, "--queries", "0.0.0.0:0"];
      await fails(bad, 2, ["--queries-advertise"], { brokers });
      await fails([...bad, "--queries-advertise", "10.0.0.1:8090"], 2, ["--queries-token"], {
        brokers,
      });
      await fails([...bad.slice(0, -1), "127.0.0.1:0", "--queries-token", token], 2, ["no token"], {
        brokers,
      });
      members.push(start(brokers, "--queries", "127.0.0.1:0"));
      const urls = [first, await queriesOf(members[1]!.log)];
      for (const url of urls) {
        for (const [word, count] of [["one", 1], ["two", 2], ["three", 3]] as const) {
          const answer = await untilAnswer(`${url}/counts/${word}`, ({ value }) => value === count);
          expect(answer).toMatchObject({ key: word, value: count });
        }
        const { entries } = await untilAnswer(
          `${url}/counts`,
          (each) => each.entries?.length === 3,
        );
        expect(entries).toHaveLength(3);
        const { members: told } = await untilAnswer(url, (each) => each.members?.length === 2);
        expect(told).toHaveLength(2);
      }
      await livesOn(first);
      for (const { child } of members) child.kill("SIGTERM");
      for (const { child } of members) expect(await child.exited).toBe(0);
    }),
  60_000,
);

/** What `describe --live` says of both, from the words that were read to the totals that were written. */
async function livesOn(queries: string): Promise<void> {
  const { origin } = new URL(queries);
  const describe = ["stream", "describe", "--live", origin];
  const live = JSON.parse(await ok([...describe, "--format", "json"]));
  expect(live).toMatchObject({ application: "words", missing: [] });
  expect(live.members).toHaveLength(2);
  const text = await ok(describe);
  for (const part of ["words: 2 members", "reads lines", "keeps counts", "Inputs\nTOPIC"]) {
    expect(text).toContain(part);
  }
  expect(await ok([...describe, "--format", "mermaid"])).toMatch(/<br\/>[1-9]\d* in, /);
  await fails(["stream", "describe", app, "--live", origin], 2, ["both are given"]);
  await fails(["stream", "describe", "--live", "127.0.0.1:9"], 3, ["no member answers"]);
}

/** Where a member answers queries, once it says so. */
async function queriesOf(log: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  // The reader is not cancelled: that would wait for the other half of what the log is split into.
  const reader = log.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    text += new TextDecoder().decode(value);
    const [, url] = /queries: +(\S+)\n/.exec(text) ?? [];
    if (url !== undefined) return url;
  }
  throw new Error(`no address: ${text}`);
}

interface Answer {
  readonly key?: string;
  readonly value?: number;
  readonly entries?: readonly unknown[];
  readonly members?: readonly unknown[];
}

/** The answer once it is as wanted, or the last one. */
async function untilAnswer(url: string, isRight: (answer: Answer) => boolean): Promise<Answer> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const answer: Answer = JSON.parse(await (await fetch(url)).text());
    if (isRight(answer) || Date.now() > deadline) return answer;
    await Bun.sleep(50);
  }
}
