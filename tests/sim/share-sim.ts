/**
 * A share group over a broker that crashes: producers write, in transactions too, members take, work
 * and say what became of it (`share-member.ts`), administrators delete records and move the group,
 * and the process is killed or the power goes, in the middle of writes and between them. At the end
 * all faults stop, and what is left has to be read to its end.
 */
import { incrementalAlterConfigsHandler } from "../../broker/handlers/44-incremental-alter-configs.ts";
import { describeShareGroupOffsetsHandler } from "../../broker/handlers/90-describe-share-group-offsets.ts";
import { Errors } from "../../core/errors.ts";
import { sleep } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import { BrokerWorld } from "./broker-world.ts";
import { ShareAdmin } from "./share-admin.ts";
import { GROUP, ShareMember, TOPIC } from "./share-member.ts";
import { ShareModel } from "./share-model.ts";
import { ShareProducer } from "./share-producer.ts";
import { SimRandom } from "./sim-random.ts";
import { LivenessError } from "./violation.ts";

/** What a run is drawn from. */
interface Options {
  readonly partitions: number;
  readonly members: number;
  readonly limit: number;
  readonly lockMs: number;
  readonly updatesPerSnapshot: number;
  readonly crashes: number;
  readonly records: number;
  readonly maxLatencyMs: number;
  readonly failingWritePercent: number;
  readonly workMsMax: number;
  readonly recordsMax: number;
  readonly releasePercent: number;
  readonly rejectPercent: number;
  readonly renewPercent: number;
  readonly forgetPercent: number;
  readonly sessionMs: number;
  readonly readsCommitted: boolean;
  readonly transactionPercent: number;
  readonly abortPercent: number;
  readonly deletes: boolean;
  readonly alterPercent: number;
}

/** All is read to the end in this time once there are no faults any more. */
const LIMIT_MS = 600_000;
const CONFIG_OF_GROUP = 32;

/** See the head of this file. */
export class ShareSim {
  readonly options: Options;
  readonly trace: string[] = [];
  readonly #random: SimRandom;
  readonly #world: BrokerWorld;
  readonly #model: ShareModel;
  readonly #producer: ShareProducer;
  readonly #admin: ShareAdmin;
  #topicId = "";
  #joined = 0;
  /** Members that work at the moment. */
  #working = 0;
  #isFinal = false;
  /** No new members come. */
  #isResting = false;
  #failure: unknown = null;

