import { Connection } from "../../core/connection.ts";
import { Errors } from "../../core/errors.ts";
import type { Io } from "../../core/io.ts";
import { bunClock } from "../../core/io/bun/clock.ts";
import { bunNetwork } from "../../core/io/bun/network.ts";
import { inlineOffload } from "../../core/io/inline-offload.ts";
import { bunRandom } from "../../core/io/bun/random.ts";
import { MemoryDisk } from "../../core/io/memory-disk.ts";
import { noDatagrams } from "../../core/io/no-datagrams.test-helper.ts";
import { silentLogger } from "../../core/logger.ts";
import { fetch } from "../../core/protocol/01-fetch.ts";
import { listOffsets } from "../../core/protocol/02-list-offsets.ts";
import { createTopics } from "../../core/protocol/19-create-topics.ts";
import { deleteTopics } from "../../core/protocol/20-delete-topics.ts";
import { incrementalAlterConfigs } from "../../core/protocol/44-incremental-alter-configs.ts";
import { BatchBuilder, type BatchOptions } from "../../core/records/batch-builder.ts";
import { forEachBatch } from "../../core/records/batch-header.ts";
import { RecordCursor } from "../../core/records/record-cursor.ts";
import { bunCodecs } from "../../core/compression/bun.ts";
import { unreadyReasons } from "../readiness.ts";
import { type BrokerOptions, type RunningBroker, startBroker } from "../start-broker.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A batch of records with these values and no keys. */
export function batch(
  values: readonly string[],
  { timestampMs = Date.now(), options = {} }: { timestampMs?: number; options?: BatchOptions } = {},
): Uint8Array {
  const builder = new BatchBuilder({ sizeHintBytes: 64, ...options });
  for (const value of values) builder.append(timestampMs, null, encoder.encode(value));
  return builder.build();
}

/** A record as tests compare it. */
export interface FetchedRecord {
  readonly offset: number;
  readonly timestampMs: number;
  readonly value: string;
}

/** The records of whole batches. */
export function decodeRecords(records: Uint8Array | null): FetchedRecord[] {
  const found: FetchedRecord[] = [];
  if (records === null) return found;
  forEachBatch(records, (position) => {
    const cursor = new RecordCursor(records, position, bunCodecs);
    while (cursor.next()) {
      const value = decoder.decode(cursor.value() ?? undefined);
      found.push({ offset: cursor.offset, timestampMs: cursor.timestamp, value });
    }
  });
  return found;
}

/** The values of records. */
export function values(records: readonly FetchedRecord[]): string[] {
  return records.map(({ value }) => value);
}

/** The values of the records in a partition's response. */
export function decodeValues(records: Uint8Array | null): string[] {
  return values(decodeRecords(records));
}

/** A broker in this process, on a disk in memory and real loopback sockets, and a client of it. */
export class DataTest {
  connection!: Connection;
  #running!: RunningBroker;
  readonly #io: Io = {
    clock: bunClock,
    random: bunRandom,
    network: bunNetwork,
    datagrams: noDatagrams,
    offload: inlineOffload(),
    disk: new MemoryDisk({ wallMs: () => bunClock.wallMs(), maxBytes: 1 << 30 }),
  };
  readonly #connections: Connection[] = [];
  #stopped = false;

  private constructor(
    private readonly furtherDataDirs: readonly string[],
    private readonly options: Partial<BrokerOptions>,
  ) {}

  /** The data directories are `/data` and further ones; `options` are those of the broker. */
  static async start(
    furtherDataDirs: readonly string[] = [],
    options: Partial<BrokerOptions> = {},
  ): Promise<DataTest> {
    const test = new DataTest(furtherDataDirs, options);
    await test.#start();
    return test;
  }

  async #start(): Promise<void> {
    this.#running = await startBroker({
      io: this.#io,
      logger: silentLogger,
      dataDir: "/data",
      furtherDataDirs: this.furtherDataDirs,
      ...this.options,
    });
    this.connection = await this.connect();
  }

  get port(): number {
    return this.#running.port;
  }

  /** One more connection; closed at the end. */
  async connect(): Promise<Connection> {
    const address = { host: "127.0.0.1", port: this.#running.port };
    const connection = await Connection.open(this.#io, address, { clientId: "test" });
    this.#connections.push(connection);
    return connection;
  }

  /** Creates a topic; answers its id. */
  async createTopic(
    name: string,
    { partitions = 1, configs = {} }: {
      partitions?: number;
      configs?: Record<string, string>;
    } = {},
  ): Promise<string> {
    const response = await this.connection.request(createTopics, {
      timeoutMs: 10_000,
      topics: [{
        name,
        numPartitions: partitions,
        replicationFactor: 1,
        configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
      }],
    });
    const [topic] = response.topics;
    if (topic.errorCode !== Errors.NONE) throw new Error(`no topic: ${topic.errorMessage}`);
    return topic.topicId;
  }

  async deleteTopic(name: string): Promise<void> {
    const response = await this.connection.request(deleteTopics, {
      topicNames: [name],
      timeoutMs: 10_000,
    }, { maxVersion: 5 });
    const [topic] = response.responses;
    if (topic.errorCode !== Errors.NONE) throw new Error(`not deleted: ${topic.errorCode}`);
  }

  async setTopicConfig(topic: string, name: string, value: string): Promise<void> {
    const response = await this.connection.request(incrementalAlterConfigs, {
      resources: [{
        resourceType: 2,
        resourceName: topic,
        configs: [{ name, configOperation: 0, value }],
      }],
    });
    const [resource] = response.responses;
    if (resource.errorCode !== Errors.NONE) throw new Error(`not set: ${resource.errorMessage}`);
  }

  /** The coordinators' topics, as the first group makes them. */
  async createInternalTopics(): Promise<void> {
    const outcome = await this.#running.broker.controller.ensureTopic("__consumer_offsets");
    if (!outcome.ok) throw new Error(outcome.message);
  }

  /** Everything in partition 0. */
  async fetchAll(topic: string): Promise<FetchedRecord[]> {
    return decodeRecords(await this.fetchBytes(topic));
  }

  /** Everything in partition 0, as it is stored. */
  async fetchBytes(topic: string): Promise<Uint8Array> {
    const response = await this.connection.request(fetch, {
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 50_000_000,
      topics: [{ topic, partitions: [{ partition: 0, partitionMaxBytes: 50_000_000 }] }],
    }, { maxVersion: 12 });
    const [partition] = response.responses[0].partitions;
    if (partition.errorCode !== Errors.NONE) throw new Error(`error ${partition.errorCode}`);
    return partition.records ?? new Uint8Array(0);
  }

  /** The names in the folder of partition 0. */
  fileNames(topic: string): string[] {
    return this.#io.disk.list(`/data/${topic}-0`).map(({ name }) => name).sort();
  }

  /** Lets what was sent on other connections arrive. */
  async roundTrip(): Promise<void> {
    for (let i = 0; i < 3; i++) await this.connection.request(listOffsets, { topics: [] });
  }

  /** Stops the broker in good order, starts it on the same disk, and waits until it is ready. */
  async restart(): Promise<void> {
    for (const connection of this.#connections.splice(0)) connection.close();
    await this.#running.stop();
    await this.#start();
    // Coordinators load their partitions while clients are served already.
    while (unreadyReasons(this.#running.broker).length > 0) await this.roundTrip();
  }

  /** Stops the broker, which ends the connections once their answers have left. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.#running.stop();
  }
}
