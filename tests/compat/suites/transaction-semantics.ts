/** The same requests of transactions to Apache Kafka and to kstream: the answers have to agree. */
import { errorName } from "../../../core/errors.ts";
import { produce } from "../../../core/protocol/00-produce.ts";
import { offsetFetch } from "../../../core/protocol/09-offset-fetch.ts";
import { findCoordinator } from "../../../core/protocol/10-find-coordinator.ts";
import { createTopics } from "../../../core/protocol/19-create-topics.ts";
import { initProducerId } from "../../../core/protocol/22-init-producer-id.ts";
import { addPartitionsToTxn } from "../../../core/protocol/24-add-partitions-to-txn.ts";
import { endTxn } from "../../../core/protocol/26-end-txn.ts";
import { writeTxnMarkers } from "../../../core/protocol/27-write-txn-markers.ts";
import { txnOffsetCommit } from "../../../core/protocol/28-txn-offset-commit.ts";
import { describeTransactions } from "../../../core/protocol/65-describe-transactions.ts";
import type { ErrorCode } from "../../../core/errors.ts";
import { BatchBuilder } from "../../../core/records/batch-builder.ts";
import { withBroker } from "../../harness/broker-process.ts";
import { RawClient } from "../../harness/raw-client.ts";
import { withApacheKafka } from "../apache-broker.ts";
import { needKafka } from "../install.ts";
import { type CompatSuite, expectEqual } from "../suite.ts";

/** Until the answer no longer says that the broker is not ready. */
const ATTEMPTS = 100;
const NOT_READY: readonly number[] = [14, 15, 16, 51];
const text = (code: number) => errorName(code as ErrorCode);

/** What a request says in place of the producer's own. */
interface Said {
  readonly id?: string | null;
  readonly producerId?: bigint;
  readonly epoch?: number;
}

/** One producer that asks, and writes down what it hears. */
class Probe {
  readonly heard: string[] = [];
  producerId = -1n;
  epoch = -1;

  private constructor(readonly client: RawClient) {}

  static async connect(bootstrap: string): Promise<Probe> {
    const [host, port] = bootstrap.split(":");
    const probe = new Probe(await RawClient.connect(Number(port), host));
    const topics = [{ name: "t", numPartitions: 2, replicationFactor: 1 }];
    await probe.client.request(createTopics, 5, { timeoutMs: 10_000, topics });
    for (const [keyType, key] of [[1, "a"], [0, "g"]] as const) {
      await probe.until(async () =>
        (await probe.client.request(findCoordinator, 4, { keyType, coordinatorKeys: [key] }))
          .coordinators[0]!
      );
    }
    const groups = [{ groupId: "g", topics: null }];
    await probe.until(async () =>
      (await probe.client.request(offsetFetch, 8, { groups })).groups[0]!
    );
    return probe;
  }

  async until<T extends { readonly errorCode: number }>(ask: () => Promise<T>): Promise<T> {
    for (let attempt = 0;; attempt++) {
      const answer = await ask();
      if (!NOT_READY.includes(answer.errorCode) || attempt === ATTEMPTS) return answer;
      await Bun.sleep(100);
    }
  }

  hear(what: string, ...answers: readonly (string | number)[]): void {
    this.heard.push(`${what}: ${answers.join(" ")}`);
  }

  async init(what: string, request: object = {}, version = 5): Promise<void> {
    const before = this.producerId;
    const body = { transactionalId: "a", transactionTimeoutMs: 60_000, ...request };
    const answer = await this.until(() => this.client.request(initProducerId, version, body));
    if (answer.errorCode === 0) {
      this.producerId = answer.producerId;
      this.epoch = answer.producerEpoch;
    }
    const same = String(before === answer.producerId);
    this.hear(`init ${what}`, text(answer.errorCode), answer.producerEpoch, same);
  }

