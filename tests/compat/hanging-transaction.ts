/**
 * A hanging transaction: the partition has it open, its coordinator has never heard of it. No
 * client of today leaves one behind, so it is made with the requests of an old one, and with
 * verification (KIP-890) off. Kafka's own tool has to find it and to end it.
 */
import { Connection } from "../../core/connection.ts";
import { bunClock } from "../../core/io/bun/clock.ts";
import { bunNetwork } from "../../core/io/bun/network.ts";
import { produce } from "../../core/protocol/00-produce.ts";
import { listOffsets } from "../../core/protocol/02-list-offsets.ts";
import { findCoordinator } from "../../core/protocol/10-find-coordinator.ts";
import { createTopics } from "../../core/protocol/19-create-topics.ts";
import { initProducerId } from "../../core/protocol/22-init-producer-id.ts";
import { BatchBuilder } from "../../core/records/batch-builder.ts";
import { runOk } from "../harness/process.ts";
import { javaProgram } from "./java-programs.ts";
import { expectContains, expectEqual } from "./suite.ts";
import { withTarget } from "./target.ts";

const SETTINGS = { "transaction.partition.verification.enable": "false" };
const TRANSACTIONAL_ID = "hanging";
const TRANSACTION_KEY_TYPE = 1;
const HOUR_MS = 3_600_000;
/** The last version that does not add the partition to the transaction by itself. */
const OLD_PRODUCE = 11;
const OLD_INIT_PRODUCER_ID = 4;

/** Sends a record of a transaction to partition `t`-0 without telling the coordinator of it. */
async function leaveHanging(connection: Connection): Promise<void> {
  await connection.request(createTopics, {
    topics: [{ name: "t", numPartitions: 1, replicationFactor: 1 }],
    timeoutMs: 10_000,
  });
  const deadline = Date.now() + 20_000;
  let errorCode = -1;
  while (errorCode !== 0) {
    if (Date.now() > deadline) throw new Error(`no coordinator: ${errorCode}`);
    await Bun.sleep(200);
    const keys = { keyType: TRANSACTION_KEY_TYPE, coordinatorKeys: [TRANSACTIONAL_ID] };
    const found = await connection.request(findCoordinator, keys);
    errorCode = found.coordinators[0]?.errorCode ?? -1;
  }
  const producer = { transactionalId: TRANSACTIONAL_ID, transactionTimeoutMs: 60_000 };
  let init = await connection.request(initProducerId, producer, {
    maxVersion: OLD_INIT_PRODUCER_ID,
  });
  while (init.errorCode !== 0 && Date.now() < deadline) {
    await Bun.sleep(200);
    init = await connection.request(initProducerId, producer, { maxVersion: OLD_INIT_PRODUCER_ID });
  }
  expectEqual(init.errorCode, 0, "InitProducerId");
  const builder = new BatchBuilder({
    producerId: Number(init.producerId),
    producerEpoch: init.producerEpoch,
    baseSequence: 0,
    transactional: true,
  });
  builder.append(Date.now() - HOUR_MS, null, Buffer.from("hanging"));
  const sent = await connection.request(produce, {
    transactionalId: TRANSACTIONAL_ID,
    acks: -1,
    timeoutMs: 10_000,
    topicData: [{ name: "t", partitionData: [{ index: 0, records: builder.build() }] }],
  }, { maxVersion: OLD_PRODUCE });
  expectEqual(sent.responses[0]?.partitionResponses[0]?.errorCode, 0, "Produce");
}

/** Where `t`-0 ends for who reads what is committed. */
async function committedEnd(connection: Connection): Promise<number> {
  const answer = await connection.request(listOffsets, {
    replicaId: -1,
    isolationLevel: 1,
    topics: [{ name: "t", partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
  });
  return Number(answer.topics[0]?.partitions[0]?.offset);
}

/** `kafka-transactions find-hanging` shows it, `abort` ends it, and it is gone. */
export function hangingTransaction(): Promise<void> {
  return withTarget(async ({ bootstrap }) => {
    const [host = "", port] = bootstrap.split(":");
    const io = { clock: bunClock, network: bunNetwork };
    const connection = await Connection.open(io, { host, port: Number(port) }, { clientId: "old" });
    const transactions = (...args: string[]) => {
      const tool = "org.apache.kafka.tools.TransactionsCommand";
      return runOk(javaProgram(tool, "--bootstrap-server", bootstrap, ...args));
    };
    try {
      await leaveHanging(connection);
      expectEqual(await committedEnd(connection), 0, "end before the abort");
      const described = await transactions(
        "describe-producers",
        "--topic",
        "t",
        "--partition",
        "0",
      );
      expectContains(described.stdout, /\b0\s*$/, "start offset in describe-producers");
      const find = ["find-hanging", "--broker-id", "1"];
      const found = await transactions(...find);
      expectContains(found.stdout, /^t\s+0\s/m, "find-hanging");
      await transactions("abort", "--topic", "t", "--partition", "0", "--start-offset", "0");
      expectEqual(await committedEnd(connection), 2, "end after the abort");
      const after = await transactions(...find);
      if (/^t\s+0\s/m.test(after.stdout)) throw new Error(`still hanging: ${after.stdout}`);
    } finally {
      connection.close();
    }
  }, SETTINGS);
}
