/** The nodes of a task at work: who is behind whom, what each may ask for, and what became of a record. */
import { nameOfStore, type StoreHandle } from "../stores/store-handle.ts";
import { partitionOfKey } from "../../core/murmur2.ts";
import type { Processor, ProcessorContext, PunctuationType } from "../processor.ts";
import type { RawRecord, RecordOrigin, StreamRecord } from "../record.ts";
import type { SinkNode, Topology } from "../topology/topology.ts";
import type { Subtopology } from "../topology/subtopologies.ts";
import { type NodeCount, NodeCounts } from "./node-counts.ts";
import type { RecordContext } from "./record-context.ts";
import { runAll } from "./run-all.ts";
import type { TaskWorld } from "./task.ts";

const JOIN_EMIT_INTERVAL_MS = 1000;

/** What nodes need of their task. */
export interface NodeServices {
  readonly taskId: string;
  readonly partition: number;
  readonly world: TaskWorld;
  readonly context: RecordContext;
  readonly stores: ReadonlyMap<string, unknown>;
  readonly metadata: Map<string, number>;
  streamTimeMs(): number;
  schedule(
    intervalMs: number,
    type: PunctuationType,
    callback: (timestampMs: number) => void,
  ): () => void;
}

/** What is right behind a source. */
interface Entry {
  readonly count: NodeCount;
  readonly children: readonly RunningNode[];
}

/** A node that records are given to. */
interface RunningNode {
  readonly name: string;
  process(record: StreamRecord): void;
}

/** What failed with a record: each has an exception handler, the setting `KIND.exception.handler`. */
export type FailureKind = "deserialization" | "processing" | "production";

