/** Transactions: begun, extended, ended and described in right and in wrong orders and epochs. */
import { produce } from "../../../../core/protocol/00-produce.ts";
import { fetch } from "../../../../core/protocol/01-fetch.ts";
import { offsetFetch } from "../../../../core/protocol/09-offset-fetch.ts";
import { findCoordinator } from "../../../../core/protocol/10-find-coordinator.ts";
import { createTopics } from "../../../../core/protocol/19-create-topics.ts";
import { initProducerId } from "../../../../core/protocol/22-init-producer-id.ts";
import { addPartitionsToTxn } from "../../../../core/protocol/24-add-partitions-to-txn.ts";
import { addOffsetsToTxn } from "../../../../core/protocol/25-add-offsets-to-txn.ts";
import { endTxn } from "../../../../core/protocol/26-end-txn.ts";
import { txnOffsetCommit } from "../../../../core/protocol/28-txn-offset-commit.ts";
import { describeTransactions } from "../../../../core/protocol/65-describe-transactions.ts";
import { listTransactions } from "../../../../core/protocol/66-list-transactions.ts";
import { BatchBuilder } from "../../../../core/records/batch-builder.ts";
import type { Area, Draw, Facts, Step } from "../step.ts";
import { step } from "../step.ts";

const IDS = ["x", "x", "x", "y"];
const BASE_TIME_MS = 1_700_000_000_000;

/** Who a request says it comes from: mostly as it is. */
interface Who {
  readonly id: string;
  readonly epochStep: number;
  readonly strangeProducer: boolean;
}

const who = ({ random }: Draw): Who => ({
  id: random.pick(IDS),
  epochStep: random.pick([0, 0, 0, 0, 0, 0, 0, 1, -1]),
  strangeProducer: random.chance(5),
});

const producerOf = (facts: Facts, { id, epochStep, strangeProducer }: Who) => ({
  producerId: BigInt(strangeProducer ? 987_654 : facts.number(`${id} producer`, 1_234)),
  producerEpoch: Math.max(0, facts.number(`${id} epoch`, 0) + epochStep),
});

const transactionalId = (facts: Facts, { id }: Who) => facts.name(id);

function init(draw: Draw): Step {
  const from = who(draw);
  const timeoutMs = draw.random.pick([60_000, 60_000, 60_000, 0, -1, 99_999_999]);
  const current = draw.random.chance(30);
  const empty = draw.random.chance(4);
  const version = draw.version(initProducerId);
  return step(initProducerId, (facts) => ({
    transactionalId: empty ? "" : transactionalId(facts, from),
    transactionTimeoutMs: timeoutMs,
    ...(current && version >= 3 ? producerOf(facts, from) : {}),
  }), {
    version,
    // It may abort what is under way, and the markers are written after the answer.
    changesMetadata: true,
    learn: ({ errorCode, producerId, producerEpoch }, facts) => {
      if (errorCode !== 0) return;
      facts.setNumber(`${from.id} producer`, Number(producerId));
      facts.setNumber(`${from.id} epoch`, producerEpoch);
      facts.setNumber(`${from.id} sequence 0`, 0);
      facts.setNumber(`${from.id} sequence 1`, 0);
    },
  });
}

function addPartitions(draw: Draw): Step {
  const { random } = draw;
  const from = who(draw);
  const topics = random.pick([["t"], ["t"], ["none"], ["t", "none"], []]);
  const partitions = random.pick([[0], [0, 1], [1], [7]]);
  return step(addPartitionsToTxn, (facts) => {
    const { producerId, producerEpoch } = producerOf(facts, from);
    return {
      v3AndBelowTransactionalId: transactionalId(facts, from),
      v3AndBelowProducerId: producerId,
      v3AndBelowProducerEpoch: producerEpoch,
      v3AndBelowTopics: topics.map((name) => ({ name: facts.name(name), partitions })),
    };
  }, { version: draw.version(addPartitionsToTxn, 0, 3) });
}

function send(draw: Draw): Step {
  const { random } = draw;
  const from = who(draw);
  const index = random.pick([0, 0, 1]);
  const transactional = random.chance(90);
  const version = draw.version(produce);
  return step(produce, (facts) => {
    const { producerId, producerEpoch } = producerOf(facts, from);
    const key = `${from.id} sequence ${index}`;
    const builder = new BatchBuilder({
      producerId: Number(producerId),
      producerEpoch,
      baseSequence: facts.number(key, 0),
      transactional,
    });
    builder.append(BASE_TIME_MS, null, Uint8Array.of(1));
    return {
      transactionalId: transactional ? transactionalId(facts, from) : null,
      acks: -1,
      timeoutMs: 5_000,
      topicData: [{
        name: facts.name("t"),
        topicId: facts.topicId("t"),
        partitionData: [{ index, records: builder.build() }],
      }],
    };
  }, {
    version,
    learn: ({ responses }, facts) => {
      if (responses[0]?.partitionResponses[0]?.errorCode !== 0) return;
      const key = `${from.id} sequence ${index}`;
      facts.setNumber(key, facts.number(key, 0) + 1);
    },
  });
}

