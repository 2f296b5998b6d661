/**
 * One node with very many partitions: how long their creation takes and holds the event loop, what
 * they cost in memory, and how long the broker takes to start with them, closed in good order and
 * after kill -9. Each partition holds a record. Our binary alone; run as a program of its own:
 * `bun bench/many-partitions.ts [PARTITIONS] [TOPICS]` prints the figures as JSON.
 */
import { rmSync } from "node:fs";
import { createTopics } from "../core/protocol/19-create-topics.ts";
import { produce } from "../core/protocol/00-produce.ts";
import { apiVersions } from "../core/protocol/18-api-versions.ts";
import { BatchBuilder } from "../core/records/batch-builder.ts";
import {
  type BrokerProcess,
  freshDir,
  startBrokerProcess,
} from "../tests/harness/broker-process.ts";
import { RawClient } from "../tests/harness/raw-client.ts";
import { memoryBytes } from "./measure.ts";
import { PRODUCE_VERSION } from "./frames.ts";

const CREATE_VERSION = 7;
const API_VERSIONS_VERSION = 4;
const TIMEOUT_MS = 60_000;
/** Partitions that one produce request writes to. */
const PARTITIONS_PER_REQUEST = 200;
/** The broker's loop is asked so long after its last answer. */
const PROBE_EVERY_MS = 1;
const MB = 1e6;

interface Shape {
  readonly topics: number;
  readonly partitionsPerTopic: number;
}

/** The slowest answer to tiny requests during `work`: the longest time the loop did nothing else. */
async function longestHoldMs(port: number, work: () => Promise<unknown>): Promise<number> {
  const client = await RawClient.connect(port);
  const probe = async () => {
    const start = performance.now();
    await client.request(apiVersions, API_VERSIONS_VERSION, {
      clientSoftwareName: "bench",
      clientSoftwareVersion: "1",
    });
    return performance.now() - start;
  };
  // Codecs are compiled at their first use, on both sides.
  for (let index = 0; index < 20; index++) await probe();
  const running = { yes: true };
  const done = work().finally(() => running.yes = false);
  let longest = 0;
  while (running.yes) {
    longest = Math.max(longest, await probe());
    await Bun.sleep(PROBE_EVERY_MS);
  }
  await done;
  client.close();
  return longest;
}

async function createAll(port: number, { topics, partitionsPerTopic }: Shape): Promise<number> {
  const client = await RawClient.connect(port);
  const start = performance.now();
  const answer = await client.request(createTopics, CREATE_VERSION, {
    topics: Array.from({ length: topics }, (_, index) => ({
      name: `many-${index}`,
      numPartitions: partitionsPerTopic,
      replicationFactor: -1,
      assignments: [],
      configs: [],
    })),
    timeoutMs: TIMEOUT_MS,
    validateOnly: false,
  });
  const took = performance.now() - start;
  client.close();
  const refused = answer.topics.find(({ errorCode }) => errorCode !== 0);
  if (refused !== undefined) throw new Error(`${refused.name}: ${refused.errorMessage}`);
  return took;
}

/** A record to every partition, acks=all. */
async function writeAll(port: number, { topics, partitionsPerTopic }: Shape): Promise<void> {
  const client = await RawClient.connect(port);
  const batch = () => {
    const builder = new BatchBuilder();
    builder.append(Date.now(), null, new Uint8Array(100));
    return builder.build();
  };
  for (let topic = 0; topic < topics; topic++) {
    for (let first = 0; first < partitionsPerTopic; first += PARTITIONS_PER_REQUEST) {
      const count = Math.min(PARTITIONS_PER_REQUEST, partitionsPerTopic - first);
      const { responses } = await client.request(produce, PRODUCE_VERSION, {
        acks: -1,
        timeoutMs: TIMEOUT_MS,
        topicData: [{
          name: `many-${topic}`,
          partitionData: Array.from({ length: count }, (_, index) => ({
            index: first + index,
            records: batch(),
          })),
        }],
      });
      const failed = responses[0]?.partitionResponses.find(({ errorCode }) => errorCode !== 0);
      if (failed !== undefined) throw new Error(`partition ${failed.index}: ${failed.errorCode}`);
    }
  }
  client.close();
}

async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; value: T }> {
  const start = performance.now();
  const value = await work();
  return { ms: Math.round(performance.now() - start), value };
}

const residentMb = ({ pid }: BrokerProcess) => Math.round(memoryBytes(pid).now / MB);
const peakMb = ({ pid }: BrokerProcess) => Math.round(memoryBytes(pid).peak / MB);

async function main(args: readonly string[]): Promise<void> {
  const [partitions = 10_000, topics = 100] = args.map(Number);
  const shape = { topics, partitionsPerTopic: Math.ceil(partitions / topics) };
  const dataDir = freshDir("many");
  const start = () =>
    startBrokerProcess({ dataDir, args: ["--durability", "fsync"], readyWithinMs: 300_000 });
  const result: Record<string, number> = { partitions, topics };
  try {
    let broker = await start();
    let createMs = 0;
    const hold = await longestHoldMs(broker.port, async () => {
      createMs = await createAll(broker.port, shape);
    });
    result["createMs"] = Math.round(createMs);
    result["createHoldMs"] = Math.round(hold);
    result["createdMb"] = residentMb(broker);
    const written = await timed(() =>
      longestHoldMs(broker.port, () => writeAll(broker.port, shape))
    );
    result["firstWritesMs"] = written.ms;
    result["firstWritesHoldMs"] = Math.round(written.value);
    result["writtenMb"] = residentMb(broker);
    result["killed"] = await broker.stop("SIGKILL");
    const afterKill = await timed(start);
    broker = afterKill.value;
    result["startAfterKillMs"] = afterKill.ms;
    result["afterKillMb"] = residentMb(broker);
    result["afterKillPeakMb"] = peakMb(broker);
    result["stopMs"] = (await timed(() => broker.stop())).ms;
    const clean = await timed(start);
    broker = clean.value;
    result["cleanStartMs"] = clean.ms;
    result["cleanMb"] = residentMb(broker);
    result["cleanPeakMb"] = peakMb(broker);
    await broker.stop();
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
  console.log(JSON.stringify(result));
}

await main(process.argv.slice(2));
