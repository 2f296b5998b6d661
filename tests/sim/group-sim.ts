/**
 * A group over a broker that crashes: consumers of both protocols, static ones among them, come, go
 * and commit; topics are deleted and made again; the process is killed or the power goes, in the
 * middle of writes and between them. At the end all faults stop: the group has to become stable, and
 * then its offsets have to go as they should.
 */
import { offsetCommitHandler } from "../../broker/handlers/08-offset-commit.ts";
import { offsetFetchHandler } from "../../broker/handlers/09-offset-fetch.ts";
import { listGroupsHandler } from "../../broker/handlers/16-list-groups.ts";
import { offsetDeleteHandler } from "../../broker/handlers/47-offset-delete.ts";
import { Errors } from "../../core/errors.ts";
import { ZERO_UUID } from "../../core/protocol/schema.ts";
import type { Logger } from "../../core/logger.ts";
import { BrokerWorld, CrashedError } from "./broker-world.ts";
import { fetchOffset, type Going, GROUP, type GroupMember, outcomeOf } from "./group-member.ts";
import { nameOf, type Partition, SESSION_MS } from "./group-member.ts";
import { ClassicSimMember, ConsumerSimMember } from "./group-members.ts";
import { GroupModel } from "./group-model.ts";
import { SimRandom } from "./sim-random.ts";
import { expect, LivenessError } from "./violation.ts";

/** What a run is drawn from. */
interface Options {
  readonly protocols: "classic" | "consumer" | "both";
  readonly partitions: number;
  readonly members: number;
  readonly staticPercent: number;
  readonly crashes: number;
  readonly maxLatencyMs: number;
  readonly failingWritePercent: number;
  readonly recreatePercent: number;
  readonly resetPercent: number;
}

/** The group is stable in this time once there are no faults any more. */
const STABLE_MS = 180_000;
const RETENTION_MS = 3_600_000;
const CHECK_MS = 600_000;
const TOPICS = ["t", "u"] as const;

/** See the head of this file. */
export class GroupSim {
  readonly options: Options;
  readonly trace: string[] = [];
  readonly #random: SimRandom;
  readonly #world: BrokerWorld;
  readonly #model = new GroupModel();
  /** Who works in which place; static members have their instance id from it. */
  readonly #places: (GroupMember | null)[];
  #joined = 0;
  #isFinal = false;
  #failure: unknown = null;

