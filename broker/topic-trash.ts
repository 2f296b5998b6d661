/**
 * Deleted topics that can come back: their logs are renamed into a trash (`storage/trash.ts`), from
 * where they go after `kstream.trash.ms`, or earlier, the oldest first, if they take more than
 * `kstream.trash.bytes` or the disk runs low. To all Kafka APIs a deleted topic is gone at once. The
 * same goes for records that were purged (`topic-purges.ts`).
 */
import { assert } from "../core/assert.ts";
import { Errors } from "../core/errors.ts";
import type { Io, Timer } from "../core/io.ts";
import { DiskError } from "../core/io.ts";
import type { Logger } from "../core/logger.ts";
import { type PartitionImage, type TopicImage, topicRecords } from "../cluster/metadata-image.ts";
import type { DataDirs } from "../storage/data-dirs.ts";
import type { BrokerConfig } from "./config/broker-config.ts";
import type { Controller } from "./controller.ts";
import type { MetadataCache } from "./metadata-cache.ts";
import { accept, type Outcome, refuse } from "./outcome.ts";
import type { PartitionSet } from "./partition-set.ts";
import { nameProblem, type Plan, type PlanContext } from "./plan-topics.ts";
import { type PurgedPartition, type PurgedTopic, TopicPurges } from "./topic-purges.ts";

/** A topic as it was when it was deleted. */
export interface TrashedTopic {
  readonly name: string;
  readonly id: string;
  readonly deletedMs: number;
  /** When it is given up at the latest. */
  readonly untilMs: number;
  /** Of its records. */
  readonly sizeBytes: number;
  readonly partitions: readonly PartitionImage[];
  readonly configs: Readonly<Record<string, string>>;
}

/** What the trash stands on. */
export interface TopicTrashOptions {
  readonly io: Pick<Io, "clock" | "random">;
  readonly logger: Logger;
  readonly config: BrokerConfig;
  readonly dataDirs: DataDirs;
  readonly metadata: MetadataCache;
  readonly partitions: PartitionSet;
}

/** Records of a topic as they were purged. */
export type TrashedRecords = PurgedTopic & { readonly untilMs: number };

/** Something that takes room until it is given up. */
interface Kept {
  readonly what: string;
  readonly topic: string;
  readonly sinceMs: number;
  readonly sizeBytes: number;
  readonly giveUp: () => Promise<void>;
}

/** What is written down of a topic. */
type Note = Omit<TrashedTopic, "id" | "untilMs">;

/** How often it is looked whether something has to go. */
const SWEEP_MS = 30_000;
/** With less than that on a disk nothing is kept. */
const FREE_BYTES_MIN = 1_000_000_000;
/** So much is kept at most, topics and purges. */
const ENTRIES_MAX = 1000;
/** Of `--memory`, which has no disk to keep much on. */
const MEMORY_BYTES_MAX = 64 * 1024 * 1024;

/** See the head of this file. */
export class TopicTrash {
  readonly #options: TopicTrashOptions;
  readonly #purges: TopicPurges;
  /** Null as in `start`. */
  #controller: Controller | null = null;
  #timer: Timer | null = null;
  #isClosed = false;
  /** Settles with the last thing that was begun: they go one after the other. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(options: TopicTrashOptions) {
    this.#options = options;
    this.#purges = new TopicPurges(options);
  }

  /**
   * Drops what a crash has left of topics that are there, and begins to look after the trash. Without
   * a controller of its own, in a broker of several, nothing can be taken back, since other replicas
   * have deleted it, and only what it kept when it was alone is given up in time.
   */
  async start(controller: Controller | null): Promise<void> {
    this.#controller = controller;
    const { dataDirs, metadata, logger } = this.#options;
    try {
      for (const [topicId, text] of dataDirs.trashNotes()) {
        const isBack = metadata.image.topicsById.get(topicId) !== undefined;
        if (isBack || parseNote(text) === null) await dataDirs.emptyTrash(topicId);
      }
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      logger.warn("the trash cannot be read", { why: error.message });
    }
    this.#sweepLater();
  }

