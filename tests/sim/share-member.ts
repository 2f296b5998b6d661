/**
 * A member of a share group as a client of the broker is one: it joins, fetches, works for a while,
 * says what has become of each record, renews its locks, or not in time, and goes one day: it
 * leaves, breaks off its connection, or falls silent. A broker that is gone it looks for again.
 */
import { shareGroupHeartbeatHandler } from "../../broker/handlers/76-share-group-heartbeat.ts";
import { shareFetchHandler } from "../../broker/handlers/78-share-fetch.ts";
import { shareAcknowledgeHandler } from "../../broker/handlers/79-share-acknowledge.ts";
import { AcknowledgeTypes } from "../../broker/share/delivery-window.ts";
import { NO_CODECS } from "../../core/compression/codec.ts";
import { Errors } from "../../core/errors.ts";
import { sleep } from "../../core/io.ts";
import type { shareFetch } from "../../core/protocol/78-share-fetch.ts";
import type { ResponseOf } from "../../core/protocol/schema.ts";
import { forEachBatch } from "../../core/records/batch-header.ts";
import { RecordCursor } from "../../core/records/record-cursor.ts";
import { type BrokerWorld, type Call, CrashedError } from "./broker-world.ts";
import type { Delivery, Holder, Said, ShareModel, Verdict } from "./share-model.ts";

export const GROUP = "share";
export const TOPIC = "queue";

/** How a member works. */
export interface ShareMemberOptions {
  readonly id: string;
  readonly lockMs: number;
  readonly workMsMax: number;
  readonly recordsMax: number;
  /** Chances in percent; what is neither released nor rejected is accepted. */
  readonly releasePercent: number;
  readonly rejectPercent: number;
  readonly renewPercent: number;
  /** Batches of which it says nothing. */
  readonly forgetPercent: number;
}

type Response = ResponseOf<typeof shareFetch>;

/** Some records that one thing is said about. */
interface Run {
  readonly partition: number;
  readonly first: number;
  readonly last: number;
  readonly verdict: Verdict;
  readonly deliveryCount: number;
}

/** A run, with who else had each of its records when it was said. */
interface Spoken extends Run {
  readonly others: readonly (Holder | null)[];
}

const TYPES = {
  accept: AcknowledgeTypes.ACCEPT,
  release: AcknowledgeTypes.RELEASE,
  reject: AcknowledgeTypes.REJECT,
} as const;
const RETRY_MS = 200;
const WAIT_MS = 500;
const VERSION = 2;

/** The member has lost its place or its session, and begins anew. */
class Lost extends Error {
  override readonly name = "Lost";
}

/** See the head of this file. */
export class ShareMember {
  #gone = new AbortController();
  #call: Call;
  #memberEpoch = 0;
  #sessionEpoch = 0;
  #topicId = "";
  #partitions: readonly number[] = [];
  #inSession: readonly number[] = [];
  #nextHeartbeatMs = 0;

  constructor(
    readonly world: BrokerWorld,
    readonly model: ShareModel,
    readonly options: ShareMemberOptions,
  ) {
    this.#call = world.connect(this.#gone.signal);
  }

  /** Works until `untilMs`, then goes; `true` if it only falls silent. */
  async run(untilMs: number, goes: "leaves" | "breaks off" | "falls silent"): Promise<void> {
    const { clock } = this.world;
    while (clock.monotonicMs() < untilMs) {
      try {
        await this.#round();
      } catch (error) {
        if (!(error instanceof Lost || error instanceof CrashedError)) throw error;
        await this.#beginAnew();
      }
    }
    if (goes === "falls silent") return;
    this.model.gone(this.options.id);
    if (goes === "leaves") await this.#leave();
    this.#gone.abort();
  }

