/**
 * What consumers of both protocols have in common: they read what they are told to, take up at the
 * committed offset, commit as they go on, and go one day: they leave, or fall silent, after which
 * one may come back with a last commit. A broker that is gone they look for again.
 */
import { offsetCommitHandler } from "../../broker/handlers/08-offset-commit.ts";
import { offsetFetchHandler } from "../../broker/handlers/09-offset-fetch.ts";
import { Errors } from "../../core/errors.ts";
import { sleep } from "../../core/io.ts";
import { type BrokerWorld, type Call, CrashedError } from "./broker-world.ts";
import type { GroupModel } from "./group-model.ts";

export const GROUP = "group";
export const SESSION_MS = 10_000;
export const REBALANCE_MS = 30_000;

const VERSION = 9;
const RETRY_MS = 200;
const ROUND_MS = 2_000;

/** Errors of a commit that was not taken; after all others nobody knows. */
const REFUSALS: ReadonlySet<number> = new Set([
  Errors.UNKNOWN_MEMBER_ID,
  Errors.ILLEGAL_GENERATION,
  Errors.STALE_MEMBER_EPOCH,
  Errors.FENCED_MEMBER_EPOCH,
  Errors.FENCED_INSTANCE_ID,
  Errors.REBALANCE_IN_PROGRESS,
  Errors.GROUP_ID_NOT_FOUND,
  Errors.UNKNOWN_TOPIC_OR_PARTITION,
  Errors.COORDINATOR_LOAD_IN_PROGRESS,
]);

/** Who it is. */
export interface MemberOptions {
  /** No other member has this name, ever. */
  readonly name: string;
  readonly instanceId: string | null;
  readonly topics: readonly string[];
}

/** How it ends. */
export type Going = "leaves" | "falls silent" | "comes back";

/** The identity that commits carry. */
export interface Identity {
  readonly memberId: string;
  readonly epoch: number;
}

/** A partition by its parts. */
export interface Partition {
  readonly topic: string;
  readonly index: number;
}

/** A partition that a member reads. */
interface Reading {
  readonly partition: Partition;
  /** The moment of the model when it was told to. */
  readonly toldAt: number;
  position: number | null;
}

/** The name that the model knows a partition by. */
export const nameOf = ({ topic, index }: Partition): string => `${topic}-${index}`;

/** The member is fenced for good. */
export class Fenced extends Error {
  override readonly name = "Fenced";
}

/** See the head of this file. */
export abstract class GroupMember {
  call: Call;
  /** What it reads, with the next offset that it will commit; null if it has not taken up yet. */
  readonly reads = new Map<string, Reading>();
  #stops = false;

  constructor(
    readonly world: BrokerWorld,
    readonly model: GroupModel,
    readonly options: MemberOptions,
  ) {
    this.call = world.connect();
  }

  /** Keeps the membership up, which may mean to join. Whether it may read on. */
  abstract beat(): Promise<boolean>;
  abstract leave(): Promise<void>;
  abstract get identity(): Identity;

