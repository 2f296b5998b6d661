/** `num.stream.threads` of `kstream stream run`, in the built binary. */
import { expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, KSTREAM, withBroker } from "../harness/broker-process.ts";
import { fails, ok } from "./cli.ts";

const dir = freshDir("stream-threads");

/** Counts words; each thread that does names itself on standard output. */
const WORDS = `import { string, TopologyBuilder } from "kstream/stream";
export const config = { "application.id": "words", "num.stream.threads": 2 };
const builder = new TopologyBuilder();
const thread = crypto.randomUUID();
let seen = false;
builder.stream("lines", { value: string() })
  .peek((line) => {
    if (line === "leave") process.exit(5);
    if (line === "fail") throw new Error("no luck");
  })
  .flatMapValues((line) => line.split(" "), string())
  .groupBy("by-word", (word) => word)
  .count("counts")
  .toStream()
  .peek(() => {
    if (!seen) console.log("thread " + thread + (Bun.isMainThread ? " is the main one" : ""));
    seen = true;
  })
  .mapValues((count) => String(count), string())
  .to("totals");
export default builder;
`;
const app = join(dir, "words.ts");
writeFileSync(app, WORDS);

const WORD_LIST = Array.from({ length: 40 }, (_, i) => `w${i}`);
const LINES = WORD_LIST.map((word) => `${word}\n`).join("");

/** The application, running. */
class Running {
  readonly #child;
  said = "";
  printed = "";
  readonly #read: Promise<unknown>;

  constructor(brokers: string, state: string, ...args: string[]) {
    this.#child = Bun.spawn([
      ...[KSTREAM, "stream", "run", app, "-b", brokers, "--set", `state.dir=${state}`, ...args],
    ], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    const { stdout, stderr } = this.#child;
    this.#read = Promise.all([
      this.#collect(stdout, (text) => this.printed += text),
      this.#collect(stderr, (text) => this.said += text),
    ]);
  }

  async #collect(stream: ReadableStream<Uint8Array>, take: (text: string) => void) {
    const decoder = new TextDecoder();
    for await (const chunk of stream) take(decoder.decode(chunk, { stream: true }));
  }

  /** The first group of what it says, once it does. */
  async says(pattern: RegExp): Promise<string> {
    await until(() => pattern.test(this.said), () => `${pattern} in ${this.said}`);
    return pattern.exec(this.said)![1] ?? "";
  }

  /** Its exit code. */
  async end(signal: "SIGTERM" | "SIGKILL" | null): Promise<number> {
    if (signal !== null) this.#child.kill(signal);
    const code = await this.#child.exited;
    await this.#read;
    return code;
  }
}