  async #beginAnew(): Promise<void> {
    this.model.gone(this.options.id);
    this.#gone.abort();
    this.#gone = new AbortController();
    await sleep(this.world.clock, RETRY_MS);
    this.#call = this.world.connect(this.#gone.signal);
    this.#memberEpoch = 0;
    this.#sessionEpoch = 0;
    this.#partitions = [];
    this.#inSession = [];
    this.#nextHeartbeatMs = 0;
  }

  async #round(): Promise<void> {
    const { clock, random } = this.world;
    if (clock.monotonicMs() >= this.#nextHeartbeatMs) await this.#heartbeat();
    if (this.#partitions.length === 0) return await sleep(clock, RETRY_MS);
    const got = await this.#fetch([]);
    if (got.length === 0) return await sleep(clock, random.between(1, WAIT_MS));
    await sleep(clock, random.below(this.options.workMsMax + 1));
    if (random.chance(this.options.renewPercent)) {
      await this.#renew(got);
      await sleep(clock, random.below(this.options.workMsMax + 1));
    }
    if (random.chance(this.options.forgetPercent)) return;
    const runs = this.#judge(got);
    // Along with the next fetch, or alone.
    if (random.chance(40)) await this.#fetch(runs);
    else await this.#acknowledge(runs);
  }

  async #heartbeat(): Promise<void> {
    const answer = await this.#call(shareGroupHeartbeatHandler, 1, {
      groupId: GROUP,
      memberId: this.options.id,
      memberEpoch: this.#memberEpoch,
      subscribedTopicNames: this.#memberEpoch === 0 ? [TOPIC] : null,
    });
    if (answer.errorCode !== Errors.NONE) throw new Lost();
    this.#memberEpoch = answer.memberEpoch;
    const assigned = answer.assignment?.topicPartitions[0];
    if (answer.assignment !== null) this.#partitions = assigned?.partitions ?? [];
    if (assigned !== undefined) this.#topicId = assigned.topicId;
    // Partitions are initialized one by one at the beginning.
    const waitMs = this.#partitions.length === 0 ? RETRY_MS : 5_000;
    this.#nextHeartbeatMs = this.world.clock.monotonicMs() + waitMs;
  }

  async #leave(): Promise<void> {
    try {
      await this.#call(shareAcknowledgeHandler, VERSION, {
        groupId: GROUP,
        memberId: this.options.id,
        shareSessionEpoch: -1,
        isRenewAck: false,
        topics: [],
      });
      await this.#call(shareGroupHeartbeatHandler, 1, {
        groupId: GROUP,
        memberId: this.options.id,
        memberEpoch: -1,
      });
    } catch (error) {
      if (!(error instanceof CrashedError)) throw error;
    }
  }

  /** What it got; `runs` go along. */
  async #fetch(runs: readonly Run[]): Promise<Delivery[]> {
    const { clock, random } = this.world;
    const { id, lockMs, recordsMax } = this.options;
    const askedMs = clock.monotonicMs();
    const isFirst = this.#sessionEpoch === 0;
    // The request that opens a session has nothing to say of records.
    const said = isFirst ? [] : this.#say(runs);
    const { added, dropped } = this.#changeSession();
    const partitions = [
      ...batchesOf(said, null),
      ...added.map((partitionIndex) => ({ partitionIndex, acknowledgementBatches: [] })),
    ];
    let answer: Response;
    try {
      answer = await this.#call(shareFetchHandler, VERSION, {
        groupId: GROUP,
        memberId: id,
        shareSessionEpoch: this.#sessionEpoch++,
        maxWaitMs: random.below(WAIT_MS),
        minBytes: 1,
        maxBytes: random.pick([100, 1_000, 1_000_000]),
        maxRecords: random.between(1, recordsMax),
        batchSize: random.between(1, recordsMax),
        shareAcquireMode: random.below(2),
        isRenewAck: false,
        topics: partitions.length === 0 ? [] : [{ topicId: this.#topicId, partitions }],
        forgottenTopicsData: dropped.length === 0
          ? []
          : [{ topicId: this.#topicId, partitions: dropped }],
      });
    } catch (error) {
      this.model.unseen();
      throw error;
    }
    const lock = { askedMs, untilMs: askedMs + lockMs, nowMs: clock.monotonicMs() };
    if (answer.errorCode !== Errors.NONE) {
      this.model.unseen();
      throw new Lost();
    }
    this.#noteAnswers(said, answer, (partition) => partition.acknowledgeErrorCode);
    const got = answer.responses.flatMap(({ partitions }) => partitions.flatMap(deliveriesOf));
    for (const each of got) this.model.delivered(each, id, lock);
    return got;
  }

  /** What the session has to hear of a new assignment. */
  #changeSession(): { added: number[]; dropped: number[] } {
    const added = this.#partitions.filter((each) => !this.#inSession.includes(each));
    const dropped = this.#inSession.filter((each) => !this.#partitions.includes(each));
    this.#inSession = this.#partitions;
    return { added, dropped };
  }

  async #acknowledge(runs: readonly Run[]): Promise<void> {
    const said = this.#say(runs);
    if (said.length === 0) return;
    const answer = await this.#call(shareAcknowledgeHandler, VERSION, {
      groupId: GROUP,
      memberId: this.options.id,
      shareSessionEpoch: this.#sessionEpoch++,
      isRenewAck: false,
      topics: [{ topicId: this.#topicId, partitions: batchesOf(said, null) }],
    });
    if (answer.errorCode !== Errors.NONE) throw new Lost();
    this.#noteAnswers(said, answer, (partition) => partition.errorCode);
  }

  /** More time for all that it has. */
  async #renew(got: readonly Delivery[]): Promise<void> {
    const { clock } = this.world;
    const { id, lockMs } = this.options;
    const askedMs = clock.monotonicMs();
    const runs = this.#judge(got);
    if (runs.length === 0) return;
    const answer = await this.#call(shareAcknowledgeHandler, VERSION, {
      groupId: GROUP,
      memberId: id,
      shareSessionEpoch: this.#sessionEpoch++,
      isRenewAck: true,
      topics: [{ topicId: this.#topicId, partitions: batchesOf(runs, AcknowledgeTypes.RENEW) }],
    });
    if (answer.errorCode !== Errors.NONE) throw new Lost();
    const lock = { untilMs: askedMs + lockMs, nowMs: clock.monotonicMs() };
    for (
      const { partition, first, last } of this.#agreed(runs, answer, ({ errorCode }) => errorCode)
    ) {
      for (let offset = first; offset <= last; offset++) {
        this.model.renewed(partition, offset, id, lock);
      }
    }
  }

  /** Draws what it says of the records that it still has, in runs of those that came together. */
  #judge(got: readonly Delivery[]): Run[] {
    const { random } = this.world;
    const { id, releasePercent, rejectPercent } = this.options;
    const runs: Run[] = [];
    // Some do not notice that their time is over.
    const isLate = random.chance(20);
    for (const { partition, offset, deliveryCount } of got) {
      if (!isLate && !this.model.isHeldBy(partition, offset, id)) continue;
      const verdict = random.chance(releasePercent)
        ? "release"
        : random.chance(rejectPercent)
        ? "reject"
        : "accept";
      const before = runs.at(-1);
      const isSame = before !== undefined && before.partition === partition &&
        before.last === offset - 1 && before.deliveryCount === deliveryCount &&
        random.chance(80);
      if (isSame) runs[runs.length - 1] = { ...before, last: offset };
      else runs.push({ partition, first: offset, last: offset, verdict, deliveryCount });
    }
    return runs;
  }

  /** From now on it has the records no more. */
  #say(runs: readonly Run[]): Spoken[] {
    const nowMs = this.world.clock.monotonicMs();
    return runs.map((run) => ({
      ...run,
      others: eachOf(run).map((each) => this.model.says(each, this.options.id, nowMs)),
    }));
  }

  #noteAnswers<P extends { readonly partitionIndex: number }>(
    spoken: readonly Spoken[],
    answer: { readonly responses: readonly { readonly partitions: readonly P[] }[] },
    errorOf: (partition: P) => number,
  ): void {
    const nowMs = this.world.clock.monotonicMs();
    for (const run of this.#agreed(spoken, answer, errorOf)) {
      eachOf(run).forEach((each, index) => this.model.said(each, run.others[index]!, nowMs));
    }
  }

  /** The runs that were taken. */
  #agreed<P extends { readonly partitionIndex: number }, R extends Run>(
    said: readonly R[],
    answer: { readonly responses: readonly { readonly partitions: readonly P[] }[] },
    errorOf: (partition: P) => number,
  ): R[] {
    const errors = new Map<number, number>();
    for (const { partitions } of answer.responses) {
      for (const each of partitions) errors.set(each.partitionIndex, errorOf(each));
    }
    return said.filter(({ partition }) => errors.get(partition) === Errors.NONE);
  }
}

