/** Bad requests to write, read and look up records. */
import { produce } from "../../../../core/protocol/00-produce.ts";
import { fetch } from "../../../../core/protocol/01-fetch.ts";
import { listOffsets } from "../../../../core/protocol/02-list-offsets.ts";
import { deleteRecords } from "../../../../core/protocol/21-delete-records.ts";
import { offsetForLeaderEpoch } from "../../../../core/protocol/23-offset-for-leader-epoch.ts";
import { describeProducers } from "../../../../core/protocol/61-describe-producers.ts";
import { BatchField } from "../../../../core/records/batch-header.ts";
import { type Facts } from "../step.ts";
import { bad, type BadInput, fetching, sending, withByte } from "./case.ts";

const idempotent = (facts: Facts, producerEpoch: number, baseSequence: number) => ({
  producerId: facts.number("idempotent", 0),
  producerEpoch,
  baseSequence,
});

const NAMED = 12;

export const RECORDS: readonly BadInput[] = [
  bad(
    produce,
    "unknown topic by name",
    "UNKNOWN_TOPIC_OR_PARTITION",
    (f) => sending(f, {}, undefined, "none"),
    NAMED,
  ),
  bad(produce, "unknown topic by id", "UNKNOWN_TOPIC_ID", (f) => sending(f, {}, undefined, "none")),
  bad(produce, "acks 2", "INVALID_REQUIRED_ACKS", (f) => ({ ...sending(f), acks: 2 })),
  bad(produce, "wrong CRC", "CORRUPT_MESSAGE", (f) => sending(f, {}, withByte(BatchField.crc, 1))),
  bad(
    produce,
    "old format",
    "INVALID_RECORD",
    (f) => sending(f, {}, withByte(BatchField.magic, 1)),
  ),
  bad(
    produce,
    "two batches",
    "INVALID_RECORD",
    (f) => sending(f, {}, (b) => Uint8Array.from([...b, ...b])),
  ),
  bad(produce, "no batch", "INVALID_RECORD", (f) => sending(f, {}, () => new Uint8Array(0))),
  bad(produce, "control batch", "INVALID_RECORD", (f) => sending(f, { control: true })),
  bad(
    produce,
    "no key, compacted topic",
    "INVALID_RECORD",
    (f) => sending(f, { key: null }, undefined, "c"),
  ),
  bad(produce, "too large", "MESSAGE_TOO_LARGE", (f) => sending(f, { size: 2_000_000 })),
  bad(
    produce,
    "in the future",
    "INVALID_TIMESTAMP",
    (f) => sending(f, { time: 4_000_000_000_000 }),
  ),
  bad(
    produce,
    "gap in the sequence",
    "OUT_OF_ORDER_SEQUENCE_NUMBER",
    (f) => sending(f, idempotent(f, 1, 5)),
  ),
  bad(produce, "stale epoch", "INVALID_PRODUCER_EPOCH", (f) => sending(f, idempotent(f, 0, 0))),
  bad(
    produce,
    "transaction without its id",
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
    (f) => sending(f, { ...idempotent(f, 1, 1), transactional: true }),
  ),
  bad(
    fetch,
    "offset beyond the end",
    "OFFSET_OUT_OF_RANGE",
    (f) => fetching(f, { fetchOffset: 99n }),
  ),
  bad(fetch, "offset below 0", "OFFSET_OUT_OF_RANGE", (f) => fetching(f, { fetchOffset: -5n })),
  bad(fetch, "unknown topic by id", "UNKNOWN_TOPIC_ID", (f) => fetching(f, {}, "none")),
  bad(
    fetch,
    "unknown topic by name",
    "UNKNOWN_TOPIC_OR_PARTITION",
    (f) => fetching(f, {}, "none"),
    NAMED,
  ),
  bad(
    fetch,
    "unknown partition",
    "UNKNOWN_TOPIC_OR_PARTITION",
    (f) => fetching(f, { partition: 7 }),
  ),
  bad(fetch, "later epoch", "UNKNOWN_LEADER_EPOCH", (f) => fetching(f, { currentLeaderEpoch: 9 })),
  bad(
    fetch,
    "unknown session",
    "FETCH_SESSION_ID_NOT_FOUND",
    (f) => ({ ...fetching(f, {}), sessionId: 9, sessionEpoch: 5 }),
  ),
  bad(listOffsets, "unknown partition", "UNKNOWN_TOPIC_OR_PARTITION", (f) => ({
    topics: [{ name: f.name("t"), partitions: [{ partitionIndex: 7, timestamp: -1n }] }],
  })),
  bad(listOffsets, "partition twice", "INVALID_REQUEST", (f) => ({
    topics: [{
      name: f.name("t"),
      partitions: [{ partitionIndex: 0, timestamp: -1n }, { partitionIndex: 0, timestamp: -1n }],
    }],
  })),
  bad(listOffsets, "later epoch", "UNKNOWN_LEADER_EPOCH", (f) => ({
    topics: [{
      name: f.name("t"),
      partitions: [{ partitionIndex: 0, timestamp: -1n, currentLeaderEpoch: 9 }],
    }],
  })),
  bad(deleteRecords, "offset beyond the end", "OFFSET_OUT_OF_RANGE", (f) => ({
    topics: [{ name: f.name("t"), partitions: [{ partitionIndex: 0, offset: 99n }] }],
    timeoutMs: 1_000,
  })),
  bad(deleteRecords, "compacted topic", "POLICY_VIOLATION", (f) => ({
    topics: [{ name: f.name("c"), partitions: [{ partitionIndex: 0, offset: 0n }] }],
    timeoutMs: 1_000,
  })),
  bad(offsetForLeaderEpoch, "unknown partition", "UNKNOWN_TOPIC_OR_PARTITION", (f) => ({
    topics: [{ topic: f.name("t"), partitions: [{ partition: 7, leaderEpoch: 0 }] }],
  })),
  bad(offsetForLeaderEpoch, "later epoch", "UNKNOWN_LEADER_EPOCH", (f) => ({
    topics: [{
      topic: f.name("t"),
      partitions: [{ partition: 0, leaderEpoch: 0, currentLeaderEpoch: 9 }],
    }],
  })),
  bad(describeProducers, "unknown topic", "UNKNOWN_TOPIC_OR_PARTITION", (f) => ({
    topics: [{ name: f.name("none"), partitionIndexes: [0] }],
  })),
];
