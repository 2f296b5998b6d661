/** Translates offsets of the groups of a task, writes them down and gives them to idle groups. */
import { Admin, Consumer, KafkaError } from "../../../client/index.ts";
import type { ClientOptions } from "../../../client/index.ts";
import { bunCodecs } from "../../../core/compression/bun.ts";
import { Errors } from "../../../core/errors.ts";
import type { PartialSourceRecord, SourceContext } from "../../index.ts";
import { asRetriable, io, messageOf, needCompactedTopic } from "./clients.ts";
import { optionsOf, sourceOptions, targetOptions } from "./clients.ts";
import { idle } from "./copy.ts";
import { offsetSyncsTopic, policyOf } from "./fields.ts";
import type { CheckpointConfig } from "./fields.ts";
import { nameFilter } from "./name-filter.ts";
import { readCheckpoint, readOffsetSync, writeCheckpoint } from "./records.ts";
import type { Checkpoint } from "./records.ts";
import { withRight } from "./rights.ts";
import { SyncStore } from "./sync-store.ts";

type Context = SourceContext<CheckpointConfig>;

/** Reads until the signal aborts. Throws `RetriableError`. */
export async function* emitCheckpoints(
  context: Context,
): AsyncGenerator<readonly PartialSourceRecord[]> {
  const { config, clock, signal } = context;
  const groups = config["task.assigned.groups"];
  if (groups.length === 0) return await idle(context);
  const work = new CheckpointWork(context, groups);
  const everyMs = config["emit.checkpoints.interval.seconds"] * 1000;
  const syncMs = config["sync.group.offsets.interval.seconds"] * 1000;
  let syncedMs = -Infinity;
  try {
    await work.open();
    for (let roundMs = 0; !signal.aborted;) {
      const nowMs = clock.monotonicMs();
      if (nowMs >= roundMs) {
        const fresh = await work.checkpoints();
        if (fresh.length > 0) yield fresh;
        roundMs = nowMs + everyMs;
      }
      if (config["sync.group.offsets.enabled"] && nowMs >= syncedMs + syncMs) {
        await work.syncGroups();
        syncedMs = nowMs;
      }
      const wakeMs = config["sync.group.offsets.enabled"]
        ? Math.min(roundMs, syncedMs + syncMs)
        : roundMs;
      await clock.sleep(Math.max(0, wakeMs - clock.monotonicMs()), signal);
    }
  } catch (error) {
    if (!signal.aborted) throw asRetriable(error);
  } finally {
    await work.close();
  }
}

class CheckpointWork {
  readonly #syncs = new SyncStore();
  readonly #source: Admin;
  readonly #target: Admin;
  readonly #isCopied: (topic: string) => boolean;
  /** The latest checkpoints, by group and then by partition of the copy. */
  readonly #latest = new Map<string, Map<string, Checkpoint>>();
  #following: Promise<void> = Promise.resolve();
  #consumer: Consumer | null = null;

  constructor(readonly context: Context, readonly groups: readonly string[]) {
    this.#source = new Admin(io, sourceOptions(context.config));
    this.#target = new Admin(io, targetOptions(context));
    this.#isCopied = nameFilter(context.config.topics, context.config["topics.exclude"]);
  }

