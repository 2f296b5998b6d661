/**
 * One task: the nodes of a subtopology for one partition of its topics, with their stores. All in here
 * is synchronous: a record goes through the nodes by calls, and comes out at the `Output`.
 */
import type { PunctuationType } from "../processor.ts";
import type { RawRecord, RecordOrigin } from "../record.ts";
import type { RecordHeader } from "../../core/records/record-cursor.ts";
import type { AnyStore } from "../stores/key-value-store.ts";
import type { ChangeListener } from "../stores/logged-engine.ts";
import type { StoreSpec } from "../stores/store-spec.ts";
import type { SourceNode, Topology } from "../topology/topology.ts";
import type { Subtopology } from "../topology/subtopologies.ts";
import type { NodeCounts } from "./node-counts.ts";
import { RecordContext } from "./record-context.ts";
import { PartitionGroup } from "./partition-group.ts";
import { Punctuations } from "./punctuations.ts";
import { readerOf } from "./read-record.ts";
import type { ReadRecord, RecordQueue } from "./record-queue.ts";
import { runAll } from "./run-all.ts";
import { RunningNodes } from "./running-nodes.ts";
import type { TimestampExtractor } from "./timestamp-extractor.ts";

/** A record that a task writes, a sink's or a change of a store. */
export interface OutputRecord {
  readonly topic: string;
  /** Null: by the hash of the key. A function is asked once it is known how many there are. */
  readonly partition: number | null | ((count: number) => number | null);
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestampMs: number;
  readonly headers: readonly RecordHeader[];
  /** The sink that writes it; left out: it is a change of a store, or a letter. */
  readonly node?: string;
}

/** Where records of a task go. */
export interface Output {
  send(record: OutputRecord): void;
}

/** What a task needs of who runs it. */
export interface TaskWorld {
  readonly output: Output;
  wallMs(): number;
  /** Full name of a topic that the application makes: with its id before it. */
  internalTopic(name: string): string;
  openStore(
    spec: StoreSpec,
    onChange: ChangeListener | null,
    context: RecordContext,
  ): AnyStore;
  /** The task wants to be committed soon. */
  requestCommit(): void;
  /** A record was left out at a node. */
  dropped(node: string, reason: string, origin: RecordOrigin | null): void;
  /** A record cannot be read. It is left out if this comes back; it may throw instead. */
  unreadable(raw: RawRecord, part: "key" | "value", error: unknown): void;
  /**
   * A step has failed with a record, or a punctuator of it without one. The record is left out there if
   * this comes back; it may throw.
   */
  failed(node: string, origin: RawRecord | null, error: unknown): void;
  /** A sink cannot write a record as bytes. It is left out if this comes back; it may throw. */
  unwritable(node: string, origin: RawRecord | null, error: unknown): void;
  /** See `ProcessorContext`. Default: 1,000. */
  readonly joinEmitIntervalMs?: number;
  /** Those of the application's `GlobalTask`, by name. */
  readonly globalStores?: ReadonlyMap<string, unknown>;
  /** Of sources that have none of their own. */
  readonly timestampExtractor?: TimestampExtractor;
  /**
   * Whether `failed` and `unwritable` want what was read of a record when what it has changed is given on
   * later, by a cache. Default: yes.
   */
  readonly keepsRead?: boolean;
  /** Where nodes count; left out: nobody looks on. */
  readonly counts?: NodeCounts;
}

const NO_HEADERS: readonly RecordHeader[] = [];

/** See the head of the file. */
export class Task {
  readonly id: string;
  /** Times that nodes have to know again when the task is begun anew: committed with its offsets. */
  readonly metadata = new Map<string, number>();
  readonly #group: PartitionGroup;
  readonly #nodes: RunningNodes;
  readonly #punctuations = new Punctuations();
  readonly #context = new RecordContext();
  /** By name; stores of nodes before those of nodes behind them. */
  readonly stores: ReadonlyMap<string, AnyStore>;