function addOffsets(draw: Draw): Step {
  const from = who(draw);
  const group = draw.random.pick(["g", "g", "g", ""]);
  return step(addOffsetsToTxn, (facts) => ({
    transactionalId: transactionalId(facts, from),
    ...producerOf(facts, from),
    groupId: facts.name(group),
  }), { version: draw.version(addOffsetsToTxn) });
}

function commitOffsets(draw: Draw): Step {
  const { random } = draw;
  const from = who(draw);
  const stranger = random.chance(15);
  const topic = random.pick(["t", "t", "t", "none"]);
  const version = draw.version(txnOffsetCommit, 0, 5);
  return step(txnOffsetCommit, (facts) => ({
    transactionalId: transactionalId(facts, from),
    groupId: facts.name("g"),
    ...producerOf(facts, from),
    ...(stranger && version >= 3 ? { memberId: "stranger", generationIdOrMemberEpoch: 3 } : {}),
    topics: [{
      name: facts.name(topic),
      topicId: facts.topicId(topic),
      partitions: [{ partitionIndex: 0, committedOffset: 3n, committedMetadata: "m" }],
    }],
  }), { version });
}

function end(draw: Draw): Step {
  const from = who(draw);
  const committed = draw.random.chance(60);
  return step(endTxn, (facts) => ({
    transactionalId: transactionalId(facts, from),
    ...producerOf(facts, from),
    committed,
  }), {
    version: draw.version(endTxn),
    // The markers are written after the answer.
    changesMetadata: true,
    learn: ({ errorCode, producerId, producerEpoch }, facts) => {
      if (errorCode !== 0 || producerId < 0n) return;
      if (facts.number(`${from.id} epoch`, -1) !== producerEpoch) {
        facts.setNumber(`${from.id} sequence 0`, 0);
        facts.setNumber(`${from.id} sequence 1`, 0);
      }
      facts.setNumber(`${from.id} producer`, Number(producerId));
      facts.setNumber(`${from.id} epoch`, producerEpoch);
    },
  });
}

function look(draw: Draw): Step {
  const { random } = draw;
  const kind = random.below(4);
  if (kind === 0) {
    const ids = random.pick([["x"], ["x", "y"], ["none"], [""]]);
    return step(describeTransactions, (facts) => ({
      transactionalIds: ids.map((id) => facts.name(id)),
    }), { version: draw.version(describeTransactions) });
  }
  if (kind === 1) {
    const stateFilters = random.pick([[], ["Ongoing"], ["Empty", "nonsense"], ["CompleteCommit"]]);
    const pattern = random.pick([null, ".*x$", "(", ""]);
    const version = draw.version(listTransactions);
    return step(listTransactions, (facts) => ({
      stateFilters,
      ...(version >= 2 ? { transactionalIdPattern: pattern ?? `${facts.prefix}.*` } : {}),
    }), { version: Math.max(version, 0) });
  }
  if (kind === 2) {
    const requireStable = random.chance(50);
    return step(offsetFetch, (facts) => ({
      topics: [],
      groups: [{
        groupId: facts.name("g"),
        topics: [{
          name: facts.name("t"),
          topicId: facts.topicId("t"),
          partitionIndexes: [0],
        }],
      }],
      requireStable,
    }), { version: draw.version(offsetFetch, 8) });
  }
  const isolationLevel = random.pick([0, 1, 1]);
  return step(fetch, (facts) => ({
    maxWaitMs: 0,
    minBytes: 0,
    isolationLevel,
    topics: [{
      topic: facts.name("t"),
      topicId: facts.topicId("t"),
      partitions: [0, 1].map((partition) => ({
        partition,
        fetchOffset: 0n,
        partitionMaxBytes: 1_000_000,
      })),
    }],
  }), { version: draw.version(fetch) });
}

export const transactions: Area = {
  name: "transactions",
  needs: [addPartitionsToTxn, endTxn, txnOffsetCommit, describeTransactions],
  setUp: (draw) => [
    step(createTopics, (facts) => ({
      topics: [{ name: facts.name("t"), numPartitions: 2, replicationFactor: 1 }],
      timeoutMs: 10_000,
    }), { version: draw.lastVersion(createTopics), changesMetadata: true }),
    step(findCoordinator, (facts) => ({ keyType: 1, coordinatorKeys: [facts.name("x")] }), {
      version: draw.lastVersion(findCoordinator),
    }),
    init(draw),
  ],
  next: (draw) => {
    const kind = draw.random.below(100);
    if (kind < 15) return [init(draw)];
    if (kind < 32) return [addPartitions(draw)];
    if (kind < 50) return [send(draw)];
    if (kind < 57) return [addOffsets(draw)];
    if (kind < 64) return [commitOffsets(draw)];
    if (kind < 80) return [end(draw)];
    return [look(draw)];
  },
};