async function until(isSo: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!await isSo()) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what()}`);
    await Bun.sleep(50);
  }
}

/** Every count follows the one before it, up to this one of each word. */
async function expectCounts(brokers: string, count: number): Promise<void> {
  const args = ["consume", "totals", "-e", "--isolation", "read_committed", "--format", "%k %s\n"];
  let counts = new Map<string, number>();
  await until(async () => {
    counts = new Map();
    for (const line of (await ok(args, { brokers })).trimEnd().split("\n")) {
      const [word = "", text = ""] = line.split(" ");
      if (word === "") continue;
      expect([word, text]).toEqual([word, String((counts.get(word) ?? 0) + 1)]);
      counts.set(word, Number(text));
    }
    return WORD_LIST.every((word) => counts.get(word) === count);
  }, () => JSON.stringify([...counts]));
  expect(counts.size).toBe(WORD_LIST.length);
}

async function makeTopics(brokers: string): Promise<void> {
  await ok(["topic", "create", "lines", "-p", "4"], { brokers });
  await ok(["topic", "create", "totals", "-p", "2"], { brokers });
}

test(
  "threads share partitions and a folder; counts are exact over kill -9 and other numbers of them",
  () =>
    withBroker(async ({ bootstrap: brokers }) => {
      await makeTopics(brokers);
      const state = freshDir("stream-state");
      // What is killed is in its group until its session is over.
      const session = ["--set", "session.timeout.ms=6000", "--set", "heartbeat.interval.ms=1000"];
      const first = new Running(brokers, state, ...session);
      await first.says(/threads: +(2)\n/);
      // Which of them joins first has all for a while.
      for (const thread of [1, 2]) {
        await first.says(new RegExp(`thread=${thread} active=(0_\\d,0_\\d,1_\\d,1_\\d) `));
      }
      await ok(["produce", "lines"], { brokers, input: LINES });
      await expectCounts(brokers, 1);
      expect(await first.end("SIGKILL")).not.toBe(0);
      const threads = new Set(first.printed.trimEnd().split("\n"));
      expect(threads.size).toBe(2);
      expect(first.printed).not.toContain("main");
      // What the killed one has left open is in the way until brokers abort it, or the next one does.
      const second = new Running(brokers, state, "--set", "num.stream.threads=3");
      await ok(["produce", "lines"], { brokers, input: LINES });
      await expectCounts(brokers, 2);
      await fails([...["stream", "run", app, "--set", `state.dir=${state}`]], 1, ["is in use"], {
        brokers,
      });
      expect(await second.end("SIGTERM")).toBe(0);
      expect(second.said).toContain("stopping");
      const third = new Running(brokers, state, "--set", "num.stream.threads=1");
      await ok(["produce", "lines"], { brokers, input: LINES });
      await expectCounts(brokers, 3);
      expect(await third.end("SIGTERM")).toBe(0);
      expect(third.printed).toContain("main");
      const tasks = readdirSync(join(state, "words")).filter((name) => /^1_/.test(name));
      expect(tasks.sort()).toEqual(["1_0", "1_1", "1_2", "1_3"]);
      expect(existsSync(join(state, "words", "1_0", "counts"))).toBe(true);
    }),
  180_000,
);

test(
  "a thread that fails or is gone ends all of them, in one line that says which",
  () =>
    withBroker(async ({ bootstrap: brokers }) => {
      await makeTopics(brokers);
      const run = async (line: string, ...settings: readonly string[]) => {
        const args = settings.flatMap((each) => ["--set", each]);
        const id = ["--set", `application.id=app-${line}`, "--log-level", "error"];
        const running = new Running(brokers, freshDir("stream-state"), ...id, ...args);
        await ok(["produce", "lines"], { brokers, input: `${line}\n` });
        expect(await running.end(null)).toBe(1);
        return running.said.trimEnd().split("\n").at(-1)!;
      };
      expect(await run("fail", "uncaught.exception.handler=shutdown-client"))
        .toMatch(/^kstream: task 0_\d fails in step "peek-\d" at lines-\d offset 0: no luck/);
      expect(await run("leave", "processing.exception.handler=continue"))
        .toMatch(/^kstream: thread \d has ended: exit code 5/);
    }),
  120_000,
);

interface Listed {
  readonly endpoint: string;
  readonly stores: readonly {
    readonly name: string;
    readonly here: { readonly running: string[] };
  }[];
}

interface Answer {
  readonly key?: string;
  readonly value?: number;
  readonly entries?: readonly unknown[];
  readonly members?: readonly { readonly endpoint: string }[];
}

test(
  "the process answers queries for all of its threads, and each for itself",
  () =>
    withBroker(async ({ bootstrap: brokers }) => {
      await makeTopics(brokers);
      await ok(["produce", "lines"], { brokers, input: LINES });
      const running = new Running(brokers, freshDir("s"), "--queries", "127.0.0.1:0");
      const url = await running.says(/queries: +(\S+)\n/);
      const ask = async (path: string): Promise<Answer> =>
        JSON.parse(await (await fetch(`${url}${path}`)).text());
      await until(async () => (await ask("")).members?.length === 2, () => "two members");
      await until(async () => (await ask("/counts")).entries?.length === 40, () => "all words");
      const threads = (await ask("")).members!.map(({ endpoint }) => `http://${endpoint}/stores`);
      for (const at of [url, ...threads]) {
        for (const word of WORD_LIST) {
          const answer: Answer = JSON.parse(await (await fetch(`${at}/counts/${word}`)).text());
          expect(answer).toMatchObject({ key: word, value: 1 });
        }
      }
      // Of the process all, of a thread its own.
      const here = async (at: string) => {
        const { endpoint, stores }: Listed = JSON.parse(await (await fetch(at)).text());
        return { endpoint, tasks: stores.find(({ name }) => name === "counts")!.here.running };
      };
      const all = await here(url);
      expect(all.endpoint).toBe(new URL(url).host);
      const own = await Promise.all(threads.map(here));
      expect(all.tasks).toHaveLength(4);
      expect(own.flatMap(({ tasks }) => tasks).sort()).toEqual(all.tasks);
      expect(own.map(({ endpoint }) => `http://${endpoint}/stores`)).toEqual(threads);
      const missing = await fetch(url.replace("/stores", "/threads/3/stores"));
      expect([missing.status, await missing.text()]).toEqual([
        404,
        '{"error":"there is no thread 3"}\n',
      ]);
      const live = await (await fetch(url.replace("/stores", "/topology"))).json();
      expect(live).toMatchObject({ missing: [], members: [{}, {}], taskCounts: { 0: 4, 1: 4 } });
      const page = await fetch(url, { headers: { origin: "http://elsewhere.example" } });
      expect(page.status).toBe(403);
      expect(await running.end("SIGTERM")).toBe(0);
    }),
  120_000,
);

test(
  "queries and pipes that write a topic have threads too; what prints has one",
  () =>
    withBroker(async ({ bootstrap: brokers }) => {
      await ok(["topic", "create", "orders", "-p", "4"], { brokers });
      await ok(["topic", "create", "big", "-p", "1"], { brokers });
      await ok(["topic", "create", "sums", "-p", "1"], { brokers });
      const threads = ["--set", "num.stream.threads=2"];
      await fails(["stream", "sql", "SELECT * FROM orders", ...threads], 2, [
        "printed by one thread",
      ], {
        brokers,
      });
      const orders = WORD_LIST.map((id, i) => JSON.stringify({ id, n: i })).join("\n");
      await ok(["produce", "orders"], { brokers, input: `${orders}\n` });
      const sql = "SELECT id, sum(n) AS n FROM orders GROUP BY id INTO sums";
      const lines = [["sql", sql, "sums"], ["pipe", "orders", "--where", "v.n > 9", "--to", "big"]];
      for (const [at, want] of [40, 30].entries()) {
        const state = ["--set", `state.dir=${freshDir("s")}`];
        const topic = ["sums", "big"][at]!;
        const args = lines[at]!.slice(0, at === 0 ? 2 : undefined);
        const child = Bun.spawn(
          [KSTREAM, "stream", ...args, "-b", brokers, ...threads, ...state],
          { stdin: "ignore", stdout: "pipe", stderr: "pipe" },
        );
        const consume = ["consume", topic, "-e", "--isolation", "read_committed"];
        await until(
          async () => (await ok(consume, { brokers })).trimEnd().split("\n").length === want,
          () => `${want} records in ${topic}`,
        );
        child.kill("SIGTERM");
        expect(await child.exited).toBe(0);
      }
    }),
  120_000,
);