  /** To be called before topics are deleted. Where the disk refuses they are not kept. */
  async keep(topics: readonly TopicImage[]): Promise<void> {
    const { config, dataDirs, io, logger } = this.#options;
    if (config.get("kstream.trash.ms") === 0) return;
    // The coordinators' own state is not what anybody would take back.
    const kept = topics.filter(({ name }) => !name.startsWith("__"));
    const sizes = dataDirs.sizes(new Set(kept.map(({ id }) => id)));
    const deletedMs = io.clock.wallMs();
    // Together, so that the disk is waited for once and not for each.
    await Promise.all(kept.map(async ({ name, id, partitions, configs }) => {
      const note: Note = {
        name,
        deletedMs,
        sizeBytes: sizes.get(id) ?? 0,
        partitions,
        configs: Object.fromEntries(configs),
      };
      try {
        await dataDirs.keep(id, JSON.stringify(note));
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        logger.warn("a deleted topic cannot be kept", { topic: name, why: error.message });
      }
    }));
  }

  /** What can be restored, the latest first. */
  list(): TrashedTopic[] {
    const { config, dataDirs, metadata } = this.#options;
    const trashMs = config.get("kstream.trash.ms");
    return [...dataDirs.trashNotes()].flatMap(([id, text]) => {
      const note = parseNote(text);
      if (note === null || metadata.image.topicsById.get(id) !== undefined) return [];
      return [{ ...note, id, untilMs: note.deletedMs + trashMs }];
    }).sort((a, b) => b.deletedMs - a.deletedMs);
  }

  /** What was purged and can come back, the latest first. */
  purged(): TrashedRecords[] {
    const trashMs = this.#options.config.get("kstream.trash.ms");
    return this.#purges.list()
      .map((purge) => ({ ...purge, untilMs: purge.purgedMs + trashMs }))
      .sort((a, b) => b.purgedMs - a.purgedMs);
  }

  /** Deletes all records of these partitions, or of all, such that they can come back. */
  async purge(
    topic: TopicImage,
    partitions: readonly number[] | null,
  ): Promise<Outcome<readonly PurgedPartition[]>> {
    return await this.#inTurn(() => {
      if (this.#controller === null) return Promise.resolve(ofMember());
      if (this.#options.config.get("kstream.trash.ms") > 0) {
        return this.#purges.purge(topic, partitions);
      }
      const why = "nothing could bring the records back: kstream.trash.ms is 0";
      return Promise.resolve(refuse(Errors.POLICY_VIOLATION, why));
    });
  }

  /** Puts purged records back. */
  async restorePurged(id: string): Promise<Outcome<PurgedTopic>> {
    return await this.#inTurn(() =>
      this.#controller === null ? Promise.resolve(ofMember()) : this.#purges.restore(id)
    );
  }

  /** Restores a topic with its id, records, offsets and configs, under `name`. */
  async restore({ id, configs, partitions }: TrashedTopic, name: string) {
    return await this.#inTurn(async (): Promise<Outcome<TopicImage>> => {
      const controller = this.#controller;
      if (controller === null) return ofMember();
      const topic: TopicImage = {
        name,
        id,
        // Readers and replicas tell by the epoch that this is another term of the leader.
        partitions: partitions.map((partition) => ({
          ...partition,
          leaderEpoch: partition.leaderEpoch + 1,
          partitionEpoch: partition.partitionEpoch + 1,
        })),
        configs: new Map(Object.entries(configs)),
      };
      const { dataDirs } = this.#options;
      if (!dataDirs.trashNotes().has(id)) return gone(id);
      const [outcome] = await controller.change(
        1,
        (context) => planRestore(context, topic),
        {},
        // In the controller's turn: nobody else can take the name meanwhile.
        ([planned]) => planned?.ok ? this.#moveBack(id, name) : Promise.resolve(),
      ).catch(async (error: unknown) => {
        await this.#moveAway(id);
        throw error;
      });
      assert(outcome !== undefined, "one outcome for one topic");
      if (outcome.ok) {
        // So that retention and a deletion find them.
        topic.partitions.forEach((_, index) => this.#options.partitions.find(name, index));
        await dataDirs.emptyTrash(id);
      } else await this.#moveAway(id);
      return outcome;
    });
  }

  /** Gives up these topics and purges, or all; answers how many. */
  async empty(ids: readonly string[] | null): Promise<number> {
    return await this.#inTurn(async () => {
      const isGiven = ({ id }: { readonly id: string }) => ids === null || ids.includes(id);
      const topics = this.list().filter(isGiven);
      for (const { id } of topics) await this.#options.dataDirs.emptyTrash(id);
      const purges = this.purged().filter(isGiven);
      for (const { id } of purges) await this.#purges.drop(id);
      return topics.length + purges.length;
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#tail;
  }

  #moveBack(id: string, name: string): Promise<void> {
    return this.#options.dataDirs.restore(id, name);
  }

  /** What was moved back of a topic that could not be restored goes to the trash again. */
  async #moveAway(id: string): Promise<void> {
    const { dataDirs, metadata } = this.#options;
    if (metadata.image.topicsById.get(id) !== undefined) return;
    for (const log of [...dataDirs.logs()]) if (log.topicId === id) await dataDirs.delete(log);
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(task);
    this.#tail = done.catch(() => {});
    return done;
  }

  #sweepLater(): void {
    if (this.#isClosed) return;
    this.#timer = this.#options.io.clock.setTimer(SWEEP_MS, () => {
      this.#inTurn(() => this.sweep())
        .catch((error: unknown) => {
          this.#options.logger.warn("the trash cannot be emptied", { why: String(error) });
        })
        .finally(() => this.#sweepLater());
    });
  }

  /** Gives up what is too old or too much. */
  async sweep(): Promise<void> {
    const { config, dataDirs, io, logger } = this.#options;
    const nowMs = io.clock.wallMs();
    const inMemory = config.get("kstream.storage") === "memory";
    let left = Math.min(
      config.get("kstream.trash.bytes"),
      inMemory ? MEMORY_BYTES_MAX : Infinity,
    );
    const isLow = !inMemory &&
      dataDirs.all.some((dir) => (dir.freeBytes() ?? Infinity) < FREE_BYTES_MIN);
    const trashMs = config.get("kstream.trash.ms");
    const all = this.#kept();
    for (const [index, { what, topic, sinceMs, sizeBytes, giveUp }] of all.entries()) {
      left -= sizeBytes;
      // One at a time: what it frees is to be seen first.
      const isFirstToGo = isLow && index === all.length - 1;
      const isYoung = sinceMs + trashMs > nowMs;
      if (isYoung && left >= 0 && !isFirstToGo && index < ENTRIES_MAX) continue;
      logger.info(`${what} cannot be restored any more`, { topic });
      await giveUp();
    }
  }

  /** All that takes room, the latest first. */
  #kept(): Kept[] {
    const topics = this.list().map(({ id, name, deletedMs, sizeBytes }): Kept => ({
      what: "a deleted topic",
      topic: name,
      sinceMs: deletedMs,
      sizeBytes,
      giveUp: () => this.#options.dataDirs.emptyTrash(id),
    }));
    const purges = this.#purges.list().map(({ id, name, purgedMs, sizeBytes }): Kept => ({
      what: "what was purged of a topic",
      topic: name,
      sinceMs: purgedMs,
      sizeBytes,
      giveUp: () => this.#purges.drop(id),
    }));
    return [...topics, ...purges].sort((a, b) => b.sinceMs - a.sinceMs);
  }
}

