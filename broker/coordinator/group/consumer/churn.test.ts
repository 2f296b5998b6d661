/** Many consumers that come, go, crash and lose answers, over a log that fails and a restart. */
import { expect, test } from "bun:test";
import { Errors } from "../../../../core/errors.ts";
import { MemoryLog, SeededRandom } from "../../coordinator.test-helper.ts";
import type { GroupRecord } from "../group-records.ts";
import { GROUP, GroupHarness } from "../group.test-helper.ts";
import { describeGroup, SimConsumer, untilStable } from "./consumer.test-helper.ts";

const MEMBERS = 20;
const SEEDS = Number(process.env["KSTREAM_CHURN_SEEDS"] ?? 12);

/** All that a restart must keep. */
function snapshot(groups: GroupHarness) {
  const outcome = groups.runtime.now(0, (shard) => ({
    group: shard.consumer.describe(GROUP),
    records: shard.stateOf(GROUP),
    listing: shard.list(),
  }));
  if (!outcome.ok) throw new Error("no shard");
  return outcome.value;
}

/** No partition is read by two, and the coordinator believes of none that two have it. */
function checkOwners(groups: GroupHarness, consumers: readonly SimConsumer[], seed: number) {
  const readers = consumers.flatMap((consumer) => consumer.partitions);
  expect({ seed, twice: readers.length - new Set(readers).size }).toEqual({ seed, twice: 0 });
  if (groups.state() === "Dead") return;
  const assigned = describeGroup(groups).members.flatMap(({ assignment }) =>
    assignment.topicPartitions.flatMap(({ topicId, partitions }) =>
      partitions.map((partition) => `${topicId}-${partition}`)
    )
  );
  expect({ seed, twice: assigned.length - new Set(assigned).size }).toEqual({ seed, twice: 0 });
}

/** A world of one seed. */
class Churn {
  readonly random: SeededRandom;
  consumers: SimConsumer[] = [];
  #joined = 0;

  constructor(readonly groups: GroupHarness, readonly seed: number) {
    this.random = new SeededRandom(seed * 7919);
  }

  async step(): Promise<void> {
    const { groups, random, consumers } = this;
    switch (random.below(14)) {
      case 0:
      case 1:
        if (consumers.length < MEMBERS) consumers.push(this.#newConsumer());
        break;
      case 2:
        await this.#remove((consumer) => consumer.leave());
        break;
      case 3:
        // It crashes: nobody hears of it before its session ends.
        await this.#remove(() => Promise.resolve());
        break;
      case 4:
        groups.log.failWith = random.below(3) === 0 ? Errors.KAFKA_STORAGE_ERROR : Errors.NONE;
        break;
      case 5: {
        const before = snapshot(groups);
        await groups.start();
        expect({ seed: this.seed, ...snapshot(groups) }).toEqual({ seed: this.seed, ...before });
        break;
      }
      case 6:
        groups.setTopic("u", 1 + random.below(12));
        break;
      case 7:
        for (const consumer of consumers) consumer.topics = random.below(2) ? ["t", "u"] : ["t"];
        break;
      default:
        await this.#beatSome();
    }
  }

  async #beatSome(): Promise<void> {
    const { groups, random, consumers } = this;
    await groups.clock.advance(random.below(3) * 500);
    for (const consumer of consumers) {
      // A consumer that crashed keeps its partitions until its session ends; live ones beat on.
      const lost = random.below(10) === 0;
      await consumer.beat({ lost, keepsRevoked: random.below(4) === 0 });
    }
  }

  async #remove(how: (consumer: SimConsumer) => Promise<unknown>): Promise<void> {
    const { consumers, random } = this;
    if (consumers.length === 0) return;
    const [consumer] = consumers.splice(random.below(consumers.length), 1);
    await how(consumer!);
  }

  #newConsumer(): SimConsumer {
    const { groups, random } = this;
    const id = `m${this.#joined++}`;
    const isStatic = random.below(4) === 0;
    const assignor = ["uniform", "range", undefined][random.below(3)];
    return new SimConsumer(groups, id, {
      ...(isStatic ? { instanceId: `i${this.#joined}` } : {}),
      ...(assignor === undefined ? {} : { assignor }),
      ...(random.below(5) === 0 ? { regex: "[tu]" } : {}),
    });
  }
}

