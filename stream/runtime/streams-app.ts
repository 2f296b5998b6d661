/** An application on a cluster: one member, from its start to its end (Kafka's `KafkaStreams`). */
import { Admin } from "../../client/admin.ts";
import { Cluster } from "../../client/cluster.ts";
import { Consumer } from "../../client/consumer.ts";
import type { ConsumerOptions } from "../../client/consumer.ts";
import type { ClientIo, ClientOptions } from "../../client/options.ts";
import { tellSilence } from "../../client/tell-silence.ts";
import { KafkaError, TimeoutError } from "../../client/errors.ts";
import { asError } from "../../core/as-error.ts";
import type { Codecs } from "../../core/compression/codec.ts";
import { deferred } from "../../core/deferred.ts";
import { Errors } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { Mutex } from "../../core/mutex.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { MemberFigures } from "../../core/streams/live-application.ts";
import type { QueryableHost, TaskId } from "../assignor/index.ts";
import type { QueriedApp } from "../queries/queried-app.ts";
import { CacheBudget } from "../stores/cache-budget.ts";
import type { AnyStore } from "../stores/key-value-store.ts";
import { MemoryEngine } from "../stores/memory-engine.ts";
import type { SnapshotStore } from "../stores/snapshots/snapshot-store.ts";
import { engineOf, openStoreOf } from "../stores/open-store.ts";
import { GlobalTask } from "../task/global-task.ts";
import { NodeCounts } from "../task/node-counts.ts";
import type { OutputRecord } from "../task/task.ts";
import type { TimestampExtractor } from "../task/timestamp-extractor.ts";
import type { Topology } from "../topology/topology.ts";
import { letterOfRefused } from "./dead-letters.ts";
import { GlobalReader } from "./global-reader.ts";
import { type GroupProtocol, groupProtocol } from "./group-protocol.ts";
import { RepartitionPurger } from "./repartition-purger.ts";
import { type RestoreProgress, Restorer } from "./restorer.ts";
import type { StreamsConfig } from "./streams-config.ts";
import { Snapshots } from "./snapshots.ts";
import { StreamsMember } from "./streams-member.ts";
import { StreamsProducer } from "./streams-producer.ts";
import type { StateProvider } from "./task-stores.ts";
import { type StoreHere, TaskTable } from "./task-table.ts";
import { type SharedWorld, taskWorld } from "./task-world.ts";
import { internalName, outerSinkTopics, type TopicPlan } from "./topic-plan.ts";
import { WrittenTopics } from "./written-topics.ts";

export interface StreamsAppOptions {
  readonly io: ClientIo;
  readonly client: ClientOptions;
  readonly codecs: Codecs;
  readonly topology: Topology;
  readonly config: StreamsConfig;
  readonly logger: Logger;
  readonly state: StateProvider;
  /** Of its stores; default: there are none. */
  readonly snapshots?: SnapshotStore | null;
  /** Whose state this is: it stays over restarts. */
  readonly processId: string;
  /** Which one of the process's it is; default 1. */
  readonly thread?: number;
  /** Where its stores can be asked, `HOST:PORT`; default: nowhere. */
  readonly endpoint?: string | null;
  /** Of sources that have none of their own. */
  readonly timestampExtractor?: TimestampExtractor;
}

/** What a member is at. */
export interface StreamsStatus {
  readonly running: readonly string[];
  /** Tasks whose stores are being filled, or that wait to begin again. */
  readonly opening: readonly string[];
  readonly standby: readonly string[];
  readonly restoring: readonly RestoreProgress[];
  /** Records since the start. */
  readonly processed: number;
  readonly sent: number;
  readonly dropped: number;
  readonly letters: number;
}

/** How long it takes at the most to find that a topic is missing that is written to. */
const SINK_LOOK_MS = 10_000;
const PARTITION_FETCH_BYTES = 1024 * 1024;
const CONSUMER_QUEUED_BYTES = 32 * 1024 * 1024;

/** See the head of the file. */
export class StreamsApp implements QueriedApp {
  readonly #options: StreamsAppOptions;
  readonly #cluster: Cluster;
  readonly #admin: Admin;
  readonly #group: GroupProtocol;
  readonly #ended = deferred<never>();
  readonly #figures = { dropped: 0, letters: 0 };
  readonly #counts = new NodeCounts();
  readonly #begunMs: number;
  readonly #starting = new AbortController();
  #member: StreamsMember | null = null;
  #restorer: Restorer | null = null;
  #snapshots: Snapshots | null = null;
  #global: GlobalTask | null = null;
  #globalReader: GlobalReader | null = null;
  readonly #written: WrittenTopics;
  #closing: Promise<void> | null = null;

