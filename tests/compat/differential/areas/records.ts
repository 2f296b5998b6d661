/** Records: produced, fetched, looked up and deleted, whole and damaged, at offsets of all kinds. */
import { produce } from "../../../../core/protocol/00-produce.ts";
import { fetch } from "../../../../core/protocol/01-fetch.ts";
import { listOffsets } from "../../../../core/protocol/02-list-offsets.ts";
import { createTopics } from "../../../../core/protocol/19-create-topics.ts";
import { deleteTopics } from "../../../../core/protocol/20-delete-topics.ts";
import { deleteRecords } from "../../../../core/protocol/21-delete-records.ts";
import { initProducerId } from "../../../../core/protocol/22-init-producer-id.ts";
import { offsetForLeaderEpoch } from "../../../../core/protocol/23-offset-for-leader-epoch.ts";
import { BatchBuilder } from "../../../../core/records/batch-builder.ts";
import { BatchField, updateCrc, writeInt32 } from "../../../../core/records/batch-header.ts";
import { UNKNOWN_ID } from "../step.ts";
import type { Area, Draw, Facts, Step } from "../step.ts";
import { step } from "../step.ts";

const TOPICS = [
  "plain",
  "plain",
  "plain",
  "plain",
  "plain",
  "compacted",
  "stamped",
  "small",
  "none",
];
const PARTITIONS = [0, 0, 0, 0, 0, 0, 1, 2, -1];
/** Some time in 2023; broker clocks are later. */
const BASE_TIME_MS = 1_700_000_000_000;

const DAMAGES = [
  "none",
  "none",
  "none",
  "none",
  "none",
  "none",
  "none",
  "none",
  "none",
  "none",
  "none",
  "none",
  "none",
  "none",
  "none",
  "none",
  "none",
  "none",
  "crc",
  "magic",
  "count",
  "delta",
  "control",
  "twice",
  "empty",
  "short",
] as const;

function batch(draw: Draw): (facts: Facts) => Uint8Array | null {
  const { random } = draw;
  const damage = random.pick(DAMAGES);
  const times = Array.from(
    { length: random.pick([1, 2, 3]) },
    () => random.chance(3) ? 4_000_000_000_000 : BASE_TIME_MS + random.between(0, 50),
  );
  const key = random.chance(80) ? Uint8Array.of(107) : null;
  const value = random.chance(90) ? random.bytes(random.pick([0, 1, 10, 10, 300])) : null;
  const idempotent = random.chance(35);
  const sequenceStep = random.pick([0, 0, 0, 0, 1, -1, -5, 7]);
  const epochStep = random.pick([0, 0, 0, 0, 0, 1, -1]);
  const slot = random.pick(["p", "q"]);
  return (facts) => {
    const next = facts.number(`${slot} next`, 0) + sequenceStep;
    const builder = new BatchBuilder(
      idempotent
        ? {
          producerId: facts.number(`${slot} id`, 7_777_777),
          producerEpoch: facts.number(`${slot} epoch`, 0) + epochStep,
          baseSequence: next,
          control: damage === "control",
        }
        : { control: damage === "control" },
    );
    for (const time of times) builder.append(time, key, value);
    if (idempotent) facts.setNumber(`${slot} next`, Math.max(0, next) + times.length);
    return damaged(builder.build(), damage);
  };
}

function damaged(bytes: Uint8Array, damage: (typeof DAMAGES)[number]): Uint8Array | null {
  switch (damage) {
    case "none":
    case "control":
      return bytes;
    case "empty":
      return new Uint8Array(0);
    case "short":
      return bytes.subarray(0, bytes.length - 3);
    case "twice":
      return Uint8Array.from([...bytes, ...bytes]);
    case "crc":
      bytes[bytes.length - 1]! ^= 1;
      return bytes;
    case "magic":
      bytes[BatchField.magic] = 1;
      return bytes;
    case "count":
      writeInt32(bytes, BatchField.recordsCount, 9);
      break;
    case "delta":
      writeInt32(bytes, BatchField.lastOffsetDelta, 9);
      break;
  }
  updateCrc(bytes, 0);
  return bytes;
}

