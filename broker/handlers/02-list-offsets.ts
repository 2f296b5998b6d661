/**
 * ListOffsets, versions 1 to 11. For each partition, in this order:
 * 1. it comes once in the request (INVALID_REQUEST), and its special timestamp is one that this
 *    version knows (UNSUPPORTED_VERSION);
 * 2. the sender may describe the topic (TOPIC_AUTHORIZATION_FAILED) and the topic is known
 *    (UNKNOWN_TOPIC_OR_PARTITION);
 * 3. the leader epoch is this broker's (FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH; version 4,
 *    KIP-320), and it leads (NOT_LEADER_OR_FOLLOWER);
 * 4. the high watermark is known to be no lower than that of an earlier leader, where the end is asked
 *    for (OFFSET_NOT_AVAILABLE, before version 5 LEADER_NOT_AVAILABLE; KIP-207);
 * 5. then the offset, its timestamp and its leader epoch; −1 each where there is none, which is
 *    no error. What the sender's isolation does not let it see is not found.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { listOffsets } from "../../core/protocol/02-list-offsets.ts";
import type { RequestOf } from "../../core/protocol/schema.ts";
import type { Broker } from "../broker.ts";
import { firstOfEach } from "../first-of-each.ts";
import type { Handler } from "../handler.ts";
import type { Isolation, Partition } from "../partition.ts";
import type { RequestContext } from "../request-context.ts";

/** The end of what the sender may see. */
const LATEST = -1n;
/** The start of the log. */
const EARLIEST = -2n;
/** The record with the largest timestamp (KIP-734). */
const MAX_TIMESTAMP = -3n;
/** The start of what is on local disks (KIP-405): without tiering the start of the log. */
const EARLIEST_LOCAL = -4n;
/** The last tiered offset (KIP-1005): none. */
const LATEST_TIERED = -5n;
/** The first offset that is to be tiered (KIP-1023): none. */
const EARLIEST_PENDING_UPLOAD = -6n;

/** They say nothing of the end. */
const ALWAYS_KNOWN: readonly bigint[] = [
  EARLIEST,
  EARLIEST_LOCAL,
  LATEST_TIERED,
  EARLIEST_PENDING_UPLOAD,
];

/** The version from which on a special timestamp is understood. */
const SINCE: ReadonlyMap<bigint, number> = new Map([
  [LATEST, 1],
  [EARLIEST, 1],
  [MAX_TIMESTAMP, 7],
  [EARLIEST_LOCAL, 8],
  [LATEST_TIERED, 9],
  [EARLIEST_PENDING_UPLOAD, 11],
]);

/** Serves the API; see the head of this file. */
export const listOffsetsHandler: Handler<typeof listOffsets> = {
  api: listOffsets,
  authorize: { kind: "items", operations: ["DESCRIBE TOPIC"] },
  async handle(context, request, broker) {
    const seen = new Set<string>();
    const twice = new Set<string>();
    for (const { name, partitions } of request.topics) {
      for (const { partitionIndex } of partitions) {
        const key = `${name}:${partitionIndex}`;
        if (seen.has(key)) twice.add(key);
        seen.add(key);
      }
    }
    const topics = [];
    for (const { name, partitions } of request.topics) {
      const responses: PartitionResponse[] = [];
      for (const wanted of partitions) {
        responses.push(
          twice.has(`${name}:${wanted.partitionIndex}`)
            ? failed(wanted, Errors.INVALID_REQUEST)
            : await listOne(context, request, broker, name, wanted),
        );
      }
      const once = firstOfEach(responses, ({ partitionIndex }) => String(partitionIndex));
      topics.push({ name, partitions: once });
    }
    return { topics };
  },
  failure: (request, code) => ({
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map((wanted) => failed(wanted, code)),
    })),
  }),
};

type WantedPartition = RequestOf<typeof listOffsets>["topics"][number]["partitions"][number];

interface PartitionResponse {
  readonly partitionIndex: number;
  readonly errorCode: ErrorCode;
  readonly timestamp: bigint;
  readonly offset: bigint;
  readonly leaderEpoch: number;
}

/** −1 in each field: nothing found. */
interface Found {
  readonly offset: number;
  readonly timestampMs: number;
  readonly leaderEpoch: number;
}

const NOT_FOUND: Found = { offset: -1, timestampMs: -1, leaderEpoch: -1 };

async function listOne(
  context: RequestContext,
  request: RequestOf<typeof listOffsets>,
  broker: Broker,
  topic: string,
  wanted: WantedPartition,
): Promise<PartitionResponse> {
  const { timestamp, currentLeaderEpoch, partitionIndex } = wanted;
  const since = SINCE.get(timestamp);
  if (timestamp < 0n && (since === undefined || context.apiVersion < since)) {
    return failed(wanted, Errors.UNSUPPORTED_VERSION);
  }
  if (!context.authorized("DESCRIBE", "TOPIC", topic)) {
    return failed(wanted, Errors.TOPIC_AUTHORIZATION_FAILED);
  }
  const partition = broker.partitions.find(topic, partitionIndex);
  if (typeof partition === "number") return failed(wanted, partition);
  const error = partition.checkLeader(currentLeaderEpoch);
  if (error !== Errors.NONE) return failed(wanted, error);
  const notYet = context.apiVersion >= 5
    ? Errors.OFFSET_NOT_AVAILABLE
    : Errors.LEADER_NOT_AVAILABLE;
  if (timestamp === LATEST && partition.isBehindElection) return failed(wanted, notYet);
  const isolation: Isolation = request.isolationLevel === 1 ? "read_committed" : "read_uncommitted";
  const found = await findOffset(partition, timestamp, isolation);
  if (typeof found === "number") return failed(wanted, found);
  if (found === NOT_FOUND && !ALWAYS_KNOWN.includes(timestamp) && partition.isBehindElection) {
    return failed(wanted, notYet);
  }
  return {
    partitionIndex,
    errorCode: Errors.NONE,
    timestamp: BigInt(found.timestampMs),
    offset: BigInt(found.offset),
    // Before version 4 there is no place for it.
    leaderEpoch: context.apiVersion >= 4 ? found.leaderEpoch : -1,
  };
}

async function findOffset(
  partition: Partition,
  timestamp: bigint,
  isolation: Isolation,
): Promise<Found | ErrorCode> {
  const { log, leaderEpoch } = partition;
  switch (timestamp) {
    case LATEST:
      return { offset: partition.endOffset(isolation), timestampMs: -1, leaderEpoch };
    case EARLIEST:
    case EARLIEST_LOCAL: {
      const offset = log.logStartOffset;
      return { offset, timestampMs: -1, leaderEpoch: partition.epochOf(offset) };
    }
    case LATEST_TIERED:
    case EARLIEST_PENDING_UPLOAD:
      return NOT_FOUND;
    case MAX_TIMESTAMP:
      return visible(await log.maxTimestamp(), partition, isolation);
    default:
      return visible(await log.offsetForTimestamp(Number(timestamp)), partition, isolation);
  }
}

/** A record that the reader may not see yet is not found. */
function visible(found: Found | null, partition: Partition, isolation: Isolation): Found {
  return found !== null && found.offset < partition.endOffset(isolation) ? found : NOT_FOUND;
}

function failed({ partitionIndex }: WantedPartition, errorCode: ErrorCode): PartitionResponse {
  return { partitionIndex, errorCode, timestamp: -1n, offset: -1n, leaderEpoch: -1 };
}