  get #topic(): string {
    const { config } = this.context;
    return policyOf(config).checkpoints(config["source.cluster.alias"]);
  }

  /** Reads what was checkpointed and said before, and follows what is said from then on. */
  async open(): Promise<void> {
    const { config } = this.context;
    const replicas = config["checkpoints.topic.replication.factor"];
    await needCompactedTopic("target", this.#target, this.#topic, replicas);
    const mine = new Set(this.groups);
    const checkpoints = await this.#reader(
      targetOptions(this.context),
      this.#topic,
      (key, value) => {
        const checkpoint = readCheckpoint(key, value);
        if (checkpoint !== null && mine.has(checkpoint.group)) this.#keep(checkpoint);
      },
    );
    await checkpoints.untilEnd;
    await checkpoints.consumer.close();
    const { side, topic } = offsetSyncsTopic(config);
    const options = optionsOf(this.context, side);
    const admin = side === "source" ? this.#source : this.#target;
    const copies = config["offset-syncs.topic.replication.factor"];
    await needCompactedTopic(side, admin, topic, copies);
    const syncs = await this.#reader(options, topic, (key, value) => {
      const sync = readOffsetSync(key, value);
      if (sync !== null) this.#syncs.hear(sync);
    });
    this.#consumer = syncs.consumer;
    this.#following = syncs.following;
    await syncs.untilEnd;
  }

  async close(): Promise<void> {
    await this.#consumer?.close();
    await this.#following.catch(() => {});
    this.#source.close();
    this.#target.close();
  }

  /** Reads a topic of one partition; `untilEnd`: all is read that was there. */
  async #reader(
    client: ClientOptions,
    topic: string,
    hear: (key: Uint8Array | null, value: Uint8Array | null) => void,
  ) {
    const { signal } = this.context;
    const consumer = new Consumer(io, { ...client, codecs: bunCodecs });
    const at = { topic, partition: 0 };
    const admin = new Admin(io, client);
    const [first, end] = await admin.listOffsets([
      { ...at, at: "earliest" },
      { ...at, at: "latest" },
    ], { signal }).finally(() => admin.close());
    const last = Number(end?.offset ?? 0n);
    await consumer.assign([{ ...at, offset: first?.offset ?? 0n }]);
    const reached = Promise.withResolvers<void>();
    if (Number(first?.offset ?? 0n) >= last) reached.resolve();
    const following = (async () => {
      for (;;) {
        const chunk = await consumer.nextChunk(signal);
        if (chunk === null) return;
        for (const cursor of chunk.each()) hear(cursor.key(), cursor.value());
        if (chunk.nextOffset >= last) reached.resolve();
      }
    })();
    following.catch((error: unknown) => reached.reject(error));
    // Nobody may be waiting any more when it fails.
    reached.promise.catch(() => {});
    return { consumer, following, untilEnd: reached.promise };
  }

  /** Records of what is new. */
  async checkpoints(): Promise<PartialSourceRecord[]> {
    const { clock, log, signal } = this.context;
    const records: PartialSourceRecord[] = [];
    for (const group of this.groups) {
      try {
        const committed = await this.#source.groups.listOffsets(group, { signal, stable: true });
        for (const { topic, partition, offset, metadata } of committed) {
          const upstream = Number(offset);
          if (!this.#isCopied(topic)) continue;
          const downstream = this.#syncs.translate(topic, partition, upstream);
          if (downstream === null) continue;
          const remote = this.#remote(topic);
          const checkpoint = { group, topic: remote, partition, upstream, downstream };
          const fresh = { ...checkpoint, metadata: metadata ?? "" };
          if (this.#isNews(fresh)) records.push(this.#record(fresh, clock.wallMs()));
        }
      } catch (error) {
        if (signal.aborted) throw error;
        const why = messageOf(withRight("source", `DESCRIBE of group "${group}"`, error));
        log.warn("offsets of a group cannot be read now", { group, why });
      }
    }
    return records;
  }

  /** What it is called in the target; a topic that has come from there by its name there. */
  #remote(topic: string): string {
    const { config } = this.context;
    const policy = policyOf(config);
    return policy.sourceOf(topic) === config["target.cluster.alias"]
      ? policy.original(topic)
      : policy.remote(topic);
  }

  /** Whether the group has gone on, or back; a later sync alone never takes it back. */
  #isNews(checkpoint: Checkpoint): boolean {
    const { group, topic, partition, upstream, downstream } = checkpoint;
    const last = this.#latest.get(group)?.get(`${topic}-${partition}`);
    const isNews = last === undefined || upstream < last.upstream || downstream > last.downstream;
    if (isNews) this.#keep(checkpoint);
    return isNews;
  }

  #keep(checkpoint: Checkpoint): void {
    const of = this.#latest.get(checkpoint.group) ?? new Map<string, Checkpoint>();
    of.set(`${checkpoint.topic}-${checkpoint.partition}`, checkpoint);
    this.#latest.set(checkpoint.group, of);
  }

  #record(checkpoint: Checkpoint, timestampMs: number): PartialSourceRecord {
    const { group, topic, partition } = checkpoint;
    return {
      topic: this.#topic,
      partition: 0,
      ...writeCheckpoint(checkpoint),
      timestampMs,
      sourcePartition: { partition, topic, group },
      sourceOffset: { offset: 0 },
    };
  }

  /** Gives groups of the target that have no members offsets that are further than theirs. */
  async syncGroups(): Promise<void> {
    const { log, signal } = this.context;
    for (const [group, checkpoints] of this.#latest) {
      try {
        if (!await this.#isIdle(group)) continue;
        const have = await this.#target.groups.listOffsets(group, { signal });
        const further = [...checkpoints.values()].filter(({ topic, partition, downstream }) => {
          const mine = have.find((one) => one.topic === topic && one.partition === partition);
          return mine === undefined || Number(mine.offset) < downstream;
        });
        if (further.length === 0) continue;
        const offsets = further.map(({ topic, partition, downstream }) => ({
          topic,
          partition,
          offset: BigInt(downstream),
        }));
        await this.#target.groups.alterOffsets(group, offsets, { signal });
        log.info("took a group further", { group, partitions: offsets.length });
      } catch (error) {
        if (signal.aborted) throw error;
        const right = `DESCRIBE and READ of group "${group}" and READ of its topics`;
        const why = messageOf(withRight("target", right, error));
        log.warn("a group gets no offsets now", { group, why });
      }
    }
  }

  async #isIdle(group: string): Promise<boolean> {
    try {
      const { state } = await this.#target.groups.describe(group, { signal: this.context.signal });
      return /^(empty|dead)$/i.test(state);
    } catch (error) {
      if (error instanceof KafkaError && error.code === Errors.GROUP_ID_NOT_FOUND) return true;
      throw error;
    }
  }
}
