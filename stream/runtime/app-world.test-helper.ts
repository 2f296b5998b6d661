/** Applications on a whole broker, on virtual time. */
import type { BrokerConfigName } from "../../broker/config/broker-configs.ts";
import { ClientWorld } from "../../tests/sim/client-world.ts";
import { Consumer } from "../../client/consumer.ts";
import { Producer } from "../../client/producer.ts";
import { MemoryDisk } from "../../core/io/memory-disk.ts";
import { silentLogger } from "../../core/logger.ts";
import type { Logger } from "../../core/logger.ts";
import { StateDirectory } from "../stores/state-directory.ts";
import type { SnapshotStore } from "../stores/snapshots/snapshot-store.ts";
import type { Topology } from "../topology/topology.ts";
import { memoryState } from "./memory-state.ts";
import { StreamsApp } from "./streams-app.ts";
import type { StateProvider } from "./task-stores.ts";
import { type ConfigValue, parseStreamsConfig } from "./streams-config.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A record of text. */
export interface TextRecord {
  readonly key: string | null;
  readonly value: string | null;
  readonly timestampMs?: number;
}

/** See the head of the file. */
export class AppWorld {
  readonly world: ClientWorld;
  #count = 0;

  constructor(
    seed: number,
    topics: Readonly<Record<string, number>>,
    configs: Readonly<Partial<Record<BrokerConfigName, string>>> = {},
  ) {
    this.world = new ClientWorld(seed, topics, {
      "auto.create.topics.enable": "false",
      "group.streams.min.session.timeout.ms": "1000",
      "group.streams.session.timeout.ms": "10000",
      "group.streams.min.heartbeat.interval.ms": "100",
      "group.streams.heartbeat.interval.ms": "1000",
      "group.streams.initial.rebalance.delay.ms": "0",
      ...configs,
    });
  }

  /** An application; `processId` as of one that was there before, to be that again. */
  app(
    topology: Topology,
    config: Readonly<Record<string, ConfigValue>> = {},
    {
      logger = silentLogger,
      processId = `p${this.#count++}`,
      thread = 1,
      endpoint = null,
      state = memoryState,
      snapshots = null,
      apiTimeoutMs = 10_000,
    }: {
      readonly logger?: Logger;
      readonly processId?: string;
      readonly thread?: number;
      readonly endpoint?: string | null;
      readonly state?: StateProvider;
      readonly snapshots?: SnapshotStore | null;
      readonly apiTimeoutMs?: number;
    } = {},
  ) {
    const io = this.world.clientIo();
    const app = new StreamsApp({
      io,
      client: { brokers: this.world.brokers, apiTimeoutMs },
      codecs: {},
      topology,
      config: parseStreamsConfig({ "application.id": "app", ...config }),
      logger,
      state,
      snapshots,
      processId,
      thread,
      endpoint,
    });
    return { app, io };
  }

  /**
   * A state directory on a disk of its own, and how its threads get at it. `room`: its bytes;
   * `writeBufferBytes`: of a store, before it has a run.
   */
  stateDirectory(
    room: { bytes: number } = { bytes: 1e9 },
    writeBufferBytes?: number,
  ): {
    readonly directory: StateDirectory;
    beside(): StateDirectory;
    readonly disk: MemoryDisk;
  } {
    const { clock, random } = this.world;
    const disk = new MemoryDisk({
      wallMs: () => clock.wallMs(),
      get maxBytes() {
        return room.bytes;
      },
    });
    const io = { disk, clock, random, logger: silentLogger };
    const options = {
      ...{ dir: "/state", applicationId: "app" },
      ...(writeBufferBytes !== undefined && { writeBufferBytes }),
    };
    const directory = StateDirectory.open(io, options);
    return { directory, beside: () => StateDirectory.openBeside(io, options), disk };
  }

  async write(topic: string, records: readonly TextRecord[]): Promise<void> {
    const producer = new Producer(this.world.clientIo(), { brokers: this.world.brokers });
    const bytes = (text: string | null) => text === null ? null : encoder.encode(text);
    await producer.sendAll(records.map(({ key, value, timestampMs }) => ({
      topic,
      key: bytes(key),
      value: bytes(value),
      ...(timestampMs !== undefined && { timestampMs }),
    })));
    await producer.close();
  }

  /** What is in a topic, of records that are committed, until `isEnough` says so. */
  async read(
    topic: string,
    isEnough: (records: readonly TextRecord[]) => boolean,
    withinMs = 60_000,
  ): Promise<TextRecord[]> {
    const { clock } = this.world;
    const consumer = new Consumer(this.world.clientIo(), {
      brokers: this.world.brokers,
      isolationLevel: "read_committed",
    });
    const { partitions } = await consumer.cluster.topic(topic);
    await consumer.assign(
      partitions.map(({ partition }) => ({ topic, partition, offset: 0n })),
    );
    const records: TextRecord[] = [];
    const text = (bytes: Uint8Array | null) => bytes === null ? null : decoder.decode(bytes);
    const late = new AbortController();
    const timer = clock.setTimer(withinMs, () => late.abort(new Error("not enough in time")));
    try {
      while (!isEnough(records)) {
        const chunk = await consumer.nextChunk(late.signal);
        for (const { key, value, timestampMs } of chunk?.records() ?? []) {
          records.push({ key: text(key), value: text(value), timestampMs });
        }
      }
      return records;
    } catch (error) {
      throw new Error(`${String(error)}: ${JSON.stringify(records)}`);
    } finally {
      timer.cancel();
      await consumer.close();
    }
  }

  run<T>(story: () => Promise<T>, limitMs?: number): T {
    try {
      return this.world.clock.run(story(), limitMs);
    } finally {
      this.world.stop();
    }
  }
}
