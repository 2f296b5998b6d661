/** A worker beside a whole broker, on virtual time. */
import { Consumer } from "../../client/consumer.ts";
import type { ClientIo } from "../../client/options.ts";
import { sleep } from "../../core/io.ts";
import { silentLogger } from "../../core/logger.ts";
import { ClientWorld } from "../../tests/sim/client-world.ts";
import type { ConnectorDefinition } from "../connector.ts";
import type { OpenHost } from "../host/host.ts";
import { MemoryHost } from "../host/memory-host.test-helper.ts";
import { makeWorker } from "../host/spread-worker.ts";
import { MemoryOffsetStore } from "../offsets/memory-offset-store.ts";
import type { OffsetStore } from "../offsets/offset-store.ts";
import { openTopicOffsets } from "../offsets/open-topic-offsets.ts";
import { Plugins } from "../plugins/plugins.ts";
import { DataError } from "../converters/converter.ts";
import type { Converter } from "../converters/converter.ts";
import type { RawConfig } from "../config/parse.ts";
import type { Pipeline } from "../runtime/pipeline.ts";
import type { LocalWorkerOptions } from "./local-worker.ts";
import type { Worker } from "./worker.ts";
import type { TargetState, TaskId } from "./status.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Text that must not be "poison". */
const text: Converter = {
  toBytes: (_topic, _schema, value) => {
    if (value === "poison") throw new DataError("it is poison");
    return value === null ? null : encoder.encode(String(value));
  },
  fromBytes: (_topic, bytes) => {
    if (bytes === null) return { schema: null, value: null };
    const value = decoder.decode(bytes);
    if (value === "poison") throw new DataError("it is poison");
    return { schema: null, value };
  },
};

const pipeline: Pipeline = {
  key: text,
  value: text,
  header: {
    toBytes: (topic, _name, schema, value) => text.toBytes(topic, schema, value),
    fromBytes: (topic, _name, bytes) => text.fromBytes(topic, bytes),
  },
  transform: null,
};

/** Where the work of scenes is done: in the worker, in a host for each task, or in hosts that tasks share. */
export const place: { in: "worker" | "hosts" | "shared hosts" } = { in: "worker" };
const SHARED_MAX = 2;

/** See the head of the file. */
export class WorkerScene {
  readonly world: ClientWorld;
  readonly offsets: OffsetStore;
  /** `name RUNNING` of connectors, `name-0 RUNNING` of tasks, in their order. */
  readonly said: string[] = [];
  readonly traces: string[] = [];
  readonly changed: string[] = [];
  worker: Worker;
  /** Those of all workers, in the order in which they were begun. */
  readonly hosts: MemoryHost[] = [];
  readonly #definitions: readonly ConnectorDefinition[];

  constructor(
    topics: Readonly<Record<string, number>>,
    definitions: readonly ConnectorDefinition[],
    storage: "memory" | "topic" = "memory",
  ) {
    this.world = new ClientWorld(1, topics);
    this.#definitions = definitions;
    this.offsets = storage === "memory" ? new MemoryOffsetStore() : this.topicOffsets();
    this.worker = this.newWorker();
  }

  topicOffsets(io: ClientIo = this.world.clientIo()): OffsetStore {
    const client = { brokers: this.world.brokers };
    const topic = { topic: "connect-offsets", partitions: 5, replicationFactor: -1 };
    const opening = openTopicOffsets({ io, client, codecs: {}, log: silentLogger }, topic);
    return this.world.clock.run(opening);
  }

  newWorker(
    io: ClientIo = this.world.clientIo(),
    offsets: OffsetStore = this.offsets,
  ): Worker {
    const plugins = new Plugins(this.#definitions.map((definition) => ({
      name: definition.name,
      kind: definition.kind,
      aliases: definition.aliases ?? [],
      load: () => Promise.resolve(definition),
    })));
    const options: LocalWorkerOptions = {
      world: {
        io,
        client: { brokers: this.world.brokers },
        codecs: {},
        offsets,
        log: silentLogger,
        settings: { groupId: "workers", offsetFlushIntervalMs: 1000, taskShutdownTimeoutMs: 5000 },
      },
      plugins,
      secrets: {
        env: () => undefined,
        readFile: (path) => {
          throw new Error(`${path} is not there`);
        },
      },
      pipelineOf: () => pipeline,
      listener: {
        connector: (name, { state, trace }) => this.#hear(name, state, trace),
        task: ({ connector, task }, { state, trace }) =>
          this.#hear(`${connector}-${task}`, state, trace),
        changed: (name) => void this.changed.push(name),
        topic: (connector, topic) => void this.said.push(`${connector} uses ${topic}`),
        finished: ({ connector, task }) => void this.said.push(`${connector}-${task} finished`),
      },
    };
    if (place.in === "worker") return makeWorker(options, null);
    const open: OpenHost = (events) => {
      const host = new MemoryHost(events, io.clock, options);
      this.hosts.push(host);
      return host;
    };
    return makeWorker(options, {
      process: open,
      threads: place.in === "hosts" ? null : { open, max: SHARED_MAX },
      isAllApart: place.in === "hosts",
      client: {},
      leaseMs: 3000,
      stallMs: 30_000,
    });
  }

  #hear(who: string, state: string, trace: string | null): void {
    this.said.push(`${who} ${state}`);
    if (trace !== null) this.traces.push(trace);
  }

  /** Begins tasks of a connector, each with the connector's config. */
  start(config: RawConfig, count = 1, target: TargetState = "STARTED"): void {
    for (let task = 0; task < count; task++) {
      const id: TaskId = { connector: config["name"] ?? "", task };
      this.worker.startTask({ id, connectorConfig: config, taskConfig: config }, target);
    }
  }

  /** Waits, in virtual time; throws after five minutes of it. */
  async until(condition: () => boolean): Promise<void> {
    const { clock } = this.world;
    const startMs = clock.monotonicMs();
    while (!condition()) {
      if (clock.monotonicMs() - startMs > 300_000) {
        throw new Error(
          `it never came to be; heard: ${this.said.join(", ")} ${this.traces.join()}`,
        );
      }
      await sleep(clock, 10);
    }
  }

  async pass(ms: number): Promise<void> {
    await sleep(this.world.clock, ms);
  }

  /** The values of a topic's partition, from its start to its end as it is now. */
  async values(topic: string, partition = 0): Promise<string[]> {
    const consumer = new Consumer(this.world.clientIo(), {
      brokers: this.world.brokers,
      isolationLevel: "read_committed",
    });
    await consumer.assign([{ topic, partition, offset: 0n }]);
    const values: string[] = [];
    for (;;) {
      const stop = new AbortController();
      const timer = this.world.clock.setTimer(2000, () => stop.abort());
      const chunk = await consumer.nextChunk(stop.signal).catch(() => null);
      timer.cancel();
      if (chunk === null) break;
      for (const { value } of chunk.records()) values.push(decoder.decode(value ?? undefined));
    }
    await consumer.close();
    return values;
  }

  /** Runs a story in virtual time, and ends the world. */
  run(story: () => Promise<void>): void {
    this.world.clock.run(this.#told(story));
    this.world.stop();
  }

  async #told(story: () => Promise<void>): Promise<void> {
    try {
      await story();
    } finally {
      await this.worker.close();
    }
  }
}
