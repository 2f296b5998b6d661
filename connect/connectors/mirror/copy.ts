/** Copies records of the partitions of a task. */
import { Admin, Consumer } from "../../../client/index.ts";
import type { FetchedChunk, PartitionPosition } from "../../../client/index.ts";
import { bunCodecs } from "../../../core/compression/bun.ts";
import type { RecordCursor } from "../../../core/records/record-cursor.ts";
import type { PartialSourceRecord, SourceContext, SourceMap } from "../../index.ts";
import { asRetriable, io, needCompactedTopic, optionsOf, sourceOptions } from "./clients.ts";
import { withAdmins } from "./clients.ts";
import { offsetSyncsTopic, policyOf } from "./fields.ts";
import type { SourceConfig } from "./fields.ts";
import { needing } from "./rights.ts";
import { SyncWriter } from "./sync-writer.ts";
import { needCopies, topicsToCopy } from "./topics.ts";

const BATCH_RECORDS_MAX = 5000;
type Context = SourceContext<SourceConfig>;

interface Assigned {
  readonly topic: string;
  readonly partition: number;
  /**
   * By Kafka's names and in the order that Java has them in: MM2 finds it by its bytes, and so the two
   * take turns.
   */
  readonly sourcePartition: SourceMap;
  readonly remote: string;
  /** The offset to be read next, and the end at the last fetch. */
  next: number;
  end: number;
}

/** Reads until the signal aborts. Throws `RetriableError`. */
export async function* copyRecords(
  context: Context,
): AsyncGenerator<readonly PartialSourceRecord[]> {
  const { config, signal, clock } = context;
  const partitions = assignedOf(config);
  if (partitions.length === 0) return await idle(context);
  let syncs: SyncWriter | null = null;
  const consumer = new Consumer(io, {
    ...sourceOptions(config),
    codecs: bunCodecs,
    isolationLevel: config["source.consumer.isolation.level"],
    autoOffsetReset: config["source.consumer.auto.offset.reset"],
    maxWaitMs: Math.min(500, config["consumer.poll.timeout.ms"]),
    partitionMaxBytes: config["source.consumer.max.partition.fetch.bytes"],
    ...rackOf(config),
  });
  try {
    await prepare(context, partitions);
    if (config["emit.offset-syncs.enabled"]) syncs = await openSyncs(context);
    const byName = new Map(partitions.map((one) => [nameOf(one), one]));
    await consumer.assign(await startsOf(context, partitions));
    for (;;) {
      const chunk = await needing("source", "READ of its topic", consumer.nextChunk(signal));
      const from = chunk === null ? undefined : byName.get(nameOf(chunk));
      if (chunk === null || from === undefined) return;
      noteJump(context, from, chunk);
      for (const batch of batchesOf(chunk, from)) {
        yield batch;
        const last = batch.at(-1)?.timestampMs ?? -1;
        if (last >= 0) context.gauge("record-age-ms", Math.max(0, clock.wallMs() - last));
      }
      from.next = chunk.nextOffset;
      from.end = Math.max(chunk.highWatermark, chunk.nextOffset);
      context.gauge("record-lag", partitions.reduce((sum, one) => sum + one.end - one.next, 0));
    }
  } catch (error) {
    if (signal.aborted) return;
    throw asRetriable(error);
  } finally {
    await consumer.close();
    await syncs?.end();
  }
}

/** A task without partitions waits for its connector to find some. */
export async function idle({ signal }: Pick<Context, "signal">): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function rackOf(config: SourceConfig) {
  const rackId = config["source.consumer.client.rack"];
  return rackId === "" ? {} : { rackId };
}

function nameOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}-${partition}`;
}

/** What the connector has assigned to this task. */
function assignedOf(config: SourceConfig): Assigned[] {
  const policy = policyOf(config);
  const cluster = config["source.cluster.alias"];
  return config["task.assigned.partitions"].map((name) => {
    const hyphen = name.lastIndexOf("-");
    const topic = name.slice(0, hyphen);
    const partition = Number(name.slice(hyphen + 1));
    const sourcePartition = { cluster, partition, topic };
    return { topic, partition, sourcePartition, remote: policy.remote(topic), next: 0, end: 0 };
  });
}

/** Copies are there, with partitions enough, before the first record. */
async function prepare(context: Context, partitions: readonly Assigned[]): Promise<void> {
  await withAdmins(context, async (source, target) => {
    if (partitions.some(({ topic, remote }) => topic === remote)) {
      const [from, to] = await Promise.all([source.describeCluster(), target.describeCluster()]);
      if (from.clusterId !== null && from.clusterId === to.clusterId) {
        throw new Error(
          "source and target are one cluster, and topics would be copied onto themselves: look at " +
            "source.cluster.bootstrap.servers and replication.policy.class",
        );
      }
    }
    const mine = new Set(partitions.map(({ topic }) => topic));
    const all = await topicsToCopy(source, context.config, context.signal);
    const counts = new Map([...all].filter(([topic]) => mine.has(topic)));
    await needCopies(source, target, context, counts);
  });
}

async function openSyncs(context: Context): Promise<SyncWriter> {
  const { config, clock } = context;
  const { side, topic } = offsetSyncsTopic(config);
  const client = optionsOf(context, side);
  const admin = new Admin(io, client);
  try {
    const replicas = config["offset-syncs.topic.replication.factor"];
    await needCompactedTopic(side, admin, topic, replicas);
  } finally {
    admin.close();
  }
  const syncs = new SyncWriter({
    client,
    side,
    topic,
    lagMax: config["offset.lag.max"],
    isTransactional: config["exactly.once.support"] === "required",
  }, context);
  context.onWritten(({ sourcePartition, sourceOffset, timestampMs }, downstream) => {
    const { topic, partition } = sourcePartition ?? {};
    const upstream = sourceOffset?.["offset"];
    if (typeof topic !== "string" || typeof partition !== "number") return;
    if (typeof upstream !== "number" || downstream < 0n) return;
    syncs.written({ topic, partition, upstream, downstream: Number(downstream) });
    const latencyMs = timestampMs == null || timestampMs < 0 ? 0 : clock.wallMs() - timestampMs;
    context.gauge("replication-latency-ms", Math.max(0, latencyMs));
  });
  context.onCommitted(() => syncs.committed());
  return syncs;
}

/** Behind what was copied, else where the config says. */
async function startsOf(
  { config, offsets, signal }: Context,
  partitions: readonly Assigned[],
): Promise<PartitionPosition[]> {
  const stored = await offsets.getAll(partitions.map((one) => one.sourcePartition));
  const fresh = partitions.filter((_, index) => typeof stored[index]?.["offset"] !== "number");
  const at = config["source.consumer.auto.offset.reset"];
  const admin = new Admin(io, sourceOptions(config));
  try {
    const found = await admin.listOffsets(fresh.map((one) => ({ ...one, at })), { signal });
    for (const [index, { error, offset }] of found.entries()) {
      if (error !== null) throw error;
      fresh[index]!.next = Number(offset);
    }
  } finally {
    admin.close();
  }
  return partitions.map((one, index) => {
    const offset = stored[index]?.["offset"];
    if (typeof offset === "number") one.next = offset + 1;
    one.end = one.next;
    return { topic: one.topic, partition: one.partition, offset: BigInt(one.next) };
  });
}

/** Says when the source has lost records that were not copied yet. */
function noteJump({ log }: Context, from: Assigned, chunk: FetchedChunk): void {
  if (chunk.fetchOffset === from.next) return;
  log.warn("the source has no more what was to be copied next", {
    topic: from.topic,
    partition: from.partition,
    wanted: from.next,
    goesOnAt: chunk.fetchOffset,
  });
}

function* batchesOf(chunk: FetchedChunk, from: Assigned): Generator<PartialSourceRecord[]> {
  let batch: PartialSourceRecord[] = [];
  for (const cursor of chunk.each()) {
    batch.push(copyOf(cursor, from));
    if (batch.length < BATCH_RECORDS_MAX) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

function copyOf(cursor: RecordCursor, from: Assigned): PartialSourceRecord {
  return {
    topic: from.remote,
    partition: from.partition,
    key: cursor.key(),
    value: cursor.value(),
    headers: cursor.headers().map(([name, value]) => ({ name, schema: null, value })),
    timestampMs: cursor.timestamp,
    sourcePartition: from.sourcePartition,
    sourceOffset: { offset: cursor.offset },
  };
}