const place = ({ random }: Draw) => ({
  topic: random.pick(TOPICS),
  index: random.pick(PARTITIONS),
});

/** A topic by name, or by id where the version wants that. */
const byName = (facts: Facts, topic: string) => ({
  name: facts.name(topic),
  topicId: topic === "none" ? UNKNOWN_ID : facts.topicId(topic),
});

function send(draw: Draw): Step {
  const { random } = draw;
  const places = Array.from({ length: random.pick([1, 1, 1, 2]) }, () => place(draw));
  const distinct = places.filter(({ topic }, at) =>
    places.findIndex((other) => other.topic === topic) === at
  );
  const batches = distinct.map(() => batch(draw));
  const acks = random.pick([-1, -1, -1, -1, -1, -1, -1, 1, 1, 1, 2]);
  return step(produce, (facts) => ({
    acks,
    timeoutMs: 5_000,
    topicData: distinct.map(({ topic, index }, at) => ({
      ...byName(facts, topic),
      partitionData: [{ index, records: batches[at]?.(facts) ?? null }],
    })),
  }), { version: draw.version(produce) });
}

function readBack(draw: Draw): Step {
  const { random } = draw;
  const { topic, index } = place(draw);
  const fetchOffset = BigInt(random.pick([0, 0, 0, 1, 2, 5, 10, -1, 1_000_000]));
  const currentLeaderEpoch = random.pick([-1, -1, -1, 0, 0, 1, -2]);
  const partitionMaxBytes = random.pick([1_000_000, 1_000_000, 1, 0, -1]);
  const maxBytes = random.pick([1_000_000, 1_000_000, 1, 0]);
  const isolationLevel = random.pick([0, 1, 1]);
  const lastFetchedEpoch = random.chance(90) ? -1 : random.pick([0, 1]);
  const version = draw.version(fetch);
  return step(fetch, (facts) => ({
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes,
    isolationLevel,
    topics: [{
      topic: facts.name(topic),
      topicId: byName(facts, topic).topicId,
      partitions: [{
        partition: index,
        fetchOffset,
        currentLeaderEpoch,
        partitionMaxBytes,
        lastFetchedEpoch: version >= 12 ? lastFetchedEpoch : -1,
      }],
    }],
  }), { version });
}

function session(draw: Draw): Step {
  const { random } = draw;
  const { topic, index } = place(draw);
  const sessionEpoch = random.pick([0, 0, 1, 2, 3, -1]);
  const known = random.chance(85);
  const empty = random.chance(30);
  const forget = random.chance(15);
  const version = draw.version(fetch, 7);
  return step(fetch, (facts) => {
    const names = { topic: facts.name(topic), topicId: byName(facts, topic).topicId };
    const isNew = sessionEpoch <= 0;
    return {
      maxWaitMs: 0,
      minBytes: 0,
      sessionId: isNew ? 0 : known ? facts.number("session", 99) : 12_345,
      sessionEpoch,
      topics: empty ? [] : [{
        ...names,
        partitions: [{ partition: index, fetchOffset: 0n, partitionMaxBytes: 1000 }],
      }],
      forgottenTopicsData: forget ? [{ ...names, partitions: [index] }] : [],
    };
  }, {
    version,
    learn: ({ sessionId }, facts) => void (sessionId > 0 && facts.setNumber("session", sessionId)),
  });
}