  constructor(seed: number, logger: Logger) {
    const random = new SimRandom(seed);
    this.#random = random;
    this.options = {
      partitions: random.between(1, 3),
      members: random.between(1, 4),
      limit: random.pick([2, 3, 5]),
      lockMs: random.pick([1_000, 5_000, 30_000]),
      updatesPerSnapshot: random.pick([1, 3, 20]),
      crashes: random.between(0, 6),
      records: random.between(20, 150),
      maxLatencyMs: random.pick([0, 1, 10, 50]),
      failingWritePercent: random.pick([0, 0, 1]),
      workMsMax: random.pick([10, 1_000, 8_000]),
      recordsMax: random.pick([1, 5, 50]),
      releasePercent: random.pick([0, 20, 60]),
      rejectPercent: random.pick([0, 5, 30]),
      renewPercent: random.pick([0, 30]),
      forgetPercent: random.pick([0, 10, 30]),
      sessionMs: random.pick([10_000, 45_000]),
      readsCommitted: random.chance(50),
      transactionPercent: random.pick([0, 30, 100]),
      abortPercent: random.pick([0, 20, 60]),
      deletes: random.chance(30),
      alterPercent: random.pick([0, 0, 60]),
    };
    const { limit, lockMs, partitions, sessionMs, updatesPerSnapshot } = this.options;
    this.#model = new ShareModel(partitions, limit, this.options.readsCommitted);
    this.#world = new BrokerWorld(random, logger, {
      "offsets.topic.num.partitions": "2",
      "share.coordinator.state.topic.num.partitions": "2",
      "share.coordinator.snapshot.update.records.per.snapshot": String(updatesPerSnapshot),
      "group.share.delivery.count.limit": String(limit),
      "group.share.record.lock.duration.ms": String(lockMs),
      "group.share.min.record.lock.duration.ms": "1000",
      "group.share.session.timeout.ms": String(sessionMs),
      "group.share.min.session.timeout.ms": "10000",
      "transaction.state.log.num.partitions": "2",
    });
    this.#producer = new ShareProducer(this.#world, this.#model, this.options);
    this.#admin = new ShareAdmin(this.#world, this.#model, partitions);
  }

  run(): void {
    this.#setUp();
    for (let crash = 0; crash < this.options.crashes; crash++) {
      // At one of the next writes, or between two.
      if (this.#random.chance(60)) this.#world.disk.crashAtWrite(this.#random.between(1, 60));
      if (this.#random.chance(this.options.alterPercent)) this.#rest();
      this.#work(this.#random.between(0, 20_000));
      this.#crash();
    }
    this.#finish();
    this.#model.checkAll();
    const { deliveries, redeliveries } = this.#model;
    this.trace.push(`${deliveries} deliveries, ${redeliveries} of them again`);
  }

  #setUp(): void {
    const world = this.#world;
    world.start();
    world.createTopics([{
      name: TOPIC,
      numPartitions: this.options.partitions,
      replicationFactor: 1,
      assignments: [],
      configs: [],
    }]);
    this.#topicId = world.services.metadata.topic(TOPIC)!.id;
    const isolation = this.options.readsCommitted ? "read_committed" : "read_uncommitted";
    const answer = world.clock.run(
      world.connect()(incrementalAlterConfigsHandler, 1, {
        resources: [{
          resourceType: CONFIG_OF_GROUP,
          resourceName: GROUP,
          configs: [
            { name: "share.auto.offset.reset", configOperation: 0, value: "earliest" },
            { name: "share.isolation.level", configOperation: 0, value: isolation },
          ],
        }],
        validateOnly: false,
      }),
    );
    if (answer.responses[0]?.errorCode !== Errors.NONE) throw new Error("no config");
    const found = world.clock.run(world.services.groups.find(GROUP));
    if (!found.ok) throw new Error("there are no groups");
    const ready = world.clock.run(world.services.transactions.find("x"));
    if (!ready.ok) throw new Error("there are no transactions");
    const { maxLatencyMs, failingWritePercent } = this.options;
    Object.assign(world.disk.faults, { maxLatencyMs, failingWritePercent });
    this.#watch(this.#produce());
    if (this.options.deletes) this.#watch(this.#deleteAtTimes());
  }

  /** Lets time pass, up to a crash point. */
  #work(forMs: number): void {
    const { clock } = this.#world;
    const until = clock.monotonicMs() + forMs;
    do {
      while (!this.#isResting && this.#working < this.options.members) this.#startMember();
      const goesOn = this.#world.advance(this.#random.between(1, 1_000));
      if (this.#failure !== null) throw this.#failure;
      if (!goesOn) return;
    } while (clock.monotonicMs() < until);
  }

  /** The members go, and if they have all gone in time, the group goes on elsewhere. */
  #rest(): void {
    this.#isResting = true;
    this.#work(this.#random.between(0, 90_000));
    let isOver = false;
    this.#watch(this.#admin.alterOffsets().finally(() => isOver = true));
    while (!isOver && !this.#world.disk.isAtCrashPoint) this.#work(100);
    if (!isOver) this.#crash();
    this.#isResting = false;
  }

  #startMember(): void {
    const { clock } = this.#world;
    const random = this.#random;
    const id = `member-${this.#joined++}`;
    const { releasePercent, rejectPercent, forgetPercent } = this.options;
    const member = new ShareMember(this.#world, this.#model, {
      ...this.options,
      id,
      // In the end members work as they should.
      releasePercent: this.#isFinal ? 0 : releasePercent,
      rejectPercent: this.#isFinal ? 0 : rejectPercent,
      forgetPercent: this.#isFinal ? 0 : forgetPercent,
      workMsMax: this.#isFinal ? 10 : this.options.workMsMax,
    });
    const goes = random.pick(["leaves", "breaks off", "falls silent"] as const);
    const untilMs = this.#isFinal ? Infinity : clock.monotonicMs() + random.between(100, 30_000);
    this.#working++;
    this.#watch(member.run(untilMs, goes).then(() => void this.#working--));
  }

  #crash(): void {
    const { clock } = this.#world;
    this.trace.push(`${clock.monotonicMs()} crash`);
    this.#model.crashed();
    const how = this.#world.crashSomehow(15);
    this.#model.crashed();
    this.trace.push(`${clock.monotonicMs()} started after ${how}`);
  }

  async #produce(): Promise<void> {
    const { clock } = this.#world;
    while (this.#producer.produced < this.options.records) {
      if (!this.#isFinal) await sleep(clock, this.#random.between(1, 800));
      await this.#producer.send();
    }
  }

  async #deleteAtTimes(): Promise<void> {
    while (!this.#isFinal) {
      await sleep(this.#world.clock, this.#random.between(1, 10_000));
      await this.#admin.deleteRecords();
    }
  }

  /** No faults any more: everything has to be consumed. */
  #finish(): void {
    const { clock, disk } = this.#world;
    const { lockMs } = this.options;
    disk.forgetCrashPoint();
    Object.assign(disk.faults, { failingWritePercent: 0, maxLatencyMs: 1 });
    this.#isFinal = true;
    const until = clock.monotonicMs() + LIMIT_MS + this.options.records * 1_000;
    while (clock.monotonicMs() < until) {
      // Members do not look at what comes along with an acknowledgement: it has to run out.
      this.#work(lockMs + 10_000);
      if (this.#producer.produced < this.options.records) continue;
      const lags = this.#lag();
      if (lags.every((lag) => lag === 0)) return;
      // The lag is a guess after a write that failed, until the start has moved on.
      for (const [partition, lag] of lags.entries()) {
        if (lag !== 0) this.#watch(this.#producer.sendTo(partition, 1));
      }
    }
    throw new LivenessError(`records are left: ${this.#lag().join(", ")}`);
  }

  /** How far the group is behind, by partition, as an administrator sees it. */
  #lag(): number[] {
    const { clock, services } = this.#world;
    const indexes = Array.from({ length: this.options.partitions }, (_, index) => index);
    const answer = clock.run(
      this.#world.connect()(describeShareGroupOffsetsHandler, 1, {
        groups: [{ groupId: GROUP, topics: [{ topicName: TOPIC, partitions: indexes }] }],
      }),
    );
    const told = answer.groups[0]?.topics[0]?.partitions ?? [];
    return indexes.map((index) => {
      const found = told.find(({ partitionIndex }) => partitionIndex === index);
      // Nothing has been read yet: then it is all that is there.
      if (found !== undefined && found.startOffset >= 0n) return Number(found.lag);
      const hosted = services.partitions.findById(this.#topicId, index);
      if (typeof hosted === "number") throw new Error(`no partition ${index}`);
      return hosted.highWatermark;
    });
  }

  #watch(work: Promise<void>): void {
    work.catch((error: unknown) => this.#failure ??= error);
  }
}
