/**
 * Two consumer groups, one of each protocol, whose members come and go, by leaving or by vanishing, while
 * others append. What they are handed and commit is judged by `groups-history.ts` and by Porcupine.
 */
import {
  Consumer,
  type GroupProtocol,
  KafkaError,
  type RecordBatch,
  stringSerde,
} from "../../client/index.ts";
import { bunIo } from "../../core/io/bun/index.ts";
import { Errors } from "../../core/errors.ts";
import { adminOf, createTopic } from "./cluster-topic.ts";
import { type GroupOperation, groupProblems } from "./groups-history.ts";
import { linearizabilityProblem, problemsOf } from "./history.ts";
import type { ClusterScene } from "./scene.ts";
import type { Work } from "./stage.ts";
import { REQUEST_TIMEOUT_MS, Strands } from "./strands.ts";
import { Workload } from "./workload.ts";

const PARTITIONS = 4;
const APPENDS_PER_SECOND = 60;
const GROUPS: readonly GroupProtocol[] = ["classic", "consumer"];
/** At a time, of each group. */
const MEMBERS = 3;
const SESSION_MS = 6000;
const HEARTBEAT_MS = 1000;
const BATCH = 20;
/** How long a member lives, and how long its place is empty then. */
const [LIFE_MIN_MS, LIFE_MAX_MS, EMPTY_MAX_MS] = [6000, 20_000, 500];
const VANISH_PART = 0.3;
/** What groups may take to come to the end of all, once all is well again. */
const END_MS = 120_000;
const POLL_MS = 200;
/** Answers to a commit that was not done. */
const REFUSALS: ReadonlySet<number> = new Set([
  Errors.ILLEGAL_GENERATION,
  Errors.UNKNOWN_MEMBER_ID,
  Errors.REBALANCE_IN_PROGRESS,
  Errors.STALE_MEMBER_EPOCH,
  Errors.FENCED_MEMBER_EPOCH,
  Errors.FENCED_INSTANCE_ID,
]);

/** Prepares the clients; see the head of the file. */
export async function groupsWork(scene: ClusterScene, topic: string): Promise<Work> {
  await createTopic(scene, topic, PARTITIONS);
  return new GroupsWorkload(scene, topic);
}

class GroupsWorkload implements Work {
  readonly #appends: Workload;
  readonly #commits = new Strands(GROUPS.length * PARTITIONS);
  readonly #history: GroupOperation[] = [];
  /** Ends the coming and going: those who are there stay. */
  readonly #settling = new AbortController();
  readonly #ending = new AbortController();
  readonly #places: Promise<void>[] = [];
  #members = 0;
  #stays = 0;

