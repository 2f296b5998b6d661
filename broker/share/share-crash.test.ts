/**
 * Random members of a share group over a leader that crashes at any moment: what was answered counts
 * for ever, a record has one owner at a time, none is lost, none is delivered too often.
 */
import { expect, test } from "bun:test";
import { Errors } from "../../core/errors.ts";
import { baseOffset } from "../../core/records/batch-header.ts";
import { MemoryLog, SeededRandom, settle } from "../coordinator/coordinator.test-helper.ts";
import { shareKey, ShareStateHarness } from "../coordinator/share/share.test-helper.ts";
import { AcknowledgeTypes } from "./delivery-window.ts";
import { DEFAULT_SHARE_CONFIG } from "./share-config.ts";
import { SharePartition } from "./share-partition.ts";
import { TestLog } from "./share-partition.test-helper.ts";

const { ACCEPT, RELEASE, REJECT, RENEW } = AcknowledgeTypes;
const LIMIT = 4;
const SEEDS = Number(process.env["KSTREAM_CHURN_SEEDS"] ?? 20);
const MEMBERS = ["a", "b", "c"];

/** What is known of a record, whatever became of the leaders. */
interface Fate {
  deliveries: number;
  /** Accepted or rejected, and told so. */
  isDone: boolean;
  /** Accepted or rejected, and the answer is open or was an error: either may hold. */
  mayBeDone: boolean;
}