test("no partition has two readers, a restart changes nothing, and it ends stable", async () => {
  let worst = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const groups = await new GroupHarness({}, undefined, new SeededRandom(seed)).start();
    groups.setTopic("t", 30);
    const churn = new Churn(groups, seed);
    for (let step = 0; step < 150; step++) {
      await churn.step();
      checkOwners(groups, churn.consumers, seed);
    }
    groups.log.failWith = Errors.NONE;
    churn.consumers.push(new SimConsumer(groups, "last"));
    // Sessions of those that crashed end; the others beat all the while.
    for (let second = 0; second < 50; second++) {
      await groups.clock.advance(1_000);
      for (const consumer of churn.consumers) await consumer.beat();
    }
    worst = Math.max(worst, await untilStable(groups, churn.consumers));
    checkOwners(groups, churn.consumers, seed);
    const read = new Set(churn.consumers.flatMap((consumer) => consumer.partitions));
    const ofT = [...read].filter((partition) => partition.startsWith("t-"));
    expect({ seed, read: ofT.length }).toEqual({ seed, read: 30 });
    const before = snapshot(groups);
    await groups.start();
    expect({ seed, ...snapshot(groups) }).toEqual({ seed, ...before });
  }
  expect(worst).toBeLessThanOrEqual(6);
}, 60_000 + SEEDS * 1000);

/** A log that keeps what the state was after each batch. */
class WatchedLog extends MemoryLog {
  readonly states: GroupRecord[][] = [];
  look: () => GroupRecord[] = () => [];

  override append(batch: Uint8Array) {
    const result = super.append(batch);
    // The state follows the append in the same turn, before anything else runs.
    if (result.ok) queueMicrotask(() => void (this.states[this.batches.length - 1] = this.look()));
    return result;
  }
}

test("a crash after any write finds the state as it was then", async () => {
  let batches = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const log = new WatchedLog();
    const groups = await new GroupHarness({}, log, new SeededRandom(seed)).start();
    log.look = () => snapshot(groups).records;
    groups.setTopic("t", 10);
    const churn = new Churn(groups, seed);
    for (let step = 0; step < 100; step++) {
      await churn.step();
      if (step % 10 === 0) await groups.commit(BigInt(step));
    }
    batches += log.batches.length;
    for (let kept = 1; kept <= log.batches.length; kept++) {
      if (log.states[kept - 1] === undefined) continue;
      const cut = new MemoryLog();
      for (const batch of log.batches.slice(0, kept)) cut.append(batch);
      const after = await new GroupHarness({}, cut).start();
      expect({ seed, kept, records: snapshot(after).records })
        .toEqual({ seed, kept, records: log.states[kept - 1] });
      after.runtime.close();
    }
  }
  expect(batches).toBeGreaterThan(400);
}, 60_000 + SEEDS * 1000);

test("twenty members that join at once share the partitions evenly in a few heartbeats", async () => {
  const groups = await new GroupHarness().start();
  groups.setTopic("t", 45);
  const consumers = Array.from({ length: MEMBERS }, (_, i) => new SimConsumer(groups, `m${i}`));
  expect(await untilStable(groups, consumers)).toBeLessThanOrEqual(5);
  const sizes = consumers.map((consumer) => consumer.partitions.length).toSorted((a, b) => a - b);
  expect([sizes[0], sizes.at(-1)]).toEqual([2, 3]);
  // One leaves: its partitions go to others, and nobody else loses any.
  const before = new Map(consumers.map((each) => [each.memberId, new Set(each.partitions)]));
  const [left, ...rest] = consumers;
  await left!.leave();
  await untilStable(groups, rest);
  for (const consumer of rest) {
    expect(before.get(consumer.memberId)!.isSubsetOf(new Set(consumer.partitions))).toBe(true);
  }
});