  constructor(readonly scene: ClusterScene, readonly topic: string) {
    this.#appends = new Workload({
      brokers: scene.bootstrap,
      topic,
      partitions: PARTITIONS,
      appenders: 1,
      readers: 1,
      appendsPerSecond: APPENDS_PER_SECOND,
    });
  }

  get acknowledged(): readonly number[] {
    return [...this.#appends.strands.counts, ...this.#commits.counts];
  }

  get longestPauseMs(): number {
    return Math.max(this.#appends.strands.longestPauseMs, this.#commits.longestPauseMs);
  }

  measurePause(): void {
    this.#appends.strands.measurePause();
    this.#commits.measurePause();
  }

  start(): void {
    this.#appends.start();
    for (const [index, protocol] of GROUPS.entries()) {
      for (let place = 0; place < MEMBERS; place++) this.#places.push(this.#fill(index, protocol));
    }
  }

  async finish(keep: (history: readonly object[]) => void): Promise<string> {
    keep(this.#history);
    const appends = await this.#appends.finish();
    this.#settling.abort();
    const contents = new Map(
      Array.from({ length: PARTITIONS }, (_, partition) => [partition, new Map<number, string>()]),
    );
    const reads = appends.filter((each) => each.type === "read");
    for (const { partition, offset, value } of reads.toSorted((a, b) => a.offset - b.offset)) {
      contents.get(partition)?.set(offset, value);
    }
    await this.#comeToEnd(contents);
    this.#ending.abort();
    await Promise.all(this.#places);
    keep([...appends, ...this.#history]);
    const problems = [...problemsOf(appends), ...groupProblems(this.#history, contents)];
    if (problems.length > 0) throw new Error(problems.join("\n"));
    const verdict = await linearizabilityProblem(appends) ??
      await linearizabilityProblem(this.#history, "commits");
    if (verdict !== null) throw new Error(`Porcupine: ${verdict}`);
    const commits = this.#history.filter((each) => each.type === "commit");
    const count = (outcome: string) => commits.filter((each) => each.outcome === outcome).length;
    return `${this.#appends.strands.total} records for ${this.#members} members, ` +
      `${count("acknowledged")} commits, ${count("refused")} refused, ${count("unknown")} unknown`;
  }

  /** Waits until both groups have committed all that is there, and notes that. */
  async #comeToEnd(contents: ReadonlyMap<number, ReadonlyMap<number, string>>): Promise<void> {
    const admin = adminOf(this.scene);
    const process = this.#members++;
    const limit = performance.now() + END_MS;
    for (const [index] of GROUPS.entries()) {
      const group = this.#groupId(index);
      for (;;) {
        const callNs = Bun.nanoseconds();
        const offsets = await admin.groups.listOffsets(group);
        const returnNs = Bun.nanoseconds();
        const at = new Map(offsets.map(({ partition, offset }) => [partition, Number(offset)]));
        const behind = [...contents].filter(([partition, values]) =>
          (at.get(partition) ?? 0) < Math.max(-1, ...values.keys()) + 1
        );
        if (behind.length === 0) {
          for (const [partition, offset] of at) {
            const told = { process, group, partition, offset, stay: -1, callNs, returnNs };
            this.#history.push({ type: "final", ...told });
          }
          break;
        }
        if (performance.now() > limit) {
          throw new Error(`${group} does not come to its end: ${JSON.stringify([...at])}`);
        }
        await Bun.sleep(POLL_MS);
      }
    }
    await admin.close();
  }

  /** One member after the other. */
  async #fill(group: number, protocol: GroupProtocol): Promise<void> {
    while (!this.#ending.signal.aborted) {
      await this.#live(group, protocol);
      await Bun.sleep(Math.random() * EMPTY_MAX_MS);
    }
  }

  async #live(group: number, protocol: GroupProtocol): Promise<void> {
    const process = this.#members++;
    const consumer = new Consumer<Uint8Array, string>(bunIo(), {
      brokers: this.scene.bootstrap,
      clientId: `member-${process}`,
      groupId: this.#groupId(group),
      groupProtocol: protocol,
      sessionTimeoutMs: SESSION_MS,
      heartbeatIntervalMs: HEARTBEAT_MS,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      revokePatienceMs: END_MS,
      value: stringSerde,
    });
    const member = new Member(process, group, this.#groupId(group), this.#history, () => {
      return this.#stays++;
    });
    consumer.subscribe([this.topic], member.listener());
    const life = new AbortController();
    const timer = setTimeout(
      () => this.#settling.signal.aborted || life.abort(),
      LIFE_MIN_MS + Math.random() * (LIFE_MAX_MS - LIFE_MIN_MS),
    );
    const signal = AbortSignal.any([life.signal, this.#ending.signal]);
    await consumer.run({
      eachBatch: async (batch) => {
        const { partition } = batch;
        const isDone = await member.work(consumer, batch);
        // Another one begins where the group is.
        if (!isDone) throw new Error("a commit has failed");
        this.#commits.acknowledged(group * PARTITIONS + partition);
      },
    }, { batchRecords: BATCH, concurrency: PARTITIONS, signal }).catch(() => {});
    clearTimeout(timer);
    // Without its connections it cannot say that it leaves.
    if (Math.random() < VANISH_PART) consumer.cluster.close();
    await consumer.close().catch(() => {});
  }

  #groupId(group: number): string {
    return `${this.topic}-${GROUPS[group]}`;
  }
}

/** What one member was given and has committed. */
class Member {
  readonly #stays = new Map<number, number>();
  #sinceNs = Bun.nanoseconds();

  constructor(
    readonly process: number,
    readonly index: number,
    readonly group: string,
    readonly history: GroupOperation[],
    readonly nextStay: () => number,
  ) {}

  listener() {
    return {
      assigned: (positions: readonly { partition: number; offset: bigint }[]) => {
        const returnNs = Bun.nanoseconds();
        for (const { partition, offset } of positions) {
          const stay = this.nextStay();
          this.#stays.set(partition, stay);
          const what = { ...this.#common(partition, Number(offset), stay), callNs: this.#sinceNs };
          this.history.push({ type: "start", ...what, returnNs });
        }
      },
      revoked: () => void (this.#sinceNs = Bun.nanoseconds()),
    };
  }

  /** Takes records and commits behind them; whether that was done. */
  async work(
    consumer: Consumer<Uint8Array, string>,
    { topic, partition, records, leaderEpoch }: RecordBatch<Uint8Array, string>,
  ): Promise<boolean> {
    const stay = this.#stays.get(partition) ?? -1;
    for (const { offset, value } of records) {
      const what = this.#common(partition, Number(offset), stay);
      const callNs = Bun.nanoseconds();
      this.history.push({ type: "deliver", ...what, value: value ?? "", callNs });
    }
    const next = Number(records.at(-1)?.offset ?? -1n) + 1;
    const callNs = Bun.nanoseconds();
    const what = { type: "commit", ...this.#common(partition, next, stay), callNs } as const;
    try {
      await consumer.commit([{ topic, partition, offset: BigInt(next), leaderEpoch }]);
      this.history.push({ ...what, outcome: "acknowledged", returnNs: Bun.nanoseconds() });
      return true;
    } catch (error) {
      const isRefused = error instanceof KafkaError && REFUSALS.has(error.code);
      this.history.push({ ...what, outcome: isRefused ? "refused" : "unknown", returnNs: null });
      return false;
    }
  }

  #common(partition: number, offset: number, stay: number) {
    const { group, process } = this;
    return { process, group, partition, offset, stay };
  }
}
