/** What a topic has now, as batches: the input of dumps and clones. */
import { bunCodecs } from "../../../core/compression/bun.ts";
import { batchSizeBytes } from "../../../core/records/batch-header.ts";
import { recordsFrom } from "../../../core/records/copy-batch.ts";
import { OperatorError } from "../../../core/operator-error.ts";
import type { Admin } from "../../../client/admin.ts";
import { Consumer } from "../../../client/consumer.ts";
import { KafkaError } from "../../../client/errors.ts";
import { clientIo, clientOptions } from "../../client.ts";
import type { AdminOptions } from "../../admin-command.ts";
import { readPositions } from "../../../client/admin/positions.ts";
import type { DumpHeader, DumpPartition, GroupOffsets } from "./dump-file.ts";

/** Batches of one partition, in the order of offsets. */
export interface SourceChunk {
  readonly partition: number;
  /** Where the next begins. */
  readonly nextOffset: number;
  readonly records: number;
  readonly sizeBytes: number;
  /** Runs of whole batches: views. */
  readonly batches: readonly Uint8Array[];
}

/** Configs that say how replicas of this very cluster are to be moved. */
const NOT_COPIED = [
  "leader.replication.throttled.replicas",
  "follower.replication.throttled.replicas",
];
const PARTITION_BYTES_MAX = 1024 * 1024;

/** The topic as it is now. Its end is that of what is committed. */
export async function describeSource(
  admin: Admin,
  topic: string,
  withGroups: boolean,
): Promise<DumpHeader> {
  const metadata = await admin.cluster.topic(topic);
  // Before the ends, so that no group is behind them.
  const groups = withGroups ? await readGroups(admin, topic) : [];
  const configs = await admin.describeConfigs({ type: "topic", name: topic });
  const own = configs.filter(({ name, source }) =>
    source === "topic" && !NOT_COPIED.includes(name)
  );
  return {
    version: 1,
    topic,
    topicId: metadata.topicId,
    clusterId: admin.cluster.clusterId,
    createdMs: clientIo.clock.wallMs(),
    replicationFactor: metadata.partitions[0]?.replicas.length ?? 1,
    configs: Object.fromEntries(own.map(({ name, value }) => [name, value ?? ""])),
    partitions: await readBounds(admin, topic, metadata.partitions.length),
    groups,
  };
}

/** Where partitions begin and, for those who read what is committed, end. */
export async function readBounds(
  admin: Admin,
  topic: string,
  partitions: number,
): Promise<DumpPartition[]> {
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  const ask = async (at: "earliest" | "latest") => {
    const queries = all.map((partition) => ({ topic, partition, at }));
    const answers = await admin.listOffsets(queries, { isolationLevel: "read_committed" });
    const offsets = new Map<number, number>();
    for (const { partition, offset, error } of answers) {
      if (error !== null) throw error;
      offsets.set(partition, Number(offset));
    }
    return offsets;
  };
  const [starts, ends] = await Promise.all([ask("earliest"), ask("latest")]);
  return all.map((partition) => {
    const startOffset = starts.get(partition) ?? 0;
    // A topic whose records are being deleted may have its start behind the end that was told.
    return { partition, startOffset, endOffset: Math.max(startOffset, ends.get(partition) ?? 0) };
  });
}

async function readGroups(admin: Admin, topic: string): Promise<GroupOffsets[]> {
  const found: GroupOffsets[] = [];
  for (const { groupId, type } of await admin.groups.list()) {
    const positions = await readPositions(admin, groupId, type).catch((error: unknown) => {
      // It may have gone meanwhile, or be of a kind without offsets.
      if (error instanceof KafkaError) return [];
      throw error;
    });
    const offsets = positions.flatMap(({ topic: of, partition, offset }) =>
      of === topic && offset !== null ? [{ partition, offset }] : []
    );
    if (offsets.length > 0) found.push({ group: groupId, type, offsets });
  }
  return found;
}

/**
 * The batches of these ranges, partitions side by side. Throws `OperatorError` (4) where records are
 * deleted before they were read, (3) where nothing comes for `--timeout`.
 */
export async function* readTopic(
  topic: string,
  ranges: readonly DumpPartition[],
  options: AdminOptions,
  signal: AbortSignal,
): AsyncGenerator<SourceChunk> {
  const left = new Map(
    ranges.filter(({ startOffset, endOffset }) => startOffset < endOffset)
      .map((range) => [range.partition, range]),
  );
  if (left.size === 0) return;
  const consumer = new Consumer(clientIo, {
    ...clientOptions(options),
    isolationLevel: "read_committed",
    autoOffsetReset: "none",
    partitionMaxBytes: PARTITION_BYTES_MAX,
    codecs: bunCodecs,
  });
  try {
    await consumer.assign([...left.values()].map(({ partition, startOffset }) => ({
      topic,
      partition,
      offset: BigInt(startOffset),
    })));
    while (left.size > 0) {
      const chunk = await nextChunk(consumer, topic, options.timeout, signal);
      const range = left.get(chunk.partition);
      if (range === undefined) continue;
      yield chunkOf(chunk, range.startOffset);
      if (chunk.nextOffset < range.endOffset) continue;
      left.delete(chunk.partition);
      consumer.unassign([{ topic, partition: chunk.partition }]);
    }
  } finally {
    await consumer.close();
  }
}

type Chunk = NonNullable<Awaited<ReturnType<Consumer["nextChunk"]>>>;

async function nextChunk(
  consumer: Consumer,
  topic: string,
  patienceSeconds: number,
  signal: AbortSignal,
): Promise<Chunk> {
  const late = new AbortController();
  const timer = clientIo.clock.setTimer(patienceSeconds * 1000, () => late.abort());
  try {
    const chunk = await consumer.nextChunk(AbortSignal.any([signal, late.signal]));
    if (chunk !== null) return chunk;
  } catch (error) {
    if (error instanceof KafkaError && error.codeName === "OFFSET_OUT_OF_RANGE") {
      const why = "records were deleted before they could be read";
      throw new OperatorError(`cannot copy all of "${topic}"`, why, "start over", 4);
    }
    if (!late.signal.aborted || signal.aborted) throw error;
  } finally {
    timer.cancel();
  }
  const what = `nothing of "${topic}" came for ${patienceSeconds} s`;
  throw new OperatorError(what, "", "is the cluster well?", 3);
}

function chunkOf(chunk: Chunk, fromOffset: number): SourceChunk {
  const { bytes, partition, nextOffset } = chunk;
  const batches: Uint8Array[] = [];
  let [records, sizeBytes, runStart, runEnd] = [0, 0, 0, 0];
  const closeRun = () => {
    if (runEnd > runStart) batches.push(bytes.subarray(runStart, runEnd));
  };
  for (const position of chunk.batches()) {
    if (position !== runEnd) {
      closeRun();
      runStart = position;
    }
    runEnd = position + batchSizeBytes(bytes, position);
    records += recordsFrom(bytes, position, fromOffset, bunCodecs);
    sizeBytes += runEnd - position;
  }
  closeRun();
  return { partition, nextOffset, records, sizeBytes, batches };
}
