/**
 * `kstream consume --group` as processes: members come, go and are killed while records keep coming.
 * Knows nothing of the broker but its address.
 */
import { strict as assert } from "node:assert";
import { KSTREAM } from "./broker-process.ts";
import { linesOf, runOk } from "./process.ts";

const PARTITIONS = 6;
/** Of members, in the protocol where they say it. */
export const SESSION_MS = 6000;
/** So many lines may be on their way. */
const AHEAD = 600;
const BLOCK = 50;
const WAIT_MS = 60_000;

/** Settings of a broker that make its groups quick enough. */
export const QUICK_GROUPS = {
  "group.initial.rebalance.delay.ms": "0",
  "group.consumer.heartbeat.interval.ms": "300",
  "group.consumer.min.heartbeat.interval.ms": "300",
  "group.consumer.session.timeout.ms": `${SESSION_MS}`,
  "group.consumer.min.session.timeout.ms": `${SESSION_MS}`,
};

/** Flags of the kinds of members that there are. */
export const MEMBER_KINDS: Readonly<Record<string, readonly string[]>> = {
  cooperative: ["--session-timeout", `${SESSION_MS / 1000}s`],
  consumer: ["--group-protocol", "consumer"],
  eager: ["--assignor", "range", "--session-timeout", `${SESSION_MS / 1000}s`],
};

/** A member as a process; its output is gathered. */
export class Member {
  readonly lines: string[] = [];
  errors = "";
  readonly process;
  readonly #read: Promise<unknown>;

  constructor(bootstrap: string, topic: string, flags: readonly string[]) {
    this.process = Bun.spawn(
      [KSTREAM, "consume", topic, "-g", topic, "-b", bootstrap, ...flags],
      { stdout: "pipe", stderr: "pipe" },
    );
    this.#read = Promise.all([this.#gather(), this.#gatherErrors()]);
  }

  async #gather(): Promise<void> {
    for await (const line of linesOf(this.process.stdout)) this.lines.push(line);
  }

  async #gatherErrors(): Promise<void> {
    this.errors = await new Response(this.process.stderr).text();
  }

  /** Until it has printed the line. */
  async prints(line: string): Promise<void> {
    await until(() => this.lines.includes(line));
  }

  /** Interrupts it, which has to end well, or kills it. */
  async end(signal: "SIGINT" | "SIGKILL"): Promise<void> {
    this.process.kill(signal);
    await this.process.exited;
    await this.#read;
    if (signal === "SIGKILL") return;
    assert.equal(this.process.exitCode, 0, this.errors);
    assert.match(
      this.errors,
      /^kstream: interrupted: \d+ records are written and committed[^\n]*\n$/,
    );
  }
}

/** Members of one group, and a producer that goes on as long as they do. */
class Scene {
  readonly members: Member[] = [];
  readonly #producer;
  #sent = 0;
  #ends = false;
  readonly #producing: Promise<void>;

  constructor(
    readonly bootstrap: string,
    readonly topic: string,
    readonly flags: readonly string[],
  ) {
    this.#producer = Bun.spawn([KSTREAM, "produce", topic, "-b", bootstrap], {
      stdin: "pipe",
      stderr: "ignore",
    });
    this.#producing = this.#produce();
  }

  join(): Member {
    const member = new Member(this.bootstrap, this.topic, this.flags);
    this.members.push(member);
    return member;
  }

  printed(): string[] {
    return this.members.flatMap(({ lines }) => lines);
  }

  /** Until each of these has printed so many more lines. */
  async flows(members: readonly Member[], count = 200): Promise<void> {
    const goals = members.map((member) => ({ member, goal: member.lines.length + count }));
    await until(() => goals.every(({ member, goal }) => member.lines.length >= goal));
  }

  /** Stops producing; all that was produced, once it has been printed by somebody. */
  async finish(): Promise<string[]> {
    this.#ends = true;
    await this.#producing;
    await this.#producer.exited;
    const all = Array.from({ length: this.#sent }, (_, i) => `${i}`);
    const printed = () => new Set(this.printed());
    await until(() => printed().size === all.length);
    return all;
  }

  async #produce(): Promise<void> {
    const { stdin } = this.#producer;
    while (!this.#ends) {
      await until(() => this.#ends || this.#sent - new Set(this.printed()).size < AHEAD);
      for (let i = 0; i < BLOCK; i++) stdin.write(`${this.#sent++}\n`);
      await stdin.flush();
    }
    await stdin.end();
  }
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + WAIT_MS;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error("not in time");
    await Bun.sleep(20);
  }
}

const byNumber = (lines: readonly string[]) => lines.toSorted((a, b) => Number(a) - Number(b));

async function begin(bootstrap: string, topic: string, flags: readonly string[]): Promise<Scene> {
  await runOk([KSTREAM, "topic", "create", topic, "-p", `${PARTITIONS}`, "-b", bootstrap]);
  return new Scene(bootstrap, topic, flags);
}

/** Three members at a time come and go: each record is printed once. */
export async function comeAndGo(
  bootstrap: string,
  topic: string,
  flags: readonly string[],
): Promise<void> {
  const scene = await begin(bootstrap, topic, flags);
  const a = scene.join();
  await scene.flows([a]);
  const b = scene.join();
  await scene.flows([a, b]);
  const c = scene.join();
  await scene.flows([a, b, c]);
  await b.end("SIGINT");
  await scene.flows([a, c]);
  const d = scene.join();
  await a.end("SIGINT");
  await scene.flows([c, d]);
  const all = await scene.finish();
  for (const member of [c, d]) await member.end("SIGINT");
  assert.deepEqual(byNumber(scene.printed()), all);
  // Everything is committed: whoever comes next has nothing to read.
  const late = [KSTREAM, "consume", topic, "-g", topic, "-e", "-b", bootstrap, ...flags];
  assert.equal((await runOk(late)).stdout, "");
}

/** One of three members is killed: only what it had not committed comes again. */
export async function killOne(
  bootstrap: string,
  topic: string,
  flags: readonly string[],
): Promise<void> {
  const scene = await begin(bootstrap, topic, flags);
  const [a, b, c] = [scene.join(), scene.join(), scene.join()];
  await scene.flows([a, b, c]);
  await b.end("SIGKILL");
  const d = scene.join();
  await scene.flows([a, c, d]);
  const all = await scene.finish();
  for (const member of [a, c, d]) await member.end("SIGINT");
  assert.deepEqual(byNumber([...new Set(scene.printed())]), all);
  const others = [a, c, d].flatMap((member) => member.lines);
  assert.equal(new Set(others).size, others.length);
}
