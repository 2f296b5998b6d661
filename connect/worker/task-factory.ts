/** Puts a task together: clients, error policy, dead letters, delivery. */
import { Admin } from "../../client/admin.ts";
import { Producer } from "../../client/producer.ts";
import type { ProducerOptions } from "../../client/producer.ts";
import { SINK_FIELDS } from "../config/connector-fields.ts";
import { ConfigError, parseConfig } from "../config/parse.ts";
import type { RawConfig } from "../config/parse.ts";
import { AtLeastOnceDelivery } from "../runtime/at-least-once-delivery.ts";
import { ExactlyOnceDelivery } from "../runtime/exactly-once-delivery.ts";
import { consumerOverrides, producerOverrides } from "../runtime/client-overrides.ts";
import { DeadLetters } from "../runtime/dead-letters.ts";
import { ErrorPolicy } from "../runtime/error-policy.ts";
import { meteredSink, meteredSource } from "../runtime/metered.ts";
import { MeteredConsumer, meteredOffsets, MeteredSender } from "../runtime/metered-clients.ts";
import { openOwnOffsets } from "../offsets/open-topic-offsets.ts";
import type { PreparedSink, PreparedSource, RunningTask } from "../runtime/running-task.ts";
import { SinkTask } from "../runtime/sink-task.ts";
import type { SinkGroup } from "../runtime/sink-task.ts";
import { SourceTask } from "../runtime/source-task.ts";
import { TaskMeter } from "../runtime/task-meter.ts";
import type { TaskWorld } from "../runtime/task-world.ts";
import { TopicCreation, topicGroups } from "../runtime/topic-creation.ts";
import type { TaskId } from "./status.ts";

/** Hears of every topic that the task uses, once. */
export type OnTopic = (topic: string) => void;

/** What a task has opened besides its way of records; closed when it has ended. */
class Belongings {
  readonly #closers: (() => Promise<void> | void)[] = [];
  readonly aborted = new AbortController();

  add(close: () => Promise<void> | void): void {
    this.#closers.push(close);
  }

