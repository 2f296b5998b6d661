/** Applications whose machines have no state: snapshots are taken, and begun with, on virtual time. */
import { expect, test } from "bun:test";
import { sleep } from "../../core/io.ts";
import { createLogger } from "../../core/logger.ts";
import type { StoreFigures } from "../../core/streams/live-application.ts";
import { TopologyBuilder } from "../dsl/builder.ts";
import { string } from "../serdes/basic-serdes.ts";
import { MemorySnapshots } from "../stores/snapshots/memory-snapshots.test-helper.ts";
import { AppWorld } from "./app-world.test-helper.ts";
import type { StreamsApp } from "./streams-app.ts";
import type { ConfigValue } from "./streams-config.ts";

const KEYS = 50;
const ROUNDS = 10;
const LIMIT_MS = 3 * 3_600_000;
const BEGUN = /store begins with a snapshot of (.*) task=\S+ store=counts offset=(\d+) left=(\d+)/;

function topology() {
  const builder = new TopologyBuilder();
  builder.stream("lines", { key: string(), value: string() }).groupByKey().count("counts")
    .toStream()
    .mapValues((count) => String(count), string())
    .to("totals");
  return builder.topology;
}

class Story {
  readonly world: AppWorld;
  readonly place: MemorySnapshots;
  readonly lines: string[] = [];
  #rounds = 0;

  constructor(seed: number, topics: Readonly<Record<string, number>> = { lines: 1, totals: 1 }) {
    this.world = new AppWorld(seed, topics);
    this.place = new MemorySnapshots(this.world.world.clock);
  }

  run(story: () => Promise<void>): void {
    this.world.run(story, LIMIT_MS);
  }

  get clock() {
    return this.world.world.clock;
  }

  /** A member on a machine that has nothing. */
  async start(config: Readonly<Record<string, ConfigValue>> = {}): Promise<StreamsApp> {
    const logger = createLogger({
      level: "info",
      format: "text",
      wallMs: () => this.clock.wallMs(),
      write: (line) => void this.lines.push(line),
    });
    const { app } = this.world.app(topology(), {
      ...{ "statestore.cache.max.bytes": 0, "state.snapshot.interval.ms": 10_000, ...config },
    }, {
      logger,
      state: this.world.stateDirectory(undefined, 2000).beside(),
      snapshots: this.place,
    });
    await app.start();
    return app;
  }

