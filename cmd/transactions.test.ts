/** Our own producer and consumer in transactions, against a broker in this process. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type RunningBroker, startBroker } from "../broker/start-broker.ts";
import { Consumer } from "../client/consumer.ts";
import { Producer } from "../client/producer.ts";
import { Connection } from "../core/connection.ts";
import { bunIo } from "../core/io/bun/index.ts";
import { MemoryDisk } from "../core/io/memory-disk.ts";
import { silentLogger } from "../core/logger.ts";
import { offsetFetch } from "../core/protocol/09-offset-fetch.ts";
import { updateFeatures } from "../core/protocol/57-update-features.ts";
import { clientIo } from "./client.ts";

let broker: RunningBroker;

beforeAll(async () => {
  const disk = new MemoryDisk({ wallMs: () => clientIo.clock.wallMs(), maxBytes: 1 << 28 });
  const io = { ...bunIo(), disk };
  broker = await startBroker({ io, logger: silentLogger, dataDir: "/data" });
});
afterAll(() => broker.stop());

const address = () => ({ host: "127.0.0.1", port: broker.port });
const text = (value: string) => new TextEncoder().encode(value);

function producerOf(transactionalId: string): Producer {
  return new Producer(clientIo, { brokers: [address()], transactionalId, lingerMs: 0 });
}

/** The values of partition 0 that a reader of this isolation sees up to `last`. */
async function valuesUpTo(
  topic: string,
  last: string,
  isolationLevel: "read_committed" | "read_uncommitted" = "read_committed",
): Promise<string[]> {
  const consumer = new Consumer(clientIo, { brokers: [address()], isolationLevel, maxWaitMs: 50 });
  await consumer.assign([{ topic, partition: 0, offset: 0n }]);
  const values: string[] = [];
  while (values.at(-1) !== last) {
    const chunk = await consumer.nextChunk();
    if (chunk === null) break;
    for (const { value } of chunk.records()) values.push(new TextDecoder().decode(value!));
  }
  await consumer.close();
  return values;
}

async function committedOffset(groupId: string, topic: string): Promise<bigint> {
  const connection = await Connection.open(clientIo, address(), { clientId: "test" });
  const topics = [{ name: topic, partitionIndexes: [0] }];
  for (;;) {
    const answer = await connection.request(offsetFetch, {
      requireStable: true,
      groups: [{ groupId, topics }],
    }, { maxVersion: 9 });
    const partition = answer.groups[0]!.topics[0]!.partitions[0]!;
    if (partition.errorCode !== 0) continue;
    connection.close();
    return partition.committedOffset;
  }
}

async function setTransactionVersion(maxVersionLevel: number): Promise<void> {
  const connection = await Connection.open(clientIo, address(), { clientId: "test" });
  const answer = await connection.request(updateFeatures, {
    featureUpdates: [{
      feature: "transaction.version",
      maxVersionLevel,
      upgradeType: maxVersionLevel === 2 ? 1 : 2,
    }],
  });
  expect(answer.errorCode).toBe(0);
  connection.close();
}

for (const version of [2, 1]) {
  describe(`under transaction.version ${version}`, () => {
    const topic = `chain-${version}`;
    if (version === 1) beforeAll(() => setTransactionVersion(1));

    test("what is committed is seen, what is aborted is not, and offsets go along", async () => {
      const producer = producerOf(`id-${version}`);
      const { transactions } = producer;
      await transactions.init();
      for (let round = 0; round < 6; round++) {
        transactions.begin();
        const first = producer.send({ topic, partition: 0, value: text(`a${round}`) });
        first.catch(() => {});
        // What is aborted has to be in the log; the commits wait for their records by themselves.
        if (round % 2 === 1) await first;
        const late = producer.send({ topic, partition: 0, value: text(`b${round}`) });
        late.catch(() => {});
        const offsets = [{ topic, partition: 0, offset: BigInt(round) }];
        await transactions.sendOffsets(offsets, { groupId: `g-${version}` });
        if (round % 2 === 0) await transactions.commit();
        else await transactions.abort();
      }
      transactions.begin();
      await producer.send({ topic, partition: 0, value: text("end") });
      await transactions.commit();
      await producer.close();
      expect(await valuesUpTo(topic, "end")).toEqual(["a0", "b0", "a2", "b2", "a4", "b4", "end"]);
      expect((await valuesUpTo(topic, "end", "read_uncommitted")).length).toBeGreaterThan(9);
      expect(await committedOffset(`g-${version}`, topic)).toBe(4n);
    });

    test("a producer that has been succeeded is fenced", async () => {
      const first = producerOf(`fenced-${version}`);
      await first.transactions.init();
      first.transactions.begin();
      await first.send({ topic: `fenced-${version}`, partition: 0, value: text("lost") });
      const second = producerOf(`fenced-${version}`);
      await second.transactions.init();
      await expect(first.transactions.commit()).rejects.toThrow();
      second.transactions.begin();
      await second.send({ topic: `fenced-${version}`, partition: 0, value: text("kept") });
      await second.transactions.commit();
      expect(await valuesUpTo(`fenced-${version}`, "kept")).toEqual(["kept"]);
      first.abort(new Error("fenced"));
      await second.close();
    });

    test("records have their place in a transaction, and only there", async () => {
      const producer = producerOf(`misused-${version}`);
      const send = () => producer.send({ topic, partition: 0, value: text("x") });
      expect(() => producer.transactions.begin()).toThrow("initTransactions");
      await producer.transactions.init();
      await expect(send()).rejects.toThrow("there is no transaction");
      await expect(producer.transactions.commit()).rejects.toThrow("there is no transaction");
      producer.transactions.begin();
      expect(() => producer.transactions.begin()).toThrow("already");
      await producer.transactions.commit();
      await producer.close();
    });
  });
}
