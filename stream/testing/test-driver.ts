/**
 * Runs an application without a broker: the same tasks, on a clock that the test moves. Every topic has
 * one partition; what an application writes to a topic that it reads itself comes back to it.
 */
import { MemoryEngine } from "../stores/memory-engine.ts";
import { engineOf, openStoreOf } from "../stores/open-store.ts";
import { CacheBudget } from "../stores/cache-budget.ts";
import type { ChangeListener } from "../stores/logged-engine.ts";
import type { StoreSpec } from "../stores/store-spec.ts";
import { TopologyBuilder } from "../dsl/builder.ts";
import type { RawRecord } from "../record.ts";
import { letterOf } from "../runtime/dead-letters.ts";
import {
  type ConfigValue,
  parseStreamsConfig,
  type StreamsConfig,
} from "../runtime/streams-config.ts";
import type { ReadableKeyValueStore } from "../stores/key-value-store.ts";
import type { TimestampedValue } from "../stores/timestamped-value.ts";
import type { Serde } from "../serdes/serde.ts";
import { GlobalTask } from "../task/global-task.ts";
import { ProcessingError } from "../task/running-nodes.ts";
import { type OutputRecord, Task, type TaskWorld } from "../task/task.ts";
import { subtopologiesOf } from "../topology/subtopologies.ts";
import type { RecordContext } from "../task/record-context.ts";
import { reads, type SourceNode, type Topology } from "../topology/topology.ts";
import type { Windowed } from "../windows/windowed-key.ts";
import { type DrivenRecord, type InputTimes, TestInput, TestOutput } from "./test-topics.ts";

/** A record that was left out, and why. */
export interface DroppedRecord {
  readonly node: string;
  readonly reason: string;
}

export interface DriverOptions {
  /** Settings by Kafka's names, as the application has them. */
  readonly config?: Readonly<Record<string, ConfigValue>>;
  /** Default: that of the config, or `test`. */
  readonly applicationId?: string;
  /** What the wall clock says at first, in milliseconds since 1970. Default: 0. */
  readonly wallMs?: number;
  /**
   * Default: 0, so that closed windows of outer joins are seen with each record; where it commits as in
   * production, 1,000.
   */
  readonly joinEmitIntervalMs?: number;
  /**
   * When stores give on what they have gathered: with each `record` (the default, as Kafka's
   * `TopologyTestDriver`), or as in `production`, each `commit.interval.ms` of the wall clock, when a
   * processor asks for it, and when caches are full.
   */
  readonly commits?: "record" | "production";
}

/** See the head of the file. */
export class TestDriver {
  readonly dropped: DroppedRecord[] = [];
  #wallMs: number;
  readonly #joinEmitIntervalMs: number;
  readonly #topology: Topology;
  readonly #config: StreamsConfig;
  readonly #commitsEachRecord: boolean;
  #committedMs: number;
  #isCommitWanted = false;
  readonly #tasks = new Map<string, Task>();
  /** Sources by pattern, whose topics are there once the test, or the application, writes them. */
  readonly #patterns: (readonly [source: SourceNode, task: Task])[] = [];
  readonly #global: GlobalTask | null;
  readonly #offsets = new Map<string, bigint>();
  /** By topic: what was written and not read by the test yet. */
  readonly #written = new Map<string, OutputRecord[]>();
  /** Written to topics that the application reads: given to it before anything else is. */
  readonly #returning: OutputRecord[] = [];
  readonly #stores = new Map<string, unknown>();
  readonly #budget: CacheBudget;