  /** Writes to each key once, and waits for what comes of it. */
  async round(): Promise<void> {
    const keys = Array.from({ length: KEYS }, (_, i) => ({ key: `k${i}`, value: "" }));
    await this.world.write("lines", keys);
    this.#rounds++;
    const found = await this.world.read("totals", (all) => all.length >= this.#rounds * KEYS);
    const last = found.slice(-KEYS).map(({ value }) => value);
    expect(new Set(last)).toEqual(new Set([String(this.#rounds)]));
  }

  async until(what: string, isSo: () => boolean, withinMs = 120_000): Promise<void> {
    for (const endMs = this.clock.monotonicMs() + withinMs; !isSo(); await sleep(this.clock, 100)) {
      if (this.clock.monotonicMs() > endMs) {
        throw new Error(`not ${what}:\n${this.lines.join("\n")}`);
      }
    }
  }

  told(pattern: RegExp): RegExpExecArray[] {
    return this.lines.flatMap((line) => {
      const match = pattern.exec(line);
      return match === null ? [] : [match];
    });
  }

  records(): string[] {
    return [...this.place.objects.keys()].filter((name) => name.endsWith(".snapshot"));
  }
}

test("a fresh machine begins with a snapshot and reads the rest of the changelog", () => {
  const story = new Story(1);
  story.run(async () => {
    const first = await story.start();
    for (let i = 0; i < ROUNDS; i++) {
      await story.round();
      await sleep(story.clock, 20_000);
    }
    expect(story.records()).toHaveLength(2);
    await story.round();
    await first.close();
    await sleep(story.clock, 600_000);
    const second = await story.start();
    await story.round();
    const [begun, ...more] = story.told(BEGUN);
    expect(more).toEqual([]);
    expect(begun![1]).toBe("10 minutes ago");
    // Each transaction has a marker as well.
    expect(Number(begun![2])).toBeGreaterThanOrEqual(ROUNDS * KEYS);
    expect(Number(begun![3])).toBeLessThan(2 * KEYS);
    await story.round();
    // A store that has moved on is copied on, whoever has begun it.
    const before = story.records();
    await sleep(story.clock, 20_000);
    await story.round();
    await story.until("another one", () => story.records().some((name) => !before.includes(name)));
    await second.close();
  });
});

test("snapshots are taken at most every interval, and where a store has moved on", () => {
  const story = new Story(2);
  story.run(async () => {
    const app = await story.start({ "state.snapshot.interval.ms": 60_000 });
    await story.round();
    await story.until("a snapshot", () => story.records().length === 1);
    await sleep(story.clock, 30_000);
    await story.round();
    expect(story.records()).toHaveLength(1);
    const [{ snapshot }] = app.figures().stores as [StoreFigures];
    expect(snapshot!.ageMs).toBeWithin(29_000, 60_000);
    expect(snapshot!.failure).toBeNull();
    // Nothing is processed meanwhile: what was committed before is due.
    await story.until("the next", () => story.records().length === 2);
    const names = story.records();
    await sleep(story.clock, 600_000);
    expect(story.records()).toEqual(names);
    await app.close();
    // Who comes next does not begin with one more.
    const next = await story.start({ "state.snapshot.interval.ms": 3_600_000 });
    await story.round();
    await sleep(story.clock, 60_000);
    expect(story.records()).toEqual(names);
    await next.close();
  });
});

test("a copy that stands by begins with a snapshot too", () => {
  const story = new Story(3);
  story.run(async () => {
    const config = { "num.standby.replicas": 1 };
    const owner = await story.start(config);
    for (let i = 0; i < ROUNDS; i++) await story.round();
    await story.until("a snapshot", () => story.records().length > 0);
    const copy = await story.start(config);
    await story.until("a copy", () => {
      const [task] = copy.status().standby;
      return task !== undefined && copy.storeOf(task, "counts")?.lag === 0;
    });
    expect(story.told(BEGUN)).toHaveLength(1);
    await owner.close();
    await story.until("to run", () => copy.status().running.length === 1);
    await story.round();
    await copy.close();
  });
});

test("a place that is full, or silent, keeps nobody from work", () => {
  const story = new Story(4, { lines: 12, totals: 1 });
  story.run(async () => {
    story.place.refuses = () => true;
    const first = await story.start();
    for (let i = 0; i < ROUNDS; i++) {
      await story.round();
      await sleep(story.clock, 60_000);
    }
    const told = story.told(/no snapshot is taken now.*ENOSPC/);
    // Less and less often.
    expect(told.length).toBeGreaterThan(2);
    expect(told.length).toBeLessThan(12);
    const failures = () => new Set(first.figures().stores.map((each) => each.snapshot?.failure));
    expect([...failures()].join()).toStartWith("ENOSPC: app-counts-changelog/");
    story.place.refuses = () => false;
    await story.until("a snapshot", () => story.records().length > 0, 900_000);
    await story.until("no trouble any more", () => failures().has(null), 900_000);
    await first.close();
    story.place.isSilent = true;
    const second = await story.start();
    const beganMs = story.clock.monotonicMs();
    await story.round();
    expect(story.clock.monotonicMs() - beganMs).toBeLessThan(60_000);
    expect(story.told(/no snapshot can be fetched: the changelog is read.*30000/)).toHaveLength(1);
    await sleep(story.clock, 300_000);
    await story.round();
    expect(story.told(/a snapshot gets no further/)).toHaveLength(1);
    await second.close();
  });
});

test("a snapshot that is too old for its changelog is left", () => {
  const story = new Story(5);
  story.run(async () => {
    const config = { "topic.delete.retention.ms": 400_000 };
    const first = await story.start(config);
    await story.round();
    await story.until("a snapshot", () => story.records().length > 0);
    await first.close();
    await sleep(story.clock, 350_000);
    const second = await story.start(config);
    await story.round();
    expect(story.told(/is left: the changelog is read.*so old/)).toHaveLength(1);
    expect(story.told(BEGUN)).toEqual([]);
    await second.close();
  });
});

test("snapshots of a store that was renamed go after a week, those of others stay", () => {
  const story = new Story(6);
  story.run(async () => {
    const weekAgo = story.clock.wallMs() - 8 * 86_400_000;
    const digest = "0".repeat(64);
    const [old, others] = [`app-old-changelog/0/${digest}`, `app-counts-changelog/9/${digest}`];
    for (const name of [old, others]) {
      story.place.objects.set(name, { bytes: new Uint8Array(1), modifiedMs: weekAgo });
    }
    const app = await story.start();
    await story.round();
    await story.until("pruned", () => !story.place.objects.has(old), 2 * 3_600_000);
    expect(story.place.objects.has(others)).toBe(true);
    expect(story.told(/snapshots of stores that are no more removed .*app-old-changelog/))
      .toHaveLength(1);
    await app.close();
  });
});