  constructor(seed: number, logger: Logger) {
    const random = new SimRandom(seed);
    this.#random = random;
    this.options = {
      protocols: random.pick(["classic", "consumer", "both"] as const),
      partitions: random.between(1, 6),
      members: random.between(1, 5),
      staticPercent: random.pick([0, 30, 100]),
      crashes: random.between(0, 6),
      maxLatencyMs: random.pick([0, 1, 10, 50]),
      failingWritePercent: random.pick([0, 0, 1, 5]),
      recreatePercent: random.pick([0, 30]),
      resetPercent: random.pick([0, 50]),
    };
    this.#places = Array.from({ length: this.options.members }, () => null);
    this.#world = new BrokerWorld(random, logger, {
      "offsets.topic.num.partitions": "2",
      "offsets.retention.minutes": String(RETENTION_MS / 60_000),
      "offsets.retention.check.interval.ms": String(CHECK_MS),
      "group.initial.rebalance.delay.ms": "500",
      "group.consumer.session.timeout.ms": String(SESSION_MS),
      "group.consumer.min.session.timeout.ms": String(SESSION_MS),
      "group.consumer.migration.policy": "bidirectional",
    });
  }

  run(): void {
    this.#setUp();
    for (let crash = 0; crash < this.options.crashes; crash++) {
      // At one of the next writes, or between two.
      if (this.#random.chance(60)) this.#world.disk.crashAtWrite(this.#random.between(1, 60));
      this.#work(this.#random.between(0, 40_000));
      this.#crash();
      this.#checkOffsets();
      if (this.#random.chance(this.options.recreatePercent)) this.#recreate("u");
      if (this.#random.chance(this.options.resetPercent)) this.#reset();
    }
    this.#becomeStable();
    this.#end();
    this.trace.push(`${this.#joined} members, ${this.#model.acked} commits`);
  }

  #setUp(): void {
    const world = this.#world;
    world.start();
    for (const topic of TOPICS) this.#create(topic);
    const found = world.clock.run(world.services.groups.find(GROUP));
    expect(found.ok, "there are no groups");
    const { maxLatencyMs, failingWritePercent } = this.options;
    Object.assign(world.disk.faults, { maxLatencyMs, failingWritePercent });
  }

  #create(name: string): void {
    const { partitions } = this.options;
    const fixed = { replicationFactor: 1, assignments: [], configs: [] };
    this.#world.createTopics([{ name, numPartitions: partitions, ...fixed }]);
  }

  /** Lets time pass, up to a crash point. */
  #work(forMs: number): void {
    const { clock } = this.#world;
    const until = clock.monotonicMs() + forMs;
    do {
      for (const [place, member] of this.#places.entries()) {
        const comes = this.#isFinal || this.#random.chance(30);
        if (member === null && comes) this.#startMember(place);
      }
      const goesOn = this.#world.advance(this.#random.between(1, 1_000));
      if (this.#failure !== null) throw this.#failure;
      if (!goesOn) return;
    } while (clock.monotonicMs() < until);
  }

  #startMember(place: number): void {
    const random = this.#random;
    const { protocols, staticPercent } = this.options;
    const instanceId = random.chance(staticPercent) ? `instance-${place}` : null;
    // A static member of the classic protocol that wants something else when it comes back starts
    // no rebalance, as in Kafka; so it always wants the same.
    const wantsAll = this.#isFinal || instanceId !== null || random.chance(60);
    const options = {
      name: `member-${place}-${this.#joined++}`,
      instanceId,
      topics: wantsAll ? TOPICS : [random.pick(TOPICS)],
    };
    const isClassic = protocols === "classic" || (protocols === "both" && random.chance(50));
    const Member = isClassic ? ClassicSimMember : ConsumerSimMember;
    const member = new Member(this.#world, this.#model, options);
    this.#places[place] = member;
    const goes = random.pick(["leaves", "falls silent", "comes back"] as const satisfies Going[]);
    const untilMs = this.#world.clock.monotonicMs() + random.between(1_000, 60_000);
    member.run(this.#isFinal ? Infinity : untilMs, goes).then(
      () => void (this.#places[place] = null),
      (error: unknown) => this.#failure ??= error,
    );
  }

  #crash(): void {
    const { clock } = this.#world;
    this.trace.push(`${clock.monotonicMs()} crash`);
    const how = this.#world.crashSomehow(15);
    this.trace.push(`${clock.monotonicMs()} started after ${how}`);
  }

  #allPartitions(): Partition[] {
    const { partitions } = this.options;
    return TOPICS.flatMap((topic) =>
      Array.from({ length: partitions }, (_, index) => ({ topic, index }))
    );
  }

  /** What can be read of the offsets right after a start. */
  #checkOffsets(): void {
    const { clock } = this.#world;
    for (const partition of this.#allPartitions()) {
      clock.run(fetchOffset(this.#world.connect(), this.#model, partition));
    }
  }

  /** A topic is deleted, and another of its name is made. */
  #recreate(topic: string): void {
    const { clock, disk, services } = this.#world;
    const { failingWritePercent } = disk.faults;
    disk.faults.failingWritePercent = 0;
    const since = this.#model.moment();
    this.trace.push(`${clock.monotonicMs()} ${topic} is made anew`);
    const [outcome] = clock.run(
      services.controller.deleteTopics([{ name: topic, topicId: ZERO_UUID }]),
    );
    expect(outcome?.ok === true, `${topic} cannot be deleted`);
    this.#create(topic);
    this.#model.recreated(topic, since);
    disk.faults.failingWritePercent = failingWritePercent;
  }

  /** An administrator sets or removes an offset, if the group lets them. */
  #reset(): void {
    const random = this.#random;
    const partition = random.pick(this.#allPartitions());
    const name = nameOf(partition);
    const removes = random.chance(50);
    const commit = this.#model.begin(name, removes ? null : random.below(5), true);
    const call = this.#world.connect();
    const { topic, index: partitionIndex } = partition;
    const asked = removes
      ? call(offsetDeleteHandler, 0, {
        groupId: GROUP,
        topics: [{ name: topic, partitions: [{ partitionIndex }] }],
      }).then((answer) => answer.errorCode || (answer.topics[0]?.partitions[0]?.errorCode ?? -1))
      : call(offsetCommitHandler, 9, {
        groupId: GROUP,
        topics: [{
          name: topic,
          partitions: [{
            partitionIndex,
            committedOffset: BigInt(commit.offset ?? -1),
            committedMetadata: String(commit.number),
          }],
        }],
      }).then((answer) => answer.topics[0]?.partitions[0]?.errorCode ?? -1);
    asked.then(
      (error) => this.#model.end(name, commit, this.#resetOutcome(error)),
      (error: unknown) => {
        if (error instanceof CrashedError) this.#model.end(name, commit, "unknown");
        else this.#failure ??= error;
      },
    );
  }

  #resetOutcome(error: number) {
    const refuses = error === Errors.NON_EMPTY_GROUP || error === Errors.GROUP_SUBSCRIBED_TO_TOPIC;
    return refuses ? "refused" : outcomeOf(error);
  }

  /** No faults any more: before long all partitions are read, each by one, and it stays so. */
  #becomeStable(): void {
    const { clock, disk } = this.#world;
    disk.forgetCrashPoint();
    Object.assign(disk.faults, { failingWritePercent: 0, maxLatencyMs: 1 });
    // Those who have other plans go first.
    for (const member of this.#places) member?.stop();
    this.#work(2 * SESSION_MS);
    for (const member of this.#places) member?.stop();
    this.#isFinal = true;
    const until = clock.monotonicMs() + STABLE_MS;
    const total = this.#allPartitions().length;
    while (clock.monotonicMs() < until) {
      this.#work(5_000);
      if (this.#state() !== "Stable" || this.#model.readCount !== total) continue;
      // Somebody may have come late; then it takes another round.
      this.#work(20_000);
      if (this.#state() !== "Stable" || this.#model.readCount !== total) continue;
      this.#checkOffsets();
      return;
    }
    throw new LivenessError(`${this.#state()}, ${this.#model.readCount} of ${total} are read`);
  }

  /** All leave; a deleted topic's offsets go, the others when their time is over. */
  #end(): void {
    const { clock, services } = this.#world;
    for (const member of this.#places) member?.stop();
    this.#places.fill(null);
    clock.advance(10 * SESSION_MS);
    if (this.#failure !== null) throw this.#failure;
    expect(this.#state() === "Empty" || this.#state() === null, `all have left: ${this.#state()}`);
    this.#checkOffsets();
    clock.run(services.controller.deleteTopics([{ name: "u", topicId: ZERO_UUID }]));
    clock.advance(this.#random.below(5_000));
    if (this.#random.chance(50)) this.#crash();
    clock.advance(10_000);
    const left = this.#committedTopics();
    expect(!left.includes("u"), "the offsets of a deleted topic are there");
    for (const partition of this.#allPartitions().filter(({ topic }) => topic === "t")) {
      clock.run(fetchOffset(this.#world.connect(), this.#model, partition));
    }
    clock.advance(RETENTION_MS + 2 * CHECK_MS);
    expect(this.#committedTopics().length === 0, "offsets are there after their time");
    expect(this.#state() === null, `the group is there after its time: ${this.#state()}`);
    this.#crash();
    clock.advance(1_000);
    expect(this.#committedTopics().length === 0, "offsets are there again");
    expect(this.#state() === null, `the group is there again: ${this.#state()}`);
  }

  /** The group's state as it is listed; null if it is not. */
  #state(): string | null {
    const call = this.#world.connect();
    const asked = call(listGroupsHandler, 5, { statesFilter: [], typesFilter: [] });
    const { groups } = this.#world.clock.run(asked);
    return groups.find(({ groupId }) => groupId === GROUP)?.groupState ?? null;
  }

  /** The topics that the group has offsets of. */
  #committedTopics(): string[] {
    const asked = this.#world.connect()(offsetFetchHandler, 9, {
      requireStable: true,
      groups: [{ groupId: GROUP, topics: null }],
    });
    const group = this.#world.clock.run(asked).groups[0]!;
    expect(group.errorCode === Errors.NONE, `offsets cannot be read: ${group.errorCode}`);
    return group.topics.map(({ name }) => name);
  }
}