  /** Where a processor does not begin, what was opened is closed. */
  constructor(
    topology: Topology,
    subtopology: Subtopology,
    readonly partition: number,
    private readonly world: TaskWorld,
  ) {
    this.id = `${subtopology.id}_${partition}`;
    const reads = new Map<string, ReadRecord>();
    for (const name of subtopology.nodes) {
      const node = topology.nodes.get(name);
      if (node?.kind !== "source") continue;
      for (const topic of subtopology.topicsOfSources.get(name)!) {
        reads.set(topology.fullName(topic, world.internalTopic), readerOf(node, world));
      }
    }
    this.#group = new PartitionGroup(reads);
    this.stores = this.#openStores(topology, subtopology);
    try {
      this.#nodes = new RunningNodes(topology, subtopology, {
        taskId: this.id,
        partition,
        world,
        context: this.#context,
        stores: this.stores,
        metadata: this.metadata,
        streamTimeMs: () => this.#group.streamTimeMs,
        schedule: (...what) => this.#schedule(...what),
      });
    } catch (error) {
      for (const store of this.stores.values()) store.close();
      throw error;
    }
  }

  /** Has it read one more topic, of a source by pattern. */
  addTopic(source: SourceNode, topic: string): void {
    this.#group.addTopic(topic, readerOf(source, this.world));
    this.#nodes.addTopic(source.name, topic);
  }

  /** What waits of each topic that is read, by its name in the cluster. */
  get queues(): ReadonlyMap<string, RecordQueue> {
    return this.#group.queues;
  }

  /** Goes on with times that partitions had before, by topic. */
  resumeAt(timesMs: ReadonlyMap<string, number>): void {
    this.#group.resumeAt(timesMs);
  }

  /** Records of a topic's partition of this task, in their order. */
  add(topic: string, records: readonly RawRecord[]): void {
    this.#group.add(topic, records);
  }

  /** Processes the record that is next. False: none is here. */
  process(): boolean {
    const next = this.#group.next();
    if (next === null) return false;
    const { raw, record } = next;
    if (record !== null) this.#nodes.process(raw, record);
    if (this.#group.streamTimeMs >= 0) this.#punctuate("stream-time", this.#group.streamTimeMs);
    return true;
  }

  /** Calls punctuators of the wall clock that are due. */
  punctuateByWallClock(): void {
    this.#punctuate("wall-clock-time", this.world.wallMs());
  }

  /** When a punctuator of the wall clock is due, by that clock; null: there is none. */
  get nextPunctuationMs(): number | null {
    return this.#punctuations.nextWallMs(this.world.wallMs());
  }

  /** Gives on what stores have gathered: before a commit. */
  flush(): void {
    for (const store of this.stores.values()) store.flush();
  }

  /** Closes processors and stores, all of them; throws what the first of them has thrown. */
  close(): void {
    const stores = [...this.stores.values()].map((store) => () => store.close());
    runAll([() => this.#nodes.close(), ...stores]);
  }

  #punctuate(type: PunctuationType, nowMs: number): void {
    if (this.#punctuations.isEmpty) return;
    this.#punctuations.call(type, nowMs, (callback) => this.#nodes.punctuate(callback, nowMs));
  }

  #schedule(
    intervalMs: number,
    type: PunctuationType,
    callback: (timestampMs: number) => void,
  ): () => void {
    const nowMs = type === "stream-time" ? null : this.world.wallMs();
    return this.#punctuations.add(type, intervalMs, nowMs, callback);
  }

  #openStores(topology: Topology, subtopology: Subtopology): ReadonlyMap<string, AnyStore> {
    return new Map(subtopology.stores.map((name) => {
      const spec = topology.stores.get(name)!;
      const topic = this.world.internalTopic(`${name}-changelog`);
      const onChange = spec.isLogged ? this.#changelog(topic) : null;
      const store = this.world.openStore(spec, onChange, this.#context);
      return [name, store] as const;
    }));
  }

  #changelog(topic: string): ChangeListener {
    const { partition, world } = this;
    return (key, value, givenMs, headers = NO_HEADERS) => {
      const timestampMs = givenMs ?? this.#context.now.timestampMs;
      world.output.send({ topic, partition, key, value, timestampMs, headers });
    };
  }
}