function eachOf({ partition, first, last, verdict, deliveryCount }: Run): Said[] {
  return Array.from(
    { length: last - first + 1 },
    (_, index) => ({ partition, offset: first + index, verdict, deliveryCount }),
  );
}

/** The acknowledgements of a request by partition; `type` in place of what was drawn. */
function batchesOf(runs: readonly Run[], type: number | null) {
  return [...Map.groupBy(runs, ({ partition }) => partition)].map(([partitionIndex, own]) => ({
    partitionIndex,
    acknowledgementBatches: own.toSorted((a, b) => a.first - b.first)
      .map(({ first, last, verdict }) => ({
        firstOffset: BigInt(first),
        lastOffset: BigInt(last),
        acknowledgeTypes: [type ?? TYPES[verdict]],
      })),
  }));
}

/** The records of an answer that the member has acquired. */
function deliveriesOf(
  partition: Response["responses"][number]["partitions"][number],
): Delivery[] {
  const values = new Map<number, string>();
  const { records } = partition;
  if (records !== null) {
    forEachBatch(records, (at) => {
      const cursor = new RecordCursor(records, at, NO_CODECS);
      while (cursor.next()) {
        values.set(cursor.offset, new TextDecoder().decode(cursor.value() ?? undefined));
      }
    });
  }
  const got: Delivery[] = [];
  for (const { firstOffset, lastOffset, deliveryCount } of partition.acquiredRecords) {
    for (let offset = Number(firstOffset); offset <= Number(lastOffset); offset++) {
      const value = values.get(offset) ?? "missing";
      got.push({ partition: partition.partitionIndex, offset, value, deliveryCount });
    }
  }
  return got;
}
