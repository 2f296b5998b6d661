/**
 * Members of an application that come, leave, crash, fall silent and lose their connections, on a whole
 * broker on virtual time: under exactly-once every count follows the one before it. More seeds:
 * `KSTREAM_CHURN_SEEDS=1000 bun test stream/runtime/app-churn.test.ts`.
 */
import { expect, test } from "bun:test";
import type { SimClientIo } from "../../tests/sim/client-world.ts";
import { sleep } from "../../core/io.ts";
import { createLogger } from "../../core/logger.ts";
import { TopologyBuilder } from "../dsl/builder.ts";
import { string } from "../serdes/basic-serdes.ts";
import { MemorySnapshots } from "../stores/snapshots/memory-snapshots.test-helper.ts";
import { AppWorld } from "./app-world.test-helper.ts";
import type { StreamsApp } from "./streams-app.ts";
import type { ConfigValue } from "./streams-config.ts";

const SEEDS = Number(process.env["KSTREAM_CHURN_SEEDS"] ?? 2);
const FIRST_SEED = Number(process.env["KSTREAM_CHURN_FIRST"] ?? 1);
/** Found that a member which leaves commits a letter without the offset of its record. */
const SEEDS_BEHIND = [159];
const ROUNDS = 15;
const MEMBERS_MAX = 5;
const WORDS = ["a", "b", "c", "d", "e", "f", "g"];

interface Member {
  readonly name: string;
  readonly app: StreamsApp;
  readonly io: SimClientIo;
  readonly process: Process;
}

/** Members of one share a disk. */
interface Process {
  readonly id: string;
  readonly state: ReturnType<AppWorld["stateDirectory"]> | null;
  threads: number;
  isGone: boolean;
}

/** Lines that begin so cannot be read, or are read and fail a step: they are dead letters, once each. */
const [UNREADABLE, UNUSABLE] = ["?", "!"];
const readable = {
  ...string(),
  deserialize: (bytes: Uint8Array, topic: string) => {
    const text = string().deserialize(bytes, topic);
    if (text.startsWith(UNREADABLE)) throw new Error("no line");
    return text;
  },
};

function topology() {
  const builder = new TopologyBuilder();
  builder.stream("lines", { value: readable })
    .flatMapValues((line) => {
      if (line.startsWith(UNUSABLE)) throw new Error("no line of words");
      return line.split(" ");
    }, string())
    .groupBy("words", (word) => word)
    .count("counts")
    .toStream()
    .mapValues((count) => String(count), string())
    .to("totals");
  return builder.topology;
}

class Churn {
  readonly world: AppWorld;
  readonly members: Member[] = [];
  readonly trouble: string[] = [];
  readonly written = new Map<string, number>();
  readonly letters: string[] = [];
  /** Stores that began with a snapshot. */
  begun = 0;
  readonly snapshots: MemorySnapshots | null;
  #next = 0;

  constructor(
    readonly seed: number,
    readonly config: Readonly<Record<string, ConfigValue>>,
    /** Whether members are threads of processes with stores on disk. */
    readonly hasThreads = false,
    hasSnapshots = false,
  ) {
    this.world = new AppWorld(seed, { lines: 4, totals: 2, dead: 2 }, {
      "group.streams.num.standby.replicas": String(config["num.standby.replicas"]),
    });
    this.snapshots = hasSnapshots ? new MemorySnapshots(this.world.world.clock) : null;
  }

  below(bound: number): number {
    return this.world.world.random.below(bound);
  }