  async close(): Promise<void> {
    this.aborted.abort();
    for (const close of this.#closers.splice(0).reverse()) await close();
  }
}

/** A task that has not begun. Throws `ConfigError`, `KafkaError` and what clients throw. */
export async function makeTask(
  world: TaskWorld,
  prepared: PreparedSource | PreparedSink,
  onTopic: OnTopic,
): Promise<RunningTask> {
  const belongings = new Belongings();
  const meter = new TaskMeter(world.io.clock);
  try {
    const { task, figures } = "source" in prepared
      ? await makeSource(world, prepared, belongings, onTopic, meter)
      : await makeSink(world, prepared, belongings, onTopic, meter);
    return withEnd(
      task,
      () => ({ ...task.figures(), ...meter.figures(), ...figures() }),
      () => belongings.close(),
    );
  } catch (error) {
    await belongings.close();
    throw error;
  }
}

/** A task, with what is measured of it from outside. */
interface MadeTask {
  readonly task: RunningTask;
  readonly figures: RunningTask["figures"];
}

/** By Connect's names (`task-error-metrics`). */
function errorFigures({ figures }: ErrorPolicy): Readonly<Record<string, number>> {
  return {
    "total-record-errors": figures.errors,
    "total-record-failures": figures.failures,
    "total-records-skipped": figures.skipped,
    "total-retries": figures.retries,
    "deadletterqueue-produce-requests": figures.deadLetters,
    "last-error-timestamp": figures.lastErrorMs,
  };
}

function withEnd(
  task: RunningTask,
  figures: RunningTask["figures"],
  end: () => Promise<void>,
): RunningTask {
  return {
    run: async () => {
      try {
        await task.run();
      } finally {
        await end();
      }
    },
    stop: (now) => task.stop(now),
    pause: () => task.pause(),
    resume: () => task.resume(),
    figures,
  };
}

function clientIdOf({ id }: PreparedSource | PreparedSink, role: string): string {
  return `connector-${role}-${id.connector}-${id.task}`;
}

function adminOf(
  world: TaskWorld,
  prepared: PreparedSource | PreparedSink,
  mine: Belongings,
): Admin {
  const admin = new Admin(world.io, {
    ...world.client,
    clientId: clientIdOf(prepared, "adminclient"),
  });
  mine.add(() => admin.close());
  return admin;
}

async function errorPolicyOf(
  world: TaskWorld,
  prepared: PreparedSource | PreparedSink,
  admin: Admin,
  mine: Belongings,
): Promise<ErrorPolicy> {
  const { common, id } = prepared;
  const topic = common["errors.deadletterqueue.topic.name"].trim();
  let letters: DeadLetters | null = null;
  if (topic !== "") {
    const producer = new Producer(world.io, {
      ...world.client,
      codecs: world.codecs,
      clientId: clientIdOf(prepared, "dlq-producer"),
    });
    mine.add(() => producer.close());
    const withContext = common["errors.deadletterqueue.context.headers.enable"];
    letters = new DeadLetters(producer, topic, id, withContext, world.hidden);
    await letters.prepare(admin, common["errors.deadletterqueue.topic.replication.factor"]);
  }
  const log = world.log.with({ connector: id.connector, task: id.task });
  const { clock, random } = world.io;
  return new ErrorPolicy(clock, random, common, letters, log, mine.aborted.signal);
}

async function makeSource(
  workers: TaskWorld,
  prepared: PreparedSource,
  mine: Belongings,
  onTopic: OnTopic,
  meter: TaskMeter,
): Promise<MadeTask> {
  const { id, raw, source } = prepared;
  const world = await withOwnOffsets(workers, prepared, mine);
  const admin = adminOf(world, prepared, mine);
  const policy = await errorPolicyOf(world, prepared, admin, mine);
  const groups = topicGroups(raw, source["topic.creation.groups"]);
  const topics = new TopicCreation(admin, groups, world.log, onTopic);
  const options: ProducerOptions = {
    ...world.client,
    codecs: world.codecs,
    allowCreate: false,
    ...producerOverrides(raw),
    clientId: clientIdOf(prepared, "producer"),
  };
  const { transactional } = world.offsets;
  if (prepared.exactlyOnce && transactional === null) {
    const message = '"exactly.once.support" cannot be required here: this worker keeps offsets ' +
      'outside of the cluster; give the connector an "offsets.storage.topic"';
    throw new ConfigError([{ field: "exactly.once.support", message }]);
  }
  const openDelivery: SourceTask["openDelivery"] = (listener) => {
    const isTransactional = prepared.exactlyOnce && transactional !== null;
    const producer = new Producer(
      world.io,
      isTransactional ? { ...options, transactionalId: transactionalIdOf(world, id) } : options,
    );
    mine.add(() => producer.close());
    const shared = {
      connector: id.connector,
      clock: world.io.clock,
      producer,
      sender: new MeteredSender(meter, prepared.pipeline, producer, topics, policy),
      listener,
    };
    return isTransactional
      ? new ExactlyOnceDelivery({
        ...shared,
        offsets: transactional,
        intervalMs: transactionIntervalMs(world, prepared),
      })
      : new AtLeastOnceDelivery({
        ...shared,
        offsets: meteredOffsets(world.offsets, meter),
        flushIntervalMs: world.settings.offsetFlushIntervalMs,
      });
  };
  const definition = meteredSource(prepared.definition, meter);
  const task = new SourceTask(world, { ...prepared, definition }, openDelivery);
  return { task, figures: () => errorFigures(policy) };
}

/** The world of a source that has a topic of its own for its offsets. */
async function withOwnOffsets(
  world: TaskWorld,
  prepared: PreparedSource,
  mine: Belongings,
): Promise<TaskWorld> {
  const client = { ...world.client, clientId: clientIdOf(prepared, "offsets") };
  const topic = prepared.source["offsets.storage.topic"];
  const offsets = await openOwnOffsets({ ...world, client }, topic);
  if (offsets === null) return world;
  mine.add(() => offsets.close());
  return { ...world, offsets };
}

/** By the names that Connect has for them, so that its fencing and ours know the same producers. */
function transactionalIdOf({ settings }: TaskWorld, { connector, task }: TaskId): string {
  return `${settings.groupId}-${connector}-${task}`;
}

/** 0: each batch of the source is a transaction. */
function transactionIntervalMs({ settings }: TaskWorld, { source }: PreparedSource): number {
  if (source["transaction.boundary"] === "poll") return 0;
  return source["transaction.boundary.interval.ms"] ?? settings.offsetFlushIntervalMs;
}

async function makeSink(
  world: TaskWorld,
  prepared: PreparedSink,
  mine: Belongings,
  onTopic: OnTopic,
  meter: TaskMeter,
): Promise<MadeTask> {
  const { raw } = prepared;
  const admin = adminOf(world, prepared, mine);
  const policy = await errorPolicyOf(world, prepared, admin, mine);
  const { options } = consumerOverrides(raw);
  const group = sinkGroup(prepared.id.connector, raw);
  const consumer = new MeteredConsumer(meter, world.io, {
    ...world.client,
    codecs: world.codecs,
    assignors: ["cooperative-sticky"],
    ...options,
    groupId: group.groupId,
    clientId: clientIdOf(prepared, "consumer"),
  });
  const definition = meteredSink(prepared.definition, meter);
  const task = new SinkTask(
    world,
    { ...prepared, definition },
    consumer,
    group,
    policy,
    onTopic,
  );
  const figures = () => ({ ...errorFigures(policy), "sink-record-lag-max": consumer.lagMax() });
  return { task, figures };
}

/** Of which group a sink is, and what it reads. Throws `ConfigError`. */
export function sinkGroup(connector: string, raw: RawConfig): SinkGroup {
  const { groupId, maxPollRecords } = consumerOverrides(raw);
  const sink = parseConfig(SINK_FIELDS, raw);
  const { topics } = sink;
  const pattern = sink["topics.regex"].trim();
  if ((topics.length === 0) === (pattern === "")) {
    const message = topics.length === 0
      ? '"topics" is missing: what the sink reads, or a pattern in "topics.regex"'
      : '"topics" and "topics.regex" are both given: leave out one of them';
    throw new ConfigError([{ field: "topics", message }]);
  }
  return {
    groupId: groupId ?? `connect-${connector}`,
    topics: pattern === "" ? topics : { pattern },
    maxPollRecords,
  };
}