  /** Works until `untilMs` or until it is stopped. */
  async run(untilMs: number, goes: Going): Promise<void> {
    const { clock, random } = this.world;
    while (!this.#stops && clock.monotonicMs() < untilMs) {
      try {
        if (await this.beat()) await this.#work();
        await sleep(clock, random.between(1, ROUND_MS));
      } catch (error) {
        if (error instanceof Fenced) return this.model.lost(this.options.name);
        if (!(error instanceof CrashedError)) throw error;
        await sleep(clock, RETRY_MS);
        this.call = this.world.connect();
      }
    }
    this.model.lost(this.options.name);
    try {
      if (goes === "leaves" || this.#stops) await this.leave();
      if (goes !== "comes back") return;
      await sleep(clock, random.between(1_000, 60_000));
      this.call = this.world.connect();
      await this.#commitAll();
    } catch (error) {
      if (!(error instanceof CrashedError)) throw error;
    }
  }

  /** Lets it leave soon. */
  stop(): void {
    this.#stops = true;
  }

  /** It reads exactly these from now on; what is new it takes up at the committed offset. */
  readExactly(partitions: readonly Partition[]): void {
    const names = new Set(partitions.map(nameOf));
    for (const name of [...this.reads.keys()]) if (!names.has(name)) this.reads.delete(name);
    for (const partition of partitions) {
      const name = nameOf(partition);
      if (this.reads.has(name)) continue;
      this.reads.set(name, { partition, position: null, toldAt: this.model.moment() });
    }
  }

  /** What was asked at `askedMs` has been answered: it has a session from then on. */
  alive(askedMs: number): void {
    this.model.alive(this.options.name, askedMs + SESSION_MS);
  }

  async #work(): Promise<void> {
    for (const entry of [...this.reads.values()]) {
      if (entry.position === null) await this.#takeUp(entry);
    }
    if (this.world.random.chance(60)) await this.#commitAll();
  }

  async #takeUp(entry: Reading): Promise<void> {
    const offset = await fetchOffset(this.call, this.model, entry.partition);
    if (offset !== null) entry.position = Math.max(0, offset);
  }

  /** All partitions in one request. */
  async #commitAll(): Promise<void> {
    const { model, world } = this;
    const { memberId, epoch } = this.identity;
    const open = [...this.reads].flatMap(([name, entry]) => {
      if (entry.position === null) return [];
      entry.position += world.random.below(10);
      // Who still means the topic that was there before speaks of the new one by its name.
      const isOfOld = model.isOlder(name, entry.toldAt);
      const commit = model.begin(name, entry.position, isOfOld);
      return [{ name, partition: entry.partition, commit }];
    });
    if (open.length === 0) return;
    const topics = [...Map.groupBy(open, ({ partition }) => partition.topic)];
    try {
      const answer = await this.call(offsetCommitHandler, VERSION, {
        groupId: GROUP,
        generationIdOrMemberEpoch: epoch,
        memberId,
        groupInstanceId: this.options.instanceId,
        topics: topics.map(([name, own]) => ({
          name,
          partitions: own.map(({ partition, commit }) => ({
            partitionIndex: partition.index,
            committedOffset: BigInt(commit.offset ?? -1),
            committedMetadata: String(commit.number),
          })),
        })),
      });
      for (const { name, partition, commit } of open) {
        const error = answer.topics.find((topic) => topic.name === partition.topic)?.partitions
          .find(({ partitionIndex }) => partitionIndex === partition.index)?.errorCode ?? -1;
        model.end(name, commit, outcomeOf(error));
      }
    } catch (error) {
      for (const { name, commit } of open) model.end(name, commit, "unknown");
      throw error;
    }
  }
}

/** What is known of a commit that was answered so. */
export function outcomeOf(error: number): "acked" | "refused" | "unknown" {
  return error === Errors.NONE ? "acked" : REFUSALS.has(error) ? "refused" : "unknown";
}

/** The committed offset, −1 for none; null if it cannot be told now. */
export async function fetchOffset(
  call: Call,
  model: GroupModel,
  partition: Partition,
): Promise<number | null> {
  const sentAt = model.moment();
  const answer = await call(offsetFetchHandler, VERSION, {
    requireStable: true,
    groups: [{
      groupId: GROUP,
      topics: [{ name: partition.topic, partitionIndexes: [partition.index] }],
    }],
  });
  const group = answer.groups[0]!;
  const found = group.topics[0]?.partitions[0];
  if (group.errorCode !== Errors.NONE || found === undefined) return null;
  if (found.errorCode !== Errors.NONE) return null;
  const offset = Number(found.committedOffset);
  const number = offset === -1 ? null : Number(found.metadata);
  model.fetched(nameOf(partition), sentAt, number, offset);
  return offset;
}
