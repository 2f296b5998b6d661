/**
 * What fills the global stores of an application: each member has one, which reads all partitions of
 * their topics from the beginning (Kafka's `GlobalStateUpdateTask`). Records go in one by one as they
 * come; nothing waits for another topic, and nothing is written. Its stores are given to all tasks, which
 * begin once it has what was in the topics when the member began.
 */
import type { RawRecord } from "../record.ts";
import type { AnyStore } from "../stores/key-value-store.ts";
import type { Topology } from "../topology/topology.ts";
import { readerOf } from "./read-record.ts";
import { RecordContext } from "./record-context.ts";
import type { ReadRecord } from "./record-queue.ts";
import { runAll } from "./run-all.ts";
import { RunningNodes } from "./running-nodes.ts";
import type { TaskWorld } from "./task.ts";

interface Reading {
  readonly read: ReadRecord;
  /** By partition: the highest time so far. */
  readonly timesMs: Map<number, number>;
}

/** See the head of the file. */
export class GlobalTask {
  readonly id = "global";
  /** By name: for `TaskWorld.globalStores`. */
  readonly stores: ReadonlyMap<string, AnyStore>;
  readonly #nodes: RunningNodes;
  readonly #readings = new Map<string, Reading>();

  constructor(topology: Topology, world: TaskWorld) {
    const globals = [...topology.globalStores.values()];
    const context = new RecordContext();
    this.stores = new Map(
      globals.map(({ spec }) => [spec.name, world.openStore(spec, null, context)]),
    );
    for (const { source } of globals) {
      const reading = { read: readerOf(source, world), timesMs: new Map() };
      for (const topic of source.topics) this.#readings.set(topic, reading);
    }
    const subtopology = {
      id: -1,
      nodes: globals.flatMap(({ source, processor }) => [source.name, processor.name]),
      sourceTopics: this.topics,
      topicsOfSources: new Map(globals.map(({ source }) => [source.name, source.topics])),
      stores: [...this.stores.keys()],
    };
    this.#nodes = new RunningNodes(topology, subtopology, {
      ...{ taskId: this.id, partition: -1, world, context, stores: this.stores },
      metadata: new Map(),
      streamTimeMs: () => -1,
      schedule: () => {
        throw new Error("what fills a global store cannot schedule anything");
      },
    });
  }

  /** What it reads. */
  get topics(): readonly string[] {
    return [...this.#readings.keys()];
  }

  /** Puts records of a topic into its store. */
  add(topic: string, records: readonly RawRecord[]): void {
    const reading = this.#readings.get(topic);
    if (reading === undefined) throw new Error(`no global store is of topic "${topic}"`);
    const { read, timesMs } = reading;
    for (const raw of records) {
      const timeMs = timesMs.get(raw.partition) ?? -1;
      const record = read(raw, timeMs);
      if (record === null) continue;
      timesMs.set(raw.partition, Math.max(timeMs, record.timestampMs));
      this.#nodes.process(raw, record);
    }
  }

  /** As `Task.close`. */
  close(): void {
    const stores = [...this.stores.values()].map((store) => () => store.close());
    runAll([() => this.#nodes.close(), ...stores]);
  }
}