  constructor(options: StreamsAppOptions) {
    this.#options = options;
    this.#begunMs = options.io.clock.monotonicMs();
    this.#cluster = new Cluster(options.io, options.client);
    this.#admin = new Admin(options.io, options.client);
    this.#ended.promise.catch(() => {});
    const { topology, config, logger, processId, endpoint = null } = options;
    this.#group = groupProtocol({
      ...{ cluster: this.#cluster, admin: this.#admin, topology },
      self: { processId, config, logger, endpoint },
    });
    this.#written = new WrittenTopics(
      ...[options.io.clock, this.#cluster, () => this.#writtenTopics()] as const,
      (error) => this.#ended.reject(error),
    );
  }

  /** Rejects when the application can do no more; it is still to be closed. */
  get failed(): Promise<never> {
    return this.#ended.promise;
  }

  /** Makes what topics are missing and joins. Throws an `OperatorError` for what somebody can put right. */
  async start(): Promise<void> {
    const { logger, thread = 1 } = this.#options;
    // One of the threads is enough.
    if (thread === 1) {
      void tellSilence(this.#admin.cluster, this.#starting.signal, (error) => {
        logger.warn("no broker answers yet", { error });
      });
    }
    await this.#group.prepare(this.#starting.signal);
    await this.#fillGlobals();
    if (this.#starting.signal.aborted) return;
    const member = this.#makeMember();
    this.#member = member;
    await member.start(() => this.#openSinks(member));
    if (!this.#starting.signal.aborted) this.#written.start();
  }

  // What follows is for queries.

  get applicationId(): string {
    return this.#options.config.applicationId;
  }

  get topology(): Topology {
    return this.#options.topology;
  }

  get endpoint(): string | null {
    return this.#options.endpoint ?? null;
  }

  get plan(): TopicPlan | null {
    return this.#member === null ? null : this.#group.topics.seen;
  }

  get hosts(): readonly QueryableHost[] {
    return this.#member?.group.hosts ?? [];
  }

  storeOf(task: TaskId, name: string): StoreHere | null {
    return this.#member?.table.storeOf(task, name) ?? null;
  }

  globalStore(name: string): AnyStore | null {
    return this.#member === null ? null : this.#global?.stores.get(name) ?? null;
  }

  status(): StreamsStatus {
    const table = this.#member?.table;
    const running = table?.running ?? [];
    const names = new Set(running.map(({ id }) => id));
    return {
      running: [...names],
      opening: (table?.active() ?? []).filter((id) => !names.has(id)),
      standby: table?.standby() ?? [],
      restoring: this.#restorer?.progress() ?? [],
      processed: this.#member?.processed ?? 0,
      sent: this.#member?.sent ?? 0,
      ...this.#figures,
    };
  }

  figures(): MemberFigures {
    const { running, opening, standby, restoring } = this.status();
    const table = this.#member?.table;
    return {
      ...{ endpoint: this.endpoint, running, opening, standby, restoring },
      upMs: this.#options.io.clock.monotonicMs() - this.#begunMs,
      nodes: Object.fromEntries(
        [...this.#counts.entries()].map(([name, { in: came, out, errored, dropped }]) =>
          [name, { in: came, out, errored, dropped: Object.fromEntries(dropped) }] as const
        ),
      ),
      sources: (table?.running ?? []).flatMap((active) =>
        active.sources().map(({ position, ...place }) => {
          return { task: active.id, ...place, position: Number(position) };
        })
      ),
      stores: table?.storeSizes() ?? [],
    };
  }

  /** Commits what is done and leaves the group. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#starting.abort();
    this.#snapshots?.close();
    this.#written.close();
    try {
      await this.#member?.close();
      await this.#restorer?.close();
      await this.#globalReader?.close();
    } finally {
      this.#admin.close();
      this.#cluster.close();
    }
  }

  #makeMember(): StreamsMember {
    const { io, config, logger, topology, state } = this.#options;
    // Each source says for itself where to go on when records are gone.
    const consumer = new Consumer(io, { ...this.#reads(), autoOffsetReset: "none" });
    const restorer = new Restorer(io, this.#admin, this.#reads(), logger);
    this.#restorer = restorer;
    const snapshots = this.#snapshots = this.#makeSnapshots();
    const exclusively = new Mutex();
    const world = this.#world(this.#global?.stores ?? null);
    const repartitions = new Set(
      [...topology.repartitionTopics.keys()].map((topic) =>
        internalName(config.applicationId, topic)
      ),
    );
    const { repartitionPurgeIntervalMs } = config;
    const purger = new RepartitionPurger(
      ...[this.#admin, io.clock, repartitions, repartitionPurgeIntervalMs, logger] as const,
    );
    return new StreamsMember({
      ...{ io, consumer, config, logger, exclusively },
      makeProducer: () => this.#makeProducer(),
      table: (events) =>
        new TaskTable({
          ...{ io, admin: this.#admin, consumer, restorer, topology, config, logger },
          ...{ topics: this.#group.topics, state, snapshots, world, exclusively },
        }, events),
      group: (holder) => this.#group.member(holder),
      onCommit: (positions) => purger.committed(positions),
      onFatal: (error) => this.#ended.reject(asError(error)),
    });
  }

  #makeSnapshots(): Snapshots | null {
    const { io, logger, snapshots: store = null, config, topology } = this.#options;
    if (store === null) return null;
    const logged = [...topology.stores.values()].filter(({ isLogged }) => isLogged);
    const changelogs = new Set(
      logged.map(({ name }) => internalName(config.applicationId, `${name}-changelog`)),
    );
    return new Snapshots({
      ...{ io, admin: this.#admin, store, logger, intervalMs: config.snapshotIntervalMs },
      isChangelog: (topic) => changelogs.has(topic),
    });
  }

  #world(globalStores: SharedWorld["globalStores"]): SharedWorld {
    const { io, config, logger, timestampExtractor } = this.#options;
    return {
      ...{ clock: io.clock, config, logger, globalStores },
      output: { send: (record) => this.#member!.producer.output.send(record) },
      budget: new CacheBudget(config.cacheBytesMax),
      figures: this.#figures,
      counts: this.#counts,
      timestampExtractor: timestampExtractor ?? null,
      requestCommit: () => this.#member!.requestCommit(),
    };
  }

  /** Its stores are in memory, and filled anew each time. */
  async #fillGlobals(): Promise<void> {
    const { io, topology, logger } = this.#options;
    if (topology.globalStores.size === 0) return;
    const shared = this.#world(null);
    const { onUnreadable } = shared.config;
    // Nothing is written by what fills them, so there are no letters of it either.
    const config: StreamsConfig = {
      ...shared.config,
      onUnreadable: onUnreadable === "dlq" ? "continue" : onUnreadable,
      onProcessingError: "fail",
    };
    const world = taskWorld({ ...shared, config }, "global", {
      open: (spec, topic, onChange, context, budget) => {
        const engine = engineOf(spec, () => new MemoryEngine());
        return openStoreOf(spec, { engine, topic, onChange, context, budget });
      },
    });
    this.#global = new GlobalTask(topology, world);
    const fail = (error: Error) => this.#ended.reject(error);
    this.#globalReader = new GlobalReader(
      ...[io, this.#admin, this.#reads(), this.#global, logger, fail] as const,
    );
    await this.#globalReader.start();
  }

  #reads(): ConsumerOptions {
    const { client, codecs, config } = this.#options;
    return {
      ...client,
      codecs,
      autoOffsetReset: config.autoOffsetReset,
      isolationLevel: config.isExactlyOnce ? "read_committed" : "read_uncommitted",
      partitionMaxBytes: PARTITION_FETCH_BYTES,
      queuedBytes: CONSUMER_QUEUED_BYTES,
    };
  }

  #makeProducer(): StreamsProducer {
    const { io, client, codecs, config, processId, thread = 1 } = this.#options;
    const { onProductionError, deadLetterTopic, applicationId, isExactlyOnce } = config;
    const leaveOut = (record: OutputRecord, error: Error): void => {
      this.#figures.dropped++;
      this.#options.logger.warn("brokers refuse a record", {
        topic: record.topic,
        error: error.message,
      });
      if (onProductionError === "dlq" && record.topic !== deadLetterTopic) {
        this.#figures.letters++;
        this.#member!.producer.output.send(letterOfRefused(deadLetterTopic!, record, error));
      }
    };
    return new StreamsProducer(io, {
      producer: {
        ...client,
        codecs,
        ...(isExactlyOnce && {
          transactionalId: `${applicationId}-${processId}-${thread}`,
          transactionTimeoutMs: config.transactionTimeoutMs,
        }),
      },
      refusals: {
        leaveOut: onProductionError === "fail" || isExactlyOnce ? null : leaveOut,
        count: (node, records) => {
          this.#counts.of(node).errored += records;
        },
      },
    });
  }

  #writtenTopics() {
    const plan = this.#group.topics.seen;
    const sinks = this.#sinkTopics();
    if (plan === null) return { changelogs: [], changelogIds: new Map(), repartitions: [], sinks };
    const { subtopologies, internalTopics } = plan;
    const internals = internalTopics.map(({ name }) => name);
    const logs = new Set(subtopologies.flatMap(({ changelogs }) => [...changelogs.values()]));
    return {
      changelogs: internals.filter((name) => logs.has(name)),
      changelogIds: this.#member?.table.changelogIds() ?? new Map(),
      repartitions: internals.filter((name) => !logs.has(name)),
      sinks,
    };
  }

  /** Those of others that are always written to. */
  #sinkTopics(): string[] {
    const { topology, config: { deadLetterTopic } } = this.#options;
    return [...outerSinkTopics(topology), ...(deadLetterTopic === null ? [] : [deadLetterTopic])];
  }

  /** They are there before anything is processed. */
  async #openSinks(member: StreamsMember): Promise<void> {
    for (const topic of this.#sinkTopics()) {
      try {
        await member.producer.output.open(topic, { timeoutMs: SINK_LOOK_MS });
      } catch (error) {
        if (!isUnknownTopic(error)) throw error;
        throw new OperatorError(
          `the application cannot write to topic "${topic}"`,
          asError(error).message,
          `create it with: kstream topic create ${topic}`,
        );
      }
    }
  }
}

/** Also where it was waited for in vain. */
function isUnknownTopic(error: unknown): boolean {
  const last = error instanceof TimeoutError ? error.cause : error;
  return last instanceof KafkaError && last.code === Errors.UNKNOWN_TOPIC_OR_PARTITION;
}
