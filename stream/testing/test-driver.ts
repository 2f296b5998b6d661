/**
 * Runs an application without a broker: the same tasks, on a clock that the test moves. Every topic has
 * one partition; what an application writes to a topic that it reads itself comes back to it.
 */
import { MemoryEngine } from "../stores/memory-engine.ts";
import { engineOf, openStoreOf } from "../stores/open-store.ts";
import { CacheBudget } from "../stores/cache-budget.ts";
import type { ChangeListener } from "../stores/logged-engine.ts";
import type { StoreSpec } from "../stores/store-spec.ts";
import type { RecordHeader } from "../../core/records/record-cursor.ts";
import type { Serde } from "../serdes/serde.ts";
import { GlobalTask } from "../task/global-task.ts";
import { ProcessingError } from "../task/running-nodes.ts";
import { type OutputRecord, Task, type TaskWorld } from "../task/task.ts";
import { subtopologiesOf } from "../topology/subtopologies.ts";
import type { RecordContext } from "../task/record-context.ts";
import type { Topology } from "../topology/topology.ts";

/** A record that a test gives, or gets. */
export interface DrivenRecord<K, V> {
  readonly key: K | null;
  readonly value: V | null;
  readonly timestampMs: number;
  readonly headers: readonly RecordHeader[];
}

/** A record that was left out, and why. */
export interface DroppedRecord {
  readonly node: string;
  readonly reason: string;
}

export interface DriverOptions {
  /** Default: `test`. */
  readonly applicationId?: string;
  /** What the wall clock says at first, in milliseconds since 1970. Default: 0. */
  readonly wallMs?: number;
  /** Default: 0, so that closed windows of outer joins are seen with each record. */
  readonly joinEmitIntervalMs?: number;
}

/** See the head of the file. */
export class TestDriver {
  readonly dropped: DroppedRecord[] = [];
  #wallMs: number;
  readonly #joinEmitIntervalMs: number;
  readonly #applicationId: string;
  readonly #tasks = new Map<string, Task>();
  readonly #global: GlobalTask | null;
  readonly #offsets = new Map<string, bigint>();
  /** By topic: what was written and not read by the test yet. */
  readonly #written = new Map<string, OutputRecord[]>();
  /** Written to topics that the application reads: given to it before anything else is. */
  readonly #returning: OutputRecord[] = [];
  readonly #stores = new Map<string, unknown>();
  readonly #budget = new CacheBudget(10 * 1024 * 1024);

  constructor(topology: Topology, options: DriverOptions = {}) {
    const { applicationId = "test", wallMs = 0, joinEmitIntervalMs = 0 } = options;
    this.#joinEmitIntervalMs = joinEmitIntervalMs;
    this.#applicationId = applicationId;
    this.#wallMs = wallMs;
    const hasGlobals = topology.globalStores.size > 0;
    this.#global = hasGlobals ? new GlobalTask(topology, this.#world(null)) : null;
    for (const subtopology of subtopologiesOf(topology)) {
      const task = new Task(topology, subtopology, 0, this.#world(this.#global));
      for (const topic of subtopology.sourceTopics) {
        const isOwn = topology.repartitionTopics.has(topic);
        this.#tasks.set(isOwn ? this.#internalTopic(topic) : topic, task);
      }
    }
  }

  /** A topic that the test writes. */
  input<K, V>(topic: string, key: Serde<K>, value: Serde<V>) {
    if (!this.reads(topic)) throw new Error(`the application does not read topic "${topic}"`);
    return {
      /** `timestampMs`: default is what the wall clock says. */
      write: (
        keyOf: K | null,
        valueOf: V | null,
        timestampMs: number = this.#wallMs,
        headers: readonly RecordHeader[] = [],
      ): void => {
        this.#give({
          topic,
          partition: 0,
          key: keyOf === null ? null : key.serialize(keyOf, topic),
          value: valueOf === null ? null : value.serialize(valueOf, topic),
          timestampMs,
          headers,
        });
        this.#run();
      },
    };
  }

  /** Whether the application reads a topic. */
  reads(topic: string): boolean {
    return this.#tasks.has(topic) || this.#global?.topics.includes(topic) === true;
  }

  /** Topics that something was written to since they were read last, changelogs included. */
  writtenTopics(): string[] {
    return [...this.#written.keys()];
  }

  /** What the application has written to a topic since it was read last. */
  read<K, V>(topic: string, key: Serde<K>, value: Serde<V>): DrivenRecord<K, V>[] {
    return this.readRaw(topic).map((record) => ({
      key: record.key === null ? null : key.deserialize(record.key, topic),
      value: record.value === null ? null : value.deserialize(record.value, topic),
      timestampMs: record.timestampMs,
      headers: record.headers,
    }));
  }

  /** As `read`, as bytes; also of changelogs. */
  readRaw(topic: string): OutputRecord[] {
    const written = this.#written.get(topic) ?? [];
    this.#written.delete(topic);
    return written;
  }

  /** A store, as queries see it. */
  store(name: string): unknown {
    if (!this.#stores.has(name)) throw new Error(`there is no store "${name}"`);
    return this.#stores.get(name);
  }

  /** Lets time of the wall clock pass. */
  advance(ms: number): void {
    this.#wallMs += ms;
    for (const task of new Set(this.#tasks.values())) task.punctuateByWallClock();
    this.#run();
  }

  close(): void {
    for (const task of new Set(this.#tasks.values())) task.close();
    this.#global?.close();
  }

  #give(record: OutputRecord): void {
    const offset = this.#offsets.get(record.topic) ?? 0n;
    this.#offsets.set(record.topic, offset + 1n);
    const raw = { ...record, partition: 0, offset };
    const task = this.#tasks.get(record.topic) ?? this.#global;
    task?.add(record.topic, [raw]);
  }

  #run(): void {
    const tasks = new Set(this.#tasks.values());
    for (let isBusy = true; isBusy;) {
      isBusy = false;
      for (const task of tasks) {
        while (task.process()) {
          isBusy = true;
          task.flush();
        }
      }
      for (const record of this.#returning.splice(0)) {
        this.#give(record);
        isBusy = true;
      }
    }
  }

  #internalTopic(name: string): string {
    return `${this.#applicationId}-${name}`;
  }

  #world(global: GlobalTask | null): TaskWorld {
    return {
      output: {
        send: (record) => {
          const written = this.#written.get(record.topic);
          if (written === undefined) this.#written.set(record.topic, [record]);
          else written.push(record);
          if (this.reads(record.topic)) this.#returning.push(record);
        },
      },
      wallMs: () => this.#wallMs,
      joinEmitIntervalMs: this.#joinEmitIntervalMs,
      ...(global !== null && { globalStores: global.stores }),
      internalTopic: (name) => this.#internalTopic(name),
      openStore: (spec, onChange, context) => this.#openStore(spec, onChange, context),
      requestCommit: () => {},
      dropped: (node, reason) => void this.dropped.push({ node, reason }),
      unreadable: (_raw, _part, error) => {
        throw error;
      },
      failed: (node, _record, origin, error) => {
        throw new ProcessingError(node, error, origin);
      },
      unwritable: (node, _record, origin, error) => {
        throw new ProcessingError(node, error, origin);
      },
    };
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