function lookUp(draw: Draw): Step {
  const { random } = draw;
  const { topic, index } = place(draw);
  const timestamp = BigInt(random.pick([
    -1,
    -2,
    -3,
    -4,
    -5,
    -6,
    -7,
    0,
    BASE_TIME_MS,
    BASE_TIME_MS + 20,
    BASE_TIME_MS + 50,
    4_000_000_000_000,
  ]));
  const currentLeaderEpoch = random.pick([-1, -1, -1, 0, 1]);
  const isolationLevel = random.pick([0, 0, 1]);
  const twice = random.chance(10);
  const version = draw.version(listOffsets);
  return step(listOffsets, (facts) => {
    const asked = { partitionIndex: index, currentLeaderEpoch, timestamp };
    return {
      replicaId: -1,
      isolationLevel: version >= 2 ? isolationLevel : 0,
      topics: [{ name: facts.name(topic), partitions: twice ? [asked, asked] : [asked] }],
      timeoutMs: 1_000,
    };
  }, { version });
}

function trim(draw: Draw): Step {
  const { random } = draw;
  const { topic, index } = place(draw);
  const offset = BigInt(random.pick([0, 1, 2, 3, -1, -2, 1_000_000]));
  return step(deleteRecords, (facts) => ({
    topics: [{ name: facts.name(topic), partitions: [{ partitionIndex: index, offset }] }],
    timeoutMs: 5_000,
  }), { version: draw.version(deleteRecords) });
}

function epochEnd(draw: Draw): Step {
  const { random } = draw;
  const { topic, index } = place(draw);
  const leaderEpoch = random.pick([0, 0, 1, 5, -1]);
  const currentLeaderEpoch = random.pick([-1, -1, 0, 1]);
  return step(offsetForLeaderEpoch, (facts) => ({
    replicaId: -1,
    topics: [{
      topic: facts.name(topic),
      partitions: [{ partition: index, currentLeaderEpoch, leaderEpoch }],
    }],
  }), { version: draw.version(offsetForLeaderEpoch) });
}

function producer(draw: Draw): Step {
  const slot = draw.random.pick(["p", "q"]);
  return step(initProducerId, () => ({ transactionalId: null, transactionTimeoutMs: 60_000 }), {
    version: draw.version(initProducerId),
    learn: ({ producerId, producerEpoch }, facts) => {
      facts.setNumber(`${slot} id`, Number(producerId));
      facts.setNumber(`${slot} epoch`, producerEpoch);
      facts.setNumber(`${slot} next`, 0);
    },
  });
}

function deletion(draw: Draw): Step {
  const topic = draw.random.pick(["small", "stamped"]);
  return step(
    deleteTopics,
    (facts) => ({ topicNames: [facts.name(topic)], timeoutMs: 10_000 }),
    { version: draw.lastVersion(deleteTopics, 5), changesMetadata: true },
  );
}

const TOPIC_CONFIGS: Readonly<Record<string, readonly { name: string; value: string }[]>> = {
  plain: [],
  compacted: [{ name: "cleanup.policy", value: "compact" }],
  stamped: [{ name: "message.timestamp.type", value: "LogAppendTime" }],
  small: [{ name: "max.message.bytes", value: "200" }],
};

export const records: Area = {
  name: "records",
  needs: [produce, fetch, listOffsets],
  setUp: (draw) => [
    step(createTopics, (facts) => ({
      topics: Object.entries(TOPIC_CONFIGS).map(([name, configs]) => ({
        name: facts.name(name),
        numPartitions: 2,
        replicationFactor: 1,
        configs,
      })),
      timeoutMs: 10_000,
    }), { version: draw.lastVersion(createTopics), changesMetadata: true }),
    producer(draw),
  ],
  next: (draw) => {
    const kind = draw.random.below(100);
    if (kind < 40) return [send(draw)];
    if (kind < 62) return [readBack(draw)];
    if (kind < 68) return [session(draw)];
    if (kind < 82) return [lookUp(draw)];
    if (kind < 88) return [trim(draw)];
    if (kind < 94) return [epochEnd(draw)];
    if (kind < 98) return [producer(draw)];
    return [deletion(draw)];
  },
};