  /** A thread more of a process that is there, or a process more. */
  #process(name: string): Process {
    const { hasThreads, snapshots } = this;
    const some = this.members[this.below(this.members.length + 1)]?.process;
    // Else each machine is a fresh one.
    if (hasThreads && snapshots === null && some !== undefined) return some;
    return {
      id: name,
      state: hasThreads ? this.world.stateDirectory(undefined, 500) : null,
      threads: 0,
      isGone: false,
    };
  }

  async join(): Promise<void> {
    const name = `m${this.#next++}`;
    const host = this.#process(name);
    const { clock } = this.world.world;
    const isTold = process.env["KSTREAM_CHURN_LOG"] !== undefined;
    const logger = createLogger({
      level: "debug",
      format: "text",
      wallMs: () => clock.wallMs(),
      write: (line) => {
        if (line.includes("store begins with a snapshot")) this.begun++;
        if (isTold) console.log(`${name} ${line}`);
      },
    });
    const { app, io } = this.world.app(topology(), {
      "statestore.cache.max.bytes": 0,
      "deserialization.exception.handler": "dlq",
      "processing.exception.handler": "dlq",
      "errors.dead.letter.queue.topic.name": "dead",
      "session.timeout.ms": 10_000,
      "heartbeat.interval.ms": 1000,
      ...this.config,
    }, {
      ...{ processId: host.id, thread: ++host.threads, logger, snapshots: this.snapshots },
      ...(host.state !== null && { state: host.state.beside() }),
    });
    app.failed.catch((error: unknown) => {
      if (this.members.some((each) => each.name === name)) {
        this.trouble.push(`${name}: ${String(error)}`);
      }
    });
    await app.start();
    this.members.push({ name, app, io, process: host });
  }

  take(): Member | undefined {
    return this.members.splice(this.below(this.members.length), 1)[0];
  }

  async write(): Promise<void> {
    const lines = Array.from({ length: 1 + this.below(30) }, () => {
      const words = Array.from(
        { length: 1 + this.below(5) },
        () => WORDS[this.below(WORDS.length)]!,
      );
      for (const word of words) this.written.set(word, (this.written.get(word) ?? 0) + 1);
      return { key: String(this.below(100)), value: words.join(" ") };
    });
    for (const kind of [UNREADABLE, UNUSABLE]) {
      const letter = `${kind}${this.letters.length}`;
      this.letters.push(letter);
      lines.splice(this.below(lines.length), 0, { key: letter, value: letter });
    }
    await this.world.write("lines", lines);
  }

  /** The place of snapshots is as places are. */
  #trySnapshots(): void {
    const { snapshots } = this;
    if (snapshots === null) return;
    const [delayMs, refusal] = [this.below(100), this.below(40)];
    snapshots.delayMs = delayMs;
    snapshots.refuses = (name) => name.length % 40 === refusal || this.below(20) === 0;
  }

  async round(): Promise<void> {
    await this.write();
    this.#trySnapshots();
    const member = this.members[this.below(this.members.length)];
    const act = this.below(6);
    if (this.members.length < 2 || (act === 0 && this.members.length < MEMBERS_MAX)) {
      await this.join();
    } else if (act === 1) {
      await this.take()!.app.close();
    } else if (act === 2) {
      // It goes on by itself, and nobody hears of it.
      const { process } = this.members[this.below(this.members.length)]!;
      process.isGone = true;
      for (const each of this.members.filter((one) => one.process === process)) {
        this.members.splice(this.members.indexOf(each), 1);
        each.io.network.isolate();
      }
    } else if (act === 3) {
      const { network } = member!.io;
      network.isolate();
      // Of a process that is gone by then no thread comes back.
      this.world.world.clock.setTimer(this.below(20_000), () => {
        if (!member!.process.isGone) network.heal();
      });
    } else if (act === 4) {
      member!.io.network.breakAll();
    }
    await sleep(this.world.world.clock, this.below(5000));
  }

  async story(): Promise<void> {
    await this.join();
    for (let i = 0; i < ROUNDS; i++) await this.round();
    if (this.members.length === 0) await this.join();
    const total = [...this.written.values()].reduce((sum, count) => sum + count, 0);
    const found = await this.world.read("totals", (all) => all.length >= total, 200_000);
    const last = new Map<string, number>();
    for (const { key, value } of found) {
      const before = last.get(key!) ?? 0;
      if (Number(value) !== before + 1) this.trouble.push(`${key}: ${value} after ${before}`);
      last.set(key!, Number(value));
    }
    const dead = await this.world.read("dead", (all) => all.length >= this.letters.length);
    for (const { app } of this.members) await app.close();
    expect(dead.map(({ value }) => value!).sort()).toEqual([...this.letters].sort());
    expect(last).toEqual(new Map(this.written));
  }
}

for (const protocol of ["classic", "streams"]) {
  let begun = 0;
  const seeds = Array.from({ length: SEEDS }, (_, at) => FIRST_SEED + at);
  for (const seed of seeds) {
    test(`counts are exact while members come and go, ${protocol}, seed ${seed}`, () => {
      const churn = new Churn(seed, {
        "group.protocol": protocol,
        "num.standby.replicas": seed % 2,
      });
      churn.world.run(() => churn.story());
      expect(churn.trouble).toEqual([]);
    });
  }
  for (const seed of seeds) {
    test(`counts are exact while threads hand over tasks with their state, ${protocol}, seed ${seed}`, () => {
      const config = { "group.protocol": protocol, "num.standby.replicas": seed % 2 };
      const churn = new Churn(seed, config, true);
      churn.world.run(() => churn.story());
      expect(churn.trouble).toEqual([]);
    });
  }
  for (const seed of [...seeds, ...SEEDS_BEHIND]) {
    test(`counts are exact while fresh machines begin with snapshots, ${protocol}, seed ${seed}`, () => {
      const config = {
        ...{ "group.protocol": protocol, "num.standby.replicas": seed % 2 },
        "state.snapshot.interval.ms": 1000,
      };
      const churn = new Churn(seed, config, true, true);
      churn.world.run(() => churn.story());
      expect(churn.trouble).toEqual([]);
      begun += churn.begun;
    });
  }
  // Not with each seed, but with those that always run.
  test(`some have begun with snapshots, ${protocol}`, () => expect(begun).toBeGreaterThan(0));
}