  async end(what: string, committed: boolean, version: number, said: Said = {}): Promise<void> {
    const answer = await this.client.request(endTxn, version, {
      transactionalId: said.id ?? "a",
      producerId: said.producerId ?? this.producerId,
      producerEpoch: said.epoch ?? this.epoch,
      committed,
    });
    const { errorCode, producerEpoch } = answer;
    this.hear(`end ${what}`, text(errorCode), version >= 5 ? producerEpoch : "");
    if (version < 5 || errorCode !== 0) return;
    this.epoch = producerEpoch;
    await this.completed();
  }

  async completed(): Promise<void> {
    const ids = { transactionalIds: ["a"] };
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const answer = await this.client.request(describeTransactions, 0, ids);
      const { transactionState } = answer.transactionStates[0]!;
      if (!transactionState.startsWith("Prepare")) return this.hear("state", transactionState);
      await Bun.sleep(20);
    }
  }

  async add(what: string, partitions: number[], version = 3, said: Said = {}, topic = "t") {
    const answer = await this.client.request(addPartitionsToTxn, version, {
      v3AndBelowTransactionalId: said.id ?? "a",
      v3AndBelowProducerId: said.producerId ?? this.producerId,
      v3AndBelowProducerEpoch: said.epoch ?? this.epoch,
      v3AndBelowTopics: [{ name: topic, partitions }],
    });
    const codes = answer.resultsByTopicV3AndBelow[0]!.resultsByPartition;
    this.hear(`add ${what}`, ...codes.map((each) => text(each.partitionErrorCode)).sort());
  }

  async send(what: string, sequence: number, version: number, said: Said & { plain?: true } = {}) {
    const builder = new BatchBuilder({
      producerId: Number(said.producerId ?? this.producerId),
      producerEpoch: said.epoch ?? this.epoch,
      baseSequence: sequence,
      transactional: said.plain === undefined,
    });
    builder.append(Date.now(), null, new Uint8Array(3));
    const partitionData = [{ index: 0, records: builder.build() }];
    const answer = await this.client.request(produce, version, {
      transactionalId: said.id === undefined ? "a" : said.id,
      acks: -1,
      timeoutMs: 5_000,
      topicData: [{ name: "t", partitionData }],
    });
    const { errorCode } = answer.responses[0]!.partitionResponses[0]!;
    this.hear(`produce ${what} v${version}`, text(errorCode));
  }

  async offsets(what: string, version: number, said: Said & { generation?: number } = {}) {
    const offset = { committedOffset: 3n, committedMetadata: "" };
    const answer = await this.client.request(txnOffsetCommit, version, {
      transactionalId: "a",
      groupId: "g",
      producerId: this.producerId,
      producerEpoch: said.epoch ?? this.epoch,
      ...(said.generation === undefined
        ? {}
        : { generationIdOrMemberEpoch: said.generation, memberId: "zombie" }),
      topics: [{
        name: "t",
        partitions: [0, 9].map((partitionIndex) => ({ partitionIndex, ...offset })),
      }],
    });
    const codes = answer.topics[0]!.partitions.map(({ errorCode }) => text(errorCode)).sort();
    this.hear(`offsets ${what} v${version}`, ...codes);
  }

  async marker(what: string, epoch: number, coordinatorEpoch: number, transactionVersion = 0) {
    const version = transactionVersion === 0 ? 1 : 2;
    const answer = await this.client.request(writeTxnMarkers, version, {
      markers: [{
        producerId: this.producerId,
        producerEpoch: epoch,
        transactionResult: false,
        coordinatorEpoch,
        transactionVersion,
        topics: [{ name: "t", partitionIndexes: [0] }],
      }],
    });
    const [partition] = answer.markers[0]!.topics[0]!.partitions;
    this.hear(`marker ${what}`, text(partition!.errorCode));
  }
}