  /** Throws what the config has wrong, as an `OperatorError`. */
  constructor(app: TopologyBuilder | Topology, options: DriverOptions = {}) {
    const topology = this.#topology = app instanceof TopologyBuilder ? app.topology : app;
    const { config = {}, applicationId, wallMs = 0, commits = "record" } = options;
    this.#config = parseStreamsConfig({
      ...{ "application.id": "test", ...config },
      ...(applicationId !== undefined && { "application.id": applicationId }),
    });
    this.#budget = new CacheBudget(this.#config.cacheBytesMax);
    this.#commitsEachRecord = commits === "record";
    this.#wallMs = this.#committedMs = wallMs;
    this.#joinEmitIntervalMs = options.joinEmitIntervalMs ?? (this.#commitsEachRecord ? 0 : 1000);
    const hasGlobals = topology.globalStores.size > 0;
    this.#global = hasGlobals ? new GlobalTask(topology, this.#world(null)) : null;
    for (const subtopology of subtopologiesOf(topology)) {
      const task = new Task(topology, subtopology, 0, this.#world(this.#global));
      for (const name of subtopology.nodes) {
        const node = topology.nodes.get(name);
        if (node?.kind === "source" && node.pattern !== undefined) {
          this.#patterns.push([node, task]);
        }
      }
      for (const topic of subtopology.sourceTopics) {
        const isOwn = topology.repartitionTopics.has(topic);
        this.#tasks.set(isOwn ? this.#internalTopic(topic) : topic, task);
      }
    }
  }

  /** A topic that the test writes. */
  input<K, V>(
    topic: string,
    key: Serde<K>,
    value: Serde<V>,
    times: InputTimes = {},
  ): TestInput<K, V> {
    if (!this.reads(topic)) throw new Error(`the application does not read topic "${topic}"`);
    const give = (record: OutputRecord) => {
      this.#give(record);
      this.#run();
    };
    return new TestInput(topic, { key, value }, give, () => this.#wallMs, times);
  }

  /** A topic that the application writes, internal ones by their full names. */
  output<K, V>(topic: string, key: Serde<K>, value: Serde<V>): TestOutput<K, V> {
    const written = () => this.#written.get(topic) ?? [];
    const take = (count?: number) =>
      count === undefined ? this.readRaw(topic) : written().splice(0, count);
    return new TestOutput(topic, { key, value }, take, () => written().length);
  }

  /** Whether the application reads a topic. */
  reads(topic: string): boolean {
    if (this.#tasks.has(topic) || this.#global?.topics.includes(topic) === true) return true;
    if (!this.#topology.matches(topic, (name) => this.#internalTopic(name))) return false;
    const [source, task] = this.#patterns.find(([each]) => reads(each, topic))!;
    task.addTopic(source, topic);
    this.#tasks.set(topic, task);
    return true;
  }

  /** Topics that something was written to since they were read last, changelogs included. */
  writtenTopics(): string[] {
    return [...this.#written.keys()];
  }

  /** What the application has written to a topic since it was read last. */
  read<K, V>(topic: string, key: Serde<K>, value: Serde<V>): DrivenRecord<K, V>[] {
    return this.output(topic, key, value).readAll();
  }

  /** As `read`, as bytes; also of changelogs. */
  readRaw(topic: string): OutputRecord[] {
    const written = this.#written.get(topic) ?? [];
    this.#written.delete(topic);
    return written;
  }

  /** The values of a store by key, without times. The types are what the application has there. */
  keyValues<K, V>(name: string): ReadableKeyValueStore<K, V> {
    const spec = this.#topology.stores.get(name);
    if (spec !== undefined && spec.kind !== "key-value") {
      throw new Error(`"${name}" is a ${spec.kind} store: ask for it by store()`);
    }
    if (spec?.isTimestamped !== true) return this.store(name) as ReadableKeyValueStore<K, V>;
    return withoutTimes(this.store(name) as ReadableKeyValueStore<K, TimestampedValue<V>>);
  }

  /** All windows, or sessions, of a store with their values, without times, in the order of keys. */
  windows<K, V>(name: string): [key: Windowed<K>, value: V][] {
    const spec = this.#topology.stores.get(name);
    if (spec !== undefined && spec.kind !== "window" && spec.kind !== "session") {
      throw new Error(`"${name}" is a ${spec.kind} store: ask for it by store()`);
    }
    const isTimestamped = spec?.kind === "window" && spec.isTimestamped;
    const store = this.store(name) as ReadableKeyValueStore<Windowed<K>, unknown>;
    return Array.from(store.range(null, null), ([key, value]) => {
      return [key, (isTimestamped ? (value as TimestampedValue<V>).value : value) as V];
    });
  }

  /** A store of any kind, as processors see it: values of tables have times. */
  store(name: string): unknown {
    if (!this.#stores.has(name)) throw new Error(`there is no store "${name}"`);
    return this.#stores.get(name);
  }

  /** What the wall clock says. */
  get wallMs(): number {
    return this.#wallMs;
  }

  /** Lets time of the wall clock pass. */
  advance(ms: number): void {
    this.#wallMs += ms;
    for (const task of this.#allTasks()) task.punctuateByWallClock();
    this.#run();
  }

  /** Has stores give on what they have gathered, now. */
  commit(): void {
    this.#isCommitWanted = true;
    this.#run();
  }

  close(): void {
    for (const task of this.#allTasks()) task.close();
    this.#global?.close();
  }

  #allTasks(): ReadonlySet<Task> {
    return new Set([...this.#tasks.values(), ...this.#patterns.map(([, task]) => task)]);
  }

  #give(record: OutputRecord): void {
    const offset = this.#offsets.get(record.topic) ?? 0n;
    this.#offsets.set(record.topic, offset + 1n);
    const raw = { ...record, partition: 0, offset };
    const task = this.#tasks.get(record.topic) ?? this.#global;
    task?.add(record.topic, [raw]);
  }

  #run(): void {
    const tasks = this.#allTasks();
    for (let isBusy = true; isBusy;) {
      isBusy = false;
      for (const task of tasks) {
        while (task.process()) {
          isBusy = true;
          if (this.#commitsEachRecord) task.flush();
        }
      }
      if (!isBusy && this.#isCommitDue()) {
        for (const task of tasks) task.flush();
      }
      for (const record of this.#returning.splice(0)) {
        this.#give(record);
        isBusy = true;
      }
    }
  }

  /** Once for each time that it is. */
  #isCommitDue(): boolean {
    const isDue = this.#wallMs - this.#committedMs >= this.#config.commitIntervalMs;
    if (!isDue && !this.#isCommitWanted) return false;
    this.#isCommitWanted = false;
    this.#committedMs = this.#wallMs;
    return true;
  }

  #internalTopic(name: string): string {
    return `${this.#config.applicationId}-${name}`;
  }

  #world(global: GlobalTask | null): TaskWorld {
    return {
      output: { send: (record) => this.#send(record) },
      wallMs: () => this.#wallMs,
      joinEmitIntervalMs: this.#joinEmitIntervalMs,
      ...(global !== null && { globalStores: global.stores }),
      internalTopic: (name) => this.#internalTopic(name),
      openStore: (spec, onChange, context) => this.#openStore(spec, onChange, context),
      requestCommit: () => void (this.#isCommitWanted = true),
      dropped: (node, reason) => void this.dropped.push({ node, reason }),
      unreadable: (raw, part, error) => {
        const { onUnreadable } = this.#config;
        if (onUnreadable === "fail") throw error;
        this.#leaveOut(onUnreadable, raw.topic, `its ${part} cannot be read`, raw, error);
      },
      failed: (node, raw, error) => {
        const { onProcessingError } = this.#config;
        if (onProcessingError === "fail") throw new ProcessingError(node, error, raw);
        this.#leaveOut(onProcessingError, node, "the step failed with it", raw, error);
      },
      unwritable: (node, raw, error) => {
        const { onProductionError } = this.#config;
        if (onProductionError === "fail") throw new ProcessingError(node, error, raw);
        this.#leaveOut(onProductionError, node, "it cannot be written", raw, error);
      },
    };
  }

  /** As the config has it: with a dead letter, or without. */
  #leaveOut(
    how: "continue" | "dlq",
    node: string,
    reason: string,
    raw: RawRecord | null,
    error: unknown,
  ): void {
    this.dropped.push({ node, reason });
    if (how === "dlq" && raw !== null) {
      this.#send(letterOf(this.#config.deadLetterTopic!, raw, error));
    }
  }

  #send(record: OutputRecord): void {
    const written = this.#written.get(record.topic);
    if (written === undefined) this.#written.set(record.topic, [record]);
    else written.push(record);
    if (this.reads(record.topic)) this.#returning.push(record);
  }

  #openStore(spec: StoreSpec, onChange: ChangeListener | null, context: RecordContext) {
    const engine = engineOf(spec, () => new MemoryEngine());
    const topic = this.#internalTopic(`${spec.name}-changelog`);
    const place = { engine, topic, onChange, context, budget: this.#budget };
    const store = openStoreOf(spec, place);
    this.#stores.set(spec.name, store);
    return store;
  }
}

function withoutTimes<K, V>(
  store: ReadableKeyValueStore<K, TimestampedValue<V>>,
): ReadableKeyValueStore<K, V> {
  return {
    get: (key) => store.get(key)?.value ?? null,
    *range(from, to, isReversed) {
      for (const [key, { value }] of store.range(from, to, isReversed)) yield [key, value];
    },
    *all() {
      for (const [key, { value }] of store.all()) yield [key, value];
    },
    *prefixScan(prefix) {
      for (const [key, { value }] of store.prefixScan(prefix)) yield [key, value];
    },
    get approximateCount() {
      return store.approximateCount;
    },
  };
}
