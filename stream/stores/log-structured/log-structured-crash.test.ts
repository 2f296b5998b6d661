/**
 * A store whose process is killed, or whose machine loses power, at any write: what is opened then is
 * what it was at a commit, the last one where the machine went on.
 */
import { expect, test } from "bun:test";
import { FaultyDisk } from "../../../tests/sim/faulty-disk.ts";
import { SimClock } from "../../../tests/sim/sim-clock.ts";
import { SimRandom } from "../../../tests/sim/sim-random.ts";
import { BlockCache } from "./block-cache.ts";
import { LogStructuredEngine } from "./log-structured-engine.ts";
import { CorruptStoreError } from "./run-format.ts";
import { removeStore } from "./store-files.ts";

const SEEDS = Number(process.env["SEEDS"] ?? 30);
const ROUNDS = 12;

class Run {
  readonly clock = new SimClock(0);
  readonly disk: FaultyDisk;
  engine: LogStructuredEngine;
  /** What it was at each commit, by its offset; none at −1. */
  readonly states = new Map<bigint, Map<string, string>>([[-1n, new Map()]]);
  model = new Map<string, string>();
  commits = 0n;
  /** Since it was opened: what a power cut leaves of the manifest may be refused. */
  wasWiped = false;

  constructor(readonly random: SimRandom) {
    this.disk = new FaultyDisk(this.clock, random);
    this.disk.faults.maxLatencyMs = 5;
    this.engine = this.open();
  }

  open(): LogStructuredEngine {
    const writeBufferBytes = 1500;
    return LogStructuredEngine.open(this.disk, "/s", {
      cache: new BlockCache(1),
      writeBufferBytes,
    });
  }

  openOrRemove(): LogStructuredEngine {
    const { wasWiped } = this;
    this.wasWiped = false;
    try {
      return this.open();
    } catch (error) {
      if (!(error instanceof CorruptStoreError) || !wasWiped) throw error;
      // The removal may be lost to the next power cut.
      this.wasWiped = true;
      removeStore(this.disk, "/s");
      return this.open();
    }
  }

  work(): void {
    const { random } = this;
    for (let step = random.below(150); step > 0 && !this.disk.isAtCrashPoint; step--) {
      for (let put = random.below(8); put > 0; put--) this.put();
      if (random.below(25) === 0) {
        this.engine.wipe();
        this.model.clear();
        this.wasWiped = true;
      }
      this.states.set(this.commits, new Map(this.model));
      this.engine.commit(this.commits++);
      if (random.below(4) === 0) this.clock.advance(random.below(20));
    }
  }

  put(): void {
    const { random, model } = this;
    const [key, value] = [`${random.below(90)}`, `${random.below(1e9)}`.repeat(random.below(30))];
    const isGone = random.below(5) === 0;
    this.engine.put(Buffer.from(key), isGone ? null : Buffer.from(value));
    if (isGone) model.delete(key);
    else model.set(key, value);
  }

  crash(): void {
    const { random, disk } = this;
    const how = random.pick(["kill", "nothing", "everything", "prefix", "sectors"] as const);
    const isTorn = disk.isAtCrashPoint;
    this.clock.dropTimers();
    if (how === "kill") disk.killProcess();
    else disk.cutPower(how);
    this.engine = how === "kill" ? this.open() : this.openOrRemove();
    const at = this.engine.changelogOffset ?? -1n;
    const state = this.states.get(at)!;
    const found = Array.from(
      this.engine.range({ from: null, to: null }),
      ([key, value]) => [`${Buffer.from(key)}`, `${Buffer.from(value)}`] as const,
    );
    expect(new Map(found)).toEqual(state);
    expect(found.map(([key]) => key)).toEqual([...state.keys()].sort());
    if (how === "kill" && !isTorn) expect(at).toBe(this.commits - 1n);
    this.model = new Map(state);
    this.commits = at + 1n;
    for (const offset of [...this.states.keys()]) if (offset > at) this.states.delete(offset);
  }
}

// Each seed has the time of a test for itself: all of them take a minute on a machine that is busy.
for (let seed = 1; seed <= SEEDS; seed++) {
  test(`it is what it was at a commit, whenever it ends, seed ${seed}`, () => {
    const random = new SimRandom(seed);
    const run = new Run(random);
    for (let round = 0; round < ROUNDS; round++) {
      if (random.below(2) === 0) run.disk.crashAtWrite(1 + random.below(100));
      run.work();
      run.crash();
    }
  });
}