class Run {
  readonly random: SeededRandom;
  readonly log = new TestLog();
  readonly stateLog = new MemoryLog();
  readonly states = new ShareStateHarness(this.stateLog);
  readonly fates: Fate[] = [];
  /** Who has which record of the present leader, as the members know. */
  readonly owners = new Map<number, string>();
  shared!: SharePartition;
  crashes = 0;
  #generation = 0;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  async begin(): Promise<void> {
    this.states.updatesPerSnapshot = 5;
    await this.states.start();
    await this.states.coordinator.initialize(shareKey(), 0, 0);
    await this.#lead();
    this.stateLog.autoCommit = false;
  }

  async #lead(): Promise<void> {
    const { states, log } = this;
    const { clock, logger } = states;
    this.shared = new SharePartition({
      key: shareKey(),
      log,
      persister: states.coordinator,
      clock,
      logger,
      config: () => ({
        ...DEFAULT_SHARE_CONFIG,
        deliveryCountLimit: LIMIT,
        maxRecordLocks: 100,
        recordLockDurationMs: 1_000,
      }),
      onFenced: () => {
        throw new Error("nobody else leads");
      },
    });
    const autoCommit = this.stateLog.autoCommit;
    this.stateLog.autoCommit = true;
    expect(await this.shared.initialize()).toBe(Errors.NONE);
    this.stateLog.autoCommit = autoCommit;
  }

  /** The leader and its coordinator are gone; of what was not committed some of the end is lost. */
  async crash(): Promise<void> {
    this.crashes++;
    this.#generation++;
    this.owners.clear();
    this.shared.close();
    const { stateLog, random } = this;
    while (stateLog.logEndOffset > stateLog.highWatermark && random.below(2) === 0) {
      const last = stateLog.batches.pop();
      if (last === undefined) break;
      stateLog.logEndOffset = baseOffset(last, 0);
    }
    stateLog.commit();
    await this.states.start();
    this.log.leaderEpoch += random.below(2);
    await this.#lead();
  }

  append(): void {
    const count = 1 + this.random.below(8);
    this.log.append(count);
    for (let i = 0; i < count; i++) {
      this.fates.push({ deliveries: 0, isDone: false, mayBeDone: false });
    }
  }

  async fetch(memberId: string, maxRecords = 1 + this.random.below(12)): Promise<number> {
    const generation = this.#generation;
    const got = await this.shared.fetch({
      memberId,
      maxBytes: 1 + this.random.below(500),
      maxRecords,
      batchSize: 1 + this.random.below(10),
      recordLimit: this.random.below(2) === 0,
    });
    if (generation !== this.#generation) return 0;
    expect(got.error).toBe(Errors.NONE);
    let count = 0;
    for (const { firstOffset, lastOffset, deliveryCount } of got.ranges) {
      for (let offset = firstOffset; offset <= lastOffset; offset++, count++) {
        const fate = this.fates[offset]!;
        expect(this.owners.get(offset)).toBeUndefined();
        expect(fate.isDone).toBe(false);
        fate.deliveries++;
        expect(deliveryCount).toBeLessThanOrEqual(LIMIT);
        expect(deliveryCount).toBeLessThanOrEqual(fate.deliveries);
        this.owners.set(offset, memberId);
      }
    }
    return count;
  }

  /** A member says something about a run of its records. */
  say(memberId: string, type: number): void {
    const mine = [...this.owners].filter(([, owner]) => owner === memberId).map(([each]) => each);
    if (mine.length === 0) return;
    const firstOffset = mine[this.random.below(mine.length)]!;
    let lastOffset = firstOffset;
    while (this.owners.get(lastOffset + 1) === memberId && this.random.below(3) > 0) lastOffset++;
    const generation = this.#generation;
    const ends = type === ACCEPT || type === REJECT;
    const each = (look: (offset: number) => void) => {
      for (let offset = firstOffset; offset <= lastOffset; offset++) look(offset);
    };
    // A log that refuses has not taken it: the records are the member's as before.
    const isRefused = this.random.below(5) === 0;
    if (isRefused) this.stateLog.failWith = Errors.NOT_ENOUGH_REPLICAS;
    else {
      if (ends) each((offset) => this.fates[offset]!.mayBeDone = true);
      if (type !== RENEW) each((offset) => this.owners.delete(offset));
    }
    const answer = this.shared.acknowledge(memberId, [{ firstOffset, lastOffset, types: [type] }]);
    this.stateLog.failWith = Errors.NONE;
    void answer.then((error) => {
      if (isRefused && type !== RENEW) expect(error).not.toBe(Errors.NONE);
      if (error === Errors.NONE && ends) each((offset) => this.fates[offset]!.isDone = true);
      if (error !== Errors.NONE && generation === this.#generation && type === RENEW) {
        each((offset) => this.owners.delete(offset));
      }
    });
  }

  /** A member is gone; what it had is given back when that is persisted. */
  leave(memberId: string): void {
    for (const [offset, owner] of [...this.owners]) {
      if (owner === memberId) this.owners.delete(offset);
    }
    void this.shared.release(memberId);
  }

  /** Locks run out: members no longer know what they have. */
  async wait(): Promise<void> {
    await this.states.clock.advance(1_000);
    this.owners.clear();
  }

  async step(): Promise<void> {
    const { random } = this;
    const memberId = MEMBERS[random.below(MEMBERS.length)]!;
    switch (random.below(14)) {
      case 0:
        if (this.fates.length < 150) this.append();
        break;
      case 1:
      case 2:
      case 3:
        await this.fetch(memberId);
        break;
      case 4:
      case 5:
      case 6:
        this.say(memberId, ACCEPT);
        break;
      case 7:
        this.say(memberId, RELEASE);
        break;
      case 8:
        this.say(memberId, random.below(2) === 0 ? REJECT : RENEW);
        break;
      case 9:
        if (random.below(4) === 0) this.leave(memberId);
        break;
      case 10:
        if (random.below(3) === 0) await this.wait();
        break;
      case 11:
        if (random.below(4) === 0) await this.crash();
        break;
      default:
        this.stateLog.commit();
    }
    await settle();
  }

  /** All that is left is read and accepted. */
  async drain(): Promise<void> {
    this.stateLog.autoCommit = true;
    this.stateLog.commit();
    await settle();
    for (let round = 0; round < 2_000; round++) {
      await this.wait();
      while (await this.fetch("z", 1_000) > 0);
      for (const [offset] of [...this.owners]) {
        const error = await this.shared.acknowledge("z", [
          { firstOffset: offset, lastOffset: offset, types: [ACCEPT] },
        ]);
        expect(error).toBe(Errors.NONE);
        this.fates[offset]!.isDone = true;
      }
      this.owners.clear();
      if (this.shared.window.startOffset === this.fates.length) return;
    }
    throw new Error("the window does not reach the end of the log");
  }
}

test("crashes at any moment lose nothing and deliver nothing too often", async () => {
  let crashes = 0;
  let archived = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const run = new Run(seed);
    await run.begin();
    run.append();
    for (let step = 0; step < 300; step++) await run.step();
    await run.drain();
    crashes += run.crashes;
    for (const fate of run.fates) {
      if (fate.isDone || fate.mayBeDone) continue;
      // Given up: then it was delivered as often as may be.
      archived++;
      expect(fate.deliveries).toBeGreaterThanOrEqual(LIMIT);
    }
  }
  // The run is worth something only if these things happen in it.
  expect(crashes).toBeGreaterThan(SEEDS);
  expect(archived).toBeGreaterThan(SEEDS / 5);
}, 60_000 + SEEDS * 1000);