async function identities(probe: Probe): Promise<void> {
  await probe.init("of the empty id", { transactionalId: "" });
  await probe.init("without a timeout", { transactionTimeoutMs: 0 });
  await probe.init("with too long a timeout", { transactionTimeoutMs: 900_001 });
  await probe.init("with half an identity", { producerId: 5n });
  await probe.init("first");
  const { producerId, epoch: producerEpoch } = probe;
  const self = { producerId, producerEpoch };
  await probe.init("by itself", self);
  await probe.init("retried", self);
  await probe.init("by another");
  await probe.init("stale", self);
  await probe.init("stale", self, 3);
  await probe.init("of another id", { producerId: 77n, producerEpoch: 0 });
}

async function ends(probe: Probe): Promise<void> {
  for (const version of [4, 5]) await probe.end("of nothing", true, version);
  await probe.end("of nothing, abort", false, 4);
  await probe.end("of nothing, abort", false, 5);
  await probe.end("abort again", false, 5);
  await probe.end("retried", false, 5, { epoch: probe.epoch - 1 });
  await probe.end("retried the other way", true, 5, { epoch: probe.epoch - 1 });
  await probe.end("too old", false, 5, { epoch: probe.epoch - 2 });
  await probe.end("of what is aborted", false, 4);
  await probe.end("of what is aborted, commit", true, 4);
  await probe.end("in the wrong epoch", true, 1, { epoch: 77 });
  await probe.end("of another producer", true, 5, { producerId: 999_999n });
  await probe.end("of an unknown id", true, 5, { id: "nobody" });
  await probe.end("of the empty id", true, 5, { id: "" });
}

async function writes(probe: Probe): Promise<void> {
  await probe.add("to an unknown id", [0], 3, { id: "nobody" });
  await probe.add("of another producer", [0], 3, { producerId: 99_999n });
  for (const version of [1, 3]) await probe.add("wrong epoch", [0], version, { epoch: 77 });
  await probe.add("one that is not there", [0, 7]);
  await probe.add("internal", [0], 3, {}, "__consumer_offsets");
  await probe.add("unknown topic", [0], 3, {}, "nope");
  for (const version of [10, 11]) await probe.send("unasked", 0, version);
  await probe.send("without id", 0, 11, { id: null });
  for (const version of [11, 12]) await probe.send("to another id", 0, version, { id: "nobody" });
  for (const version of [11, 12]) await probe.send("of the future", 0, version, { epoch: 77 });
  for (const version of [2, 3, 4]) await probe.offsets("unasked", version);
  await probe.add("", [0]);
  await probe.send("", 0, 11);
  await probe.send("with a gap", 5, 11);
  await probe.send("twice", 0, 11);
  await probe.send("outside of it", 1, 11, { plain: true, id: null });
  await probe.offsets("", 5);
  await probe.offsets("by a zombie", 5, { generation: 3 });
  await probe.offsets("in the wrong epoch", 5, { epoch: 99 });
  await probe.end("", true, 5);
  await probe.end("of nothing more", true, 5);
  await probe.send("stale", 1, 12, { epoch: probe.epoch - 1 });
}

async function markers(probe: Probe): Promise<void> {
  await probe.send("", 0, 12);
  await probe.marker("stale", probe.epoch - 1, 0);
  await probe.marker("without the bump", probe.epoch, 0, 2);
  await probe.marker("of an old coordinator", probe.epoch, -1);
  await probe.marker("", probe.epoch, 0);
  await probe.marker("again", probe.epoch, 0);
}

async function hear(bootstrap: string): Promise<string> {
  const probe = await Probe.connect(bootstrap);
  for (const part of [identities, ends, writes, markers]) await part(probe);
  return probe.heard.join("\n");
}

export const transactionSemantics: CompatSuite = {
  name: "transaction-semantics",
  needs: [needKafka],
  inSample: false,
  cases: [
    {
      name: "transactions, in order and out of it, are answered as Apache Kafka does",
      run: async () => {
        let theirs = "";
        await withApacheKafka(async (bootstrap) => {
          theirs = await hear(bootstrap);
        });
        await withBroker(async ({ bootstrap }) => {
          expectEqual(await hear(bootstrap), theirs, "answers");
        });
      },
    },
  ],
};
