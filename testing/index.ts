/**
 * A broker inside a test's own process (Bun): Kafka's whole protocol over a real port, everything
 * in memory, with faults on order and a clock that can be moved.
 *
 *     import { startBroker } from "kstream/testing";
 *
 *     await using broker = await startBroker({ topics: ["orders"] });
 *     broker.faults.add({ api: "Produce", error: "NOT_LEADER_OR_FOLLOWER", times: 1 });
 *     const kafka = new Kafka({ brokers: broker.brokers });
 */
import type { Broker } from "../broker/broker.ts";
import { BrokerConfig } from "../broker/config/broker-config.ts";
import type { ConnectedClient } from "../broker/connected-clients.ts";
import type { DevServices } from "../broker/dev/dev-services.ts";
import { type FaultInput, faultSpec, faultView } from "../broker/dev/fault-spec.ts";
import { formatAddress } from "../broker/listeners.ts";
import type { NewTopic } from "../broker/plan-topics.ts";
import { type RunningBroker, startBroker as startRealBroker } from "../broker/start-broker.ts";
import { assert } from "../core/assert.ts";
import { bunIo } from "../core/io/bun/index.ts";
import { MemoryDisk } from "../core/io/memory-disk.ts";
import { createLogger, type LogLevel, silentLogger } from "../core/logger.ts";
import { OperatorError } from "../core/operator-error.ts";

export type { ConnectedClient } from "../broker/connected-clients.ts";
export type { FaultInput } from "../broker/dev/fault-spec.ts";

/** A topic to be made; a name alone is one with a partition. */
export interface TestTopic {
  readonly name: string;
  /** Default 1. */
  readonly partitions?: number;
  /** Topic configs by Kafka's names. */
  readonly configs?: Readonly<Record<string, string>>;
}

/** What a test's broker is started with. */
export interface TestBrokerOptions {
  readonly topics?: readonly (string | TestTopic)[];
  /** Broker configs by Kafka's names. */
  readonly config?: Readonly<Record<string, string>>;
  /** Default: any free port. */
  readonly port?: number;
  /** Lines to standard error from this level on; default none. */
  readonly logLevel?: LogLevel;
}

/** A fault at work. */
export type TestFault = ReturnType<typeof faultView>;

/** Data that one broker may hold. */
const MEMORY_BYTES_MAX = 1024 ** 3;

/**
 * Starts a broker; many may run side by side. Throws an `OperatorError` for topics or configs that
 * cannot be.
 */
export async function startBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const io = bunIo();
  const parsed = BrokerConfig.parse(new Map(Object.entries(options.config ?? {})));
  if (!parsed.ok) {
    throw new OperatorError("the configuration is refused", parsed.problems.join("; "), "");
  }
  const { logLevel } = options;
  const running = await startRealBroker({
    io: {
      ...io,
      disk: new MemoryDisk({ wallMs: () => io.clock.wallMs(), maxBytes: MEMORY_BYTES_MAX }),
    },
    logger: logLevel === undefined ? silentLogger : createLogger({
      level: logLevel,
      format: "text",
      wallMs: () => io.clock.wallMs(),
      write: (line) => void process.stderr.write(`${line}\n`),
    }),
    config: parsed.config,
    listeners: [{
      name: "PLAINTEXT",
      bind: { host: "127.0.0.1", port: options.port ?? 0 },
      advertised: null,
    }],
    dataDir: "/memory",
    topics: (options.topics ?? []).map(newTopic),
    dev: true,
  });
  return new TestBroker(running);
}

/** A running broker; `await using` stops it. */
export class TestBroker implements AsyncDisposable {
  /** `host:port`, as clients take it. */
  readonly bootstrap: string;
  /** The same as a list. */
  readonly brokers: string[];
  readonly port: number;
  readonly faults: TestFaults;
  readonly clock: TestClock;
  readonly topics: TestTopics;
  readonly #running: RunningBroker;
  #stopped: Promise<void> | null = null;

  constructor(running: RunningBroker) {
    const { broker, listeners, port } = running;
    const [listener] = listeners;
    assert(
      listener !== undefined && broker.dev !== null,
      "a test's broker listens and is for tests",
    );
    this.#running = running;
    this.bootstrap = formatAddress(listener.bound);
    this.brokers = [this.bootstrap];
    this.port = port;
    this.faults = new TestFaults(broker, broker.dev);
    this.clock = new TestClock(broker, broker.dev);
    this.topics = new TestTopics(broker);
  }

  /** Who is connected. */
  clients(): ConnectedClient[] {
    return this.#running.clients();
  }

  /** Answers what is under way, then closes every connection. */
  stop(): Promise<void> {
    return this.#stopped ??= this.#running.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** Faults that requests meet with; see `FaultInput`. */
export class TestFaults {
  constructor(private readonly broker: Broker, private readonly dev: DevServices) {}

  /** Throws an `OperatorError` for one that cannot be meant. */
  add(fault: FaultInput): TestFault {
    return faultView(this.dev.faults.add(faultSpec({ ...fault }, this.broker.apis)));
  }

  /** All of them, with how often each has struck. */
  list(): TestFault[] {
    return this.dev.faults.list().map(faultView);
  }

  /** False if there is no such fault. */
  remove(id: number): boolean {
    return this.dev.faults.remove(id);
  }

  clear(): void {
    this.dev.faults.clear();
  }
}

/** The broker's time. */
export class TestClock {
  constructor(private readonly broker: Broker, private readonly dev: DevServices) {}

  /** Milliseconds since 1970. */
  get nowMs(): number {
    return this.broker.io.clock.wallMs();
  }

  /**
   * Lets time pass at once for what is kept by age: records, offsets, transactions, producer ids;
   * with `sessions` also for the sessions of members of groups. Resolves when all that has become
   * due is done. Requests and connections do not time out by it.
   */
  advance(byMs: number, options: { readonly sessions?: boolean } = {}): Promise<void> {
    assert(byMs >= 0 && Number.isFinite(byMs), "time goes forward");
    return this.dev.advance(byMs, options);
  }
}

/** The broker's topics, without a client. */
export class TestTopics {
  constructor(private readonly broker: Broker) {}

  /** Resolves when it can be written to. Throws an `OperatorError` if it cannot be made. */
  async create(topic: string | TestTopic): Promise<void> {
    const wanted = newTopic(topic);
    const [outcome] = await this.broker.controller.createTopics([wanted]);
    if (outcome === undefined || outcome.ok) return;
    throw new OperatorError(`cannot create the topic ${wanted.name}`, outcome.message, "");
  }

  /** The names of all topics but internal ones, sorted. */
  list(): string[] {
    return Array.from(this.broker.metadata.image.topics.values(), ({ name }) => name)
      .filter((name) => !name.startsWith("__")).sort();
  }

  /** From where to where a partition has records; null if there is no such partition. */
  offsets(topic: string, partition = 0): { readonly start: number; readonly end: number } | null {
    const found = this.broker.partitions.find(topic, partition);
    if (typeof found === "number") return null;
    return { start: found.log.logStartOffset, end: found.log.logEndOffset };
  }
}

function newTopic(topic: string | TestTopic): NewTopic {
  const { name, partitions = 1, configs = {} } = typeof topic === "string"
    ? { name: topic }
    : topic;
  return {
    name,
    numPartitions: partitions,
    replicationFactor: 1,
    assignments: [],
    configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
  };
}