/** What a node has failed with, and which one it was. */
export class ProcessingError extends Error {
  override readonly name = "ProcessingError";
  constructor(
    readonly node: string,
    override readonly cause: unknown,
    /** Of what was read; null in a punctuator. */
    readonly origin: RecordOrigin | null = null,
    /** Null: it has no handler. */
    readonly kind: FailureKind | null = "processing",
  ) {
    super(`"${node}" failed: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

/** See the head of the file. */
export class RunningNodes {
  /** By topic. */
  readonly #entries = new Map<string, Entry>();
  /** By name. */
  readonly #sources = new Map<string, Entry>();
  readonly #counts: NodeCounts;
  readonly #processors: Processor[] = [];
  readonly #closing: (() => void)[] = [];
  readonly #keepsRead: boolean;

  constructor(
    private readonly topology: Topology,
    subtopology: Subtopology,
    private readonly services: NodeServices,
  ) {
    this.#counts = services.world.counts ?? new NodeCounts();
    this.#keepsRead = services.world.keepsRead ?? true;
    const running = new Map<string, RunningNode>();
    const contexts: (readonly [Processor, ProcessorContext])[] = [];
    // From the end on: what is behind a node is there when it is made.
    for (const name of subtopology.nodes.toReversed()) {
      const node = topology.nodes.get(name)!;
      const children = topology.childrenOf(name).map((child) => running.get(child)!);
      if (node.kind === "source") {
        const entry = { count: this.#counts.of(name), children };
        this.#sources.set(name, entry);
        for (const topic of subtopology.topicsOfSources.get(name)!) {
          this.#entries.set(topology.fullName(topic, services.world.internalTopic), entry);
        }
      } else if (node.kind === "sink") {
        running.set(name, this.#sink(node));
      } else {
        const processor = node.supplier();
        contexts.push([processor, this.#context(name, node.stores, children)]);
        running.set(name, this.#guarded(name, processor));
      }
    }
    // Processors begin in the order of the graph, whichever way they were made.
    try {
      for (const [processor, context] of contexts.toReversed()) {
        processor.init?.(context);
        this.#processors.push(processor);
      }
    } catch (error) {
      this.#closeQuietly();
      throw error;
    }
  }

  /** What has failed to begin is told, not what comes of ending it. */
  #closeQuietly(): void {
    try {
      this.close();
    } catch {
      // See above.
    }
  }

  /** Has records of one more topic come to a source. */
  addTopic(source: string, topic: string): void {
    this.#entries.set(topic, this.#sources.get(source)!);
  }

  /** Sends a record through. Throws `ProcessingError`. */
  process(raw: RawRecord, record: StreamRecord): void {
    const entry = this.#entries.get(raw.topic);
    if (entry === undefined) throw new Error(`the task does not read topic "${raw.topic}"`);
    const { children, count } = entry;
    count.in++;
    count.out++;
    const { timestampMs, headers } = record;
    const { context } = this.services;
    const before = context.now;
    context.now = { timestampMs, headers, origin: raw };
    try {
      for (let index = 0; index < children.length; index++) children[index]!.process(record);
    } finally {
      context.now = before;
      if (!this.#keepsRead) raw.key = raw.value = null;
    }
  }

  /** Calls a punctuator: what it forwards and stores has this time unless it says another. */
  punctuate(callback: (timestampMs: number) => void, nowMs: number): void {
    const moment = { timestampMs: nowMs, headers: [], origin: null };
    this.services.context.at(moment, () => callback(nowMs));
  }

  /** Closes all processors; throws what the first of them has thrown. */
  close(): void {
    runAll([
      ...this.#closing,
      ...this.#processors.map((processor) => () => processor.close?.()),
    ]);
  }

  #context(
    name: string,
    stores: readonly string[],
    children: readonly RunningNode[],
  ): ProcessorContext {
    const { services } = this;
    const count = this.#counts.of(name);
    return {
      taskId: services.taskId,
      partition: services.partition,
      metadata: services.metadata,
      forward: (record, child) => {
        count.out++;
        const { headers } = record;
        // Most have headers already, and are given on as they are.
        const whole = headers === undefined ? { ...record, headers: [] } : record as StreamRecord;
        this.#forward(children, whole, child);
      },
      store: (asked: string | StoreHandle<unknown>) => {
        const wanted = nameOfStore(asked);
        if (stores.includes(wanted)) return services.stores.get(wanted);
        const global = services.world.globalStores?.get(wanted);
        if (global !== undefined) return global;
        throw new Error(`"${name}" is not connected with store "${wanted}"`);
      },
      get origin() {
        return services.context.now.origin;
      },
      get streamTimeMs() {
        return services.streamTimeMs();
      },
      get wallMs() {
        return services.world.wallMs();
      },
      joinEmitIntervalMs: services.world.joinEmitIntervalMs ?? JOIN_EMIT_INTERVAL_MS,
      schedule: (intervalMs, type, callback) =>
        services.schedule(intervalMs, type, (timeMs) => this.#call(name, callback, timeMs)),
      onClose: (callback) => void this.#closing.push(callback),
      requestCommit: () => services.world.requestCommit(),
      drop: (reason) => {
        count.drop(reason);
        services.world.dropped(name, reason, services.context.now.origin);
      },
    };
  }

  /** Calls a punctuator of a node: it fails as a step does (KIP-1033). */
  #call(name: string, callback: (timestampMs: number) => void, timeMs: number): void {
    try {
      callback(timeMs);
    } catch (error) {
      if (error instanceof ProcessingError) throw error;
      this.#counts.of(name).errored++;
      this.services.world.failed(name, null, error);
    }
  }

  /** Who is behind sees the time of the record that it is given, until it comes back. */
  #forward(children: readonly RunningNode[], record: StreamRecord, only?: string): void {
    const { context } = this.services;
    const before = context.now;
    const { timestampMs, headers } = record;
    // Most steps leave both as they are.
    const isSame = before.timestampMs === timestampMs && before.headers === headers;
    if (!isSame) context.now = { timestampMs, headers, origin: before.origin };
    if (only === undefined) {
      for (let index = 0; index < children.length; index++) children[index]!.process(record);
    } else {
      const child = children.find((each) => each.name === only);
      if (child === undefined) throw new Error(`there is no "${only}" right behind this node`);
      child.process(record);
    }
    context.now = before;
  }

  #sink(node: SinkNode): RunningNode {
    const { world } = this.services;
    const { topic } = node;
    const count = this.#counts.of(node.name);
    const known = typeof topic === "string"
      ? this.topology.fullName(topic, world.internalTopic)
      : null;
    const topicOf = typeof topic === "string" ? () => known! : topic;
    return this.#guarded(node.name, {
      process: (record) => {
        const topic = topicOf(record);
        const bytes = this.#bytesOf(node, record, topic);
        if (bytes === null) return;
        const { timestampMs, headers } = record;
        const { key, value } = bytes;
        const partition = partitionFor(node, record, topic, key);
        world.output.send({ topic, partition, key, value, timestampMs, headers, node: node.name });
        count.out++;
      },
    });
  }

  /** Null: it cannot be written and is left out. */
  #bytesOf(
    node: SinkNode,
    record: StreamRecord,
    topic: string,
  ): { readonly key: Uint8Array | null; readonly value: Uint8Array | null } | null {
    const { key, value } = record;
    try {
      return {
        key: key == null ? null : node.keySerde.serialize(key, topic),
        value: value == null ? null : node.valueSerde.serialize(value, topic),
      };
    } catch (error) {
      const { world, context } = this.services;
      this.#counts.of(node.name).errored++;
      world.unwritable(node.name, context.now.origin, error);
      return null;
    }
  }

  /** Tells which node it was that failed; a failure behind it is told by the node that has it. */
  #guarded(name: string, processor: Pick<Processor, "process">): RunningNode {
    const { context, world } = this.services;
    const count = this.#counts.of(name);
    return {
      name,
      process(record) {
        count.in++;
        const before = context.now;
        try {
          processor.process(record);
        } catch (error) {
          if (error instanceof ProcessingError) throw error;
          context.now = before;
          count.errored++;
          world.failed(name, before.origin, error);
        }
      },
    };
  }
}

/** Null: by the hash of the whole key, or anywhere without one. */
function partitionFor(
  { partitioner, unhashedBytes }: SinkNode,
  record: StreamRecord,
  topic: string,
  key: Uint8Array | null,
): ((count: number) => number | null) | null {
  if (partitioner !== null) return (count) => partitioner(record, topic, count);
  if (unhashedBytes === 0 || key === null) return null;
  return (count) => partitionOfKey(count, key, 0, key.length - unhashedBytes);
}