function planRestore({ image }: PlanContext, topic: TopicImage): Plan<TopicImage> {
  const problem = nameProblem(image, topic.name, new Map());
  if (problem !== null) return { records: [], outcomes: [problem] };
  if (image.topicsById.get(topic.id) !== undefined) {
    return { records: [], outcomes: [gone(topic.id)] };
  }
  return { records: topicRecords(topic), outcomes: [accept(topic)] };
}

function ofMember<T>(): Outcome<T> {
  const why = "in a cluster of several brokers nothing that was deleted can come back";
  return refuse(Errors.POLICY_VIOLATION, why);
}

function gone(id: string): Outcome<TopicImage> {
  return refuse(Errors.UNKNOWN_TOPIC_ID, `The topic ${id} is not in the trash.`);
}

/** Null if it is no note. */
function parseNote(text: string): Note | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  return isNote(parsed) ? parsed : null;
}

function isNote(value: unknown): value is Note {
  if (typeof value !== "object" || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  const partitions = fields.get("partitions");
  const configs = fields.get("configs");
  return typeof fields.get("name") === "string" &&
    ["deletedMs", "sizeBytes"].every((name) => Number.isSafeInteger(fields.get(name))) &&
    Array.isArray(partitions) && partitions.length > 0 && partitions.every(isPartition) &&
    typeof configs === "object" && configs !== null &&
    Object.values(configs).every((each) => typeof each === "string");
}

function isPartition(value: unknown): value is PartitionImage {
  if (typeof value !== "object" || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  const integers = (name: string) => {
    const list = fields.get(name);
    return Array.isArray(list) && list.every((each) => Number.isSafeInteger(each));
  };
  return integers("replicas") && integers("isr") &&
    ["leader", "leaderEpoch", "partitionEpoch"].every((name) =>
      Number.isSafeInteger(fields.get(name))
    );
}
