/**
 * The only writer of the metadata log. Every change is planned by a pure function of the current
 * image, appended at the position that the plan was made for, and answered when the image that
 * holds it is in force on this broker. Changes run one after the other.
 *
 * A broker that is its own cluster is the controller always (`open`). In a cluster each broker is a
 * candidate: it answers NOT_CONTROLLER until it is elected (`activate`), and again once it has lost the
 * office (`deactivate`).
 */
import { assert } from "../core/assert.ts";
import { Errors } from "../core/errors.ts";
import type { Clock, Random } from "../core/io.ts";
import type { Logger } from "../core/logger.ts";
import { OperatorError } from "../core/operator-error.ts";
import { inTurns, nextTurn, type Steps } from "../core/steps.ts";
import { aloneBroker, type MetadataImage, type TopicImage } from "../cluster/metadata-image.ts";
import { type MetadataLog, MetadataUnavailableError } from "../cluster/metadata-log.ts";
import { MetadataFormatError, type MetadataRecord } from "../cluster/metadata-records.ts";
import type { RecentChanges } from "./cluster/recent-changes.ts";
import { newFeatures } from "./features.ts";
import { automaticTopic } from "./internal-topics.ts";
import type { MetadataCache } from "./metadata-cache.ts";
import type { ChangeOptions, MetadataChanges, ProducerIdBlock } from "./metadata-changes.ts";
import { accept, type Outcome, refuse } from "./outcome.ts";
import { type ConfigChange, planAlterConfigs } from "./plan-configs.ts";
import {
  type NewPartitions,
  type NewTopic,
  type Plan,
  type PlanContext,
  planCreatePartitions,
  planCreateTopics,
  planDeleteTopics,
  type TopicReference,
} from "./plan-topics.ts";

/** Producer ids are handed out in blocks of this size, as in Kafka (`ProducerIdsBlock`). */
export const PRODUCER_ID_BLOCK = 1000;
/** A snapshot is written after so many records, or as many as the last one has if that is more. */
const SNAPSHOT_RECORDS_MIN = 10_000;
/** Tries of one change against a log that others append to. */
const CONFLICT_TRIES_MAX = 10;

/** What the controller is built from. */
export interface ControllerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly log: MetadataLog;
  readonly metadata: MetadataCache;
  /** Where members of a cluster keep changes for each other. */
  readonly recent?: RecentChanges;
  /** Told of topics that are about to be deleted, before that is written. Never rejects. */
  readonly beforeDeletion?: (topics: readonly TopicImage[]) => Promise<void>;
}

/** See the head of the file. */
export class Controller implements MetadataChanges {
  readonly #options: ControllerOptions;
  #isActive = false;
  #tail: Promise<void> = Promise.resolve();
  #recordsSinceSnapshot = 0;
  #recordsInSnapshot = 0;
  #snapshot: Promise<void> | null = null;
  readonly #creations = new Map<string, Promise<Outcome<TopicImage>>>();

  private constructor(options: ControllerOptions) {
    this.#options = options;
  }

  /**
   * Of a broker that is its own cluster: reads the metadata log to its end, publishes the image and
   * registers the broker. Throws an `OperatorError` if the log cannot be read or written.
   */
  static async open(options: ControllerOptions, rack: string | null): Promise<Controller> {
    const controller = await Controller.sole(options);
    await controller.#registerAlone(rack);
    return controller;
  }

  /**
   * Of a cluster that has no other: as `open`, and registers nobody. Throws an `OperatorError` if the log
   * cannot be read.
   */
  static async sole(options: ControllerOptions): Promise<Controller> {
    const controller = new Controller(options);
    try {
      await controller.activate();
    } catch (error) {
      if (!(error instanceof MetadataFormatError)) throw error;
      throw new OperatorError(
        "cannot read the metadata of the cluster",
        error.message,
        "start the version of kstream that wrote it, or restore the data directory from a backup",
      );
    }
    return controller;
  }

  /** Of a broker in a cluster: it is not the controller yet. */
  static candidate(options: ControllerOptions): Controller {
    return new Controller(options);
  }

  /** Whether this node is the controller, by its own knowledge. */
  get isActive(): boolean {
    return this.#isActive;
  }

  /**
   * Takes the office: reads the log to its end, beginning at the image in force. Nobody else may publish
   * images from now on. Throws a `MetadataFormatError` or a `MetadataUnavailableError`.
   */
  activate(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#catchUp();
      this.#isActive = true;
      this.#snapshotIfDue();
    });
  }

  /** Gives the office up. When it resolves, no image is published by it any more. */
  deactivate(): Promise<void> {
    this.#isActive = false;
    return this.#inTurn(() => Promise.resolve());
  }

  /** Creates topics. The value is the topic as it is (to be). */
  createTopics(
    topics: readonly NewTopic[],
    options: ChangeOptions = {},
  ): Promise<Outcome<TopicImage>[]> {
    return this.#changeAll(topics.length, options, (context) => planCreateTopics(context, topics));
  }

  /** Deletes topics. The value is the topic as it was. */
  deleteTopics(
    topics: readonly TopicReference[],
    options: ChangeOptions = {},
  ): Promise<Outcome<TopicImage>[]> {
    return this.#changeAll(
      topics.length,
      options,
      (context) => planDeleteTopics(context, topics),
      async (outcomes) => {
        await this.#options.beforeDeletion?.(outcomes.flatMap((each) => each.ok ? each.value : []));
      },
    );
  }

  /** Adds partitions to topics. The value is the topic as it is (to be). */
  createPartitions(
    topics: readonly NewPartitions[],
    options: ChangeOptions = {},
  ): Promise<Outcome<TopicImage>[]> {
    return this.#changeAll(
      topics.length,
      options,
      (context) => planCreatePartitions(context, topics),
    );
  }

  /** Changes configs of topics and brokers. */
  alterConfigs(
    changes: readonly ConfigChange[],
    options: ChangeOptions = {},
  ): Promise<Outcome<null>[]> {
    return this.#changeAll(
      changes.length,
      options,
      (context) => planAlterConfigs(context, changes),
    );
  }

  /**
   * Runs any plan in its turn: for changes that need nothing of the controller but its order.
   * `items` is how many outcomes the plan gives. `beforeAppend` runs when the plan stands, before
   * anything of it is written; no other change comes between.
   */
  change<T>(
    items: number,
    plan: Planner<T>,
    options: ChangeOptions = {},
    beforeAppend?: BeforeAppend<T>,
  ): Promise<Outcome<T>[]> {
    return this.#changeAll(items, options, plan, beforeAppend);
  }

  /** The next block of producer ids; it is durable that they are taken. */
  async allocateProducerIds(
    brokerId: number = this.#options.metadata.nodeId,
  ): Promise<Outcome<ProducerIdBlock>> {
    const [outcome] = await this.#changeAll(1, {}, ({ image }) => ({
      records: [{
        type: "producer-ids",
        version: 1,
        brokerId,
        nextProducerId: image.nextProducerId + PRODUCER_ID_BLOCK,
      }],
      outcomes: [accept({ firstProducerId: image.nextProducerId, count: PRODUCER_ID_BLOCK })],
    }));
    assert(outcome !== undefined, "one outcome for one block");
    return outcome;
  }

  /**
   * The topic, created by the broker's defaults if it is missing (a coordinator's own topic by what
   * its records need). Callers that ask for the same topic at once share one creation.
   */
  ensureTopic(name: string): Promise<Outcome<TopicImage>> {
    const present = this.#options.metadata.topic(name);
    if (present !== undefined) return Promise.resolve(accept(present));
    const running = this.#creations.get(name);
    if (running !== undefined) return running;
    const creation = this.#create(name).finally(() => this.#creations.delete(name));
    this.#creations.set(name, creation);
    return creation;
  }

  /** Resolves when every change that was asked for before is done, and nothing is written. */
  async close(): Promise<void> {
    await this.#tail;
    await this.#snapshot;
  }

  async #create(name: string): Promise<Outcome<TopicImage>> {
    const { metadata } = this.#options;
    const [outcome] = await this.createTopics([
      automaticTopic(name, metadata.config, metadata.image),
    ]);
    assert(outcome !== undefined, "one outcome for one topic");
    if (outcome.ok || outcome.error !== Errors.TOPIC_ALREADY_EXISTS) return outcome;
    const topic = metadata.topic(name);
    return topic === undefined ? outcome : accept(topic);
  }

  /** Runs a plan in its turn; the same refusal for all items where the log cannot take it. */
  #changeAll<T>(
    items: number,
    options: ChangeOptions,
    plan: Planner<T>,
    beforeAppend?: BeforeAppend<T>,
  ): Promise<Outcome<T>[]> {
    const change = this.#inTurn(() => this.#change(items, options, plan, beforeAppend));
    return options.timeoutMs === undefined
      ? change
      : this.#orTimeout(change, items, options.timeoutMs);
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(run);
    this.#tail = done.then(() => {}, () => {});
    return done;
  }

  async #change<T>(
    items: number,
    options: ChangeOptions,
    plan: Planner<T>,
    beforeAppend?: BeforeAppend<T>,
  ): Promise<Outcome<T>[]> {
    const { log, metadata, random } = this.#options;
    for (let attempt = 0; attempt < CONFLICT_TRIES_MAX; attempt++) {
      if (!this.#isActive) {
        return all(items, refuse(Errors.NOT_CONTROLLER, "This node is not the controller."));
      }
      const { image, config } = metadata;
      const planned = plan({ image, config, random, charge: options.charge });
      const { records, outcomes } = "next" in planned
        ? await inTurns(this.#options.clock, planned)
        : planned;
      if (records.length === 0 || options.validateOnly === true) return [...outcomes];
      if (attempt === 0) await beforeAppend?.(outcomes);
      const appended = await log.append(image.position, records);
      if (appended.ok) {
        await this.#apply(records, appended.position);
        this.#snapshotIfDue();
        return [...outcomes];
      }
      // Also after no answer: what has become of the change the log may know by now.
      const trouble = await this.#tryCatchUp();
      const why = appended.reason === "unavailable" ? appended.message : trouble;
      if (why !== null) return all(items, refuse(Errors.KAFKA_STORAGE_ERROR, why));
    }
    return all(
      items,
      refuse(Errors.KAFKA_STORAGE_ERROR, "The metadata log cannot be appended to."),
    );
  }

  /** Works the image out in turns, and publishes it in one go: nobody sees half a change. */
  async #apply(records: readonly MetadataRecord[], position: number): Promise<void> {
    const { clock, metadata } = this.#options;
    const { image, delta } = await inTurns(clock, metadata.image.applySteps(records, position));
    this.#recordsSinceSnapshot += records.length;
    metadata.publish(image, delta);
    this.#options.recent?.note(records, position);
  }

  #orTimeout<T>(
    change: Promise<Outcome<T>[]>,
    items: number,
    timeoutMs: number,
  ): Promise<Outcome<T>[]> {
    return new Promise((resolve, reject) => {
      const timedOut = refuse(Errors.REQUEST_TIMED_OUT, "The change was not done in time.");
      const timer = this.#options.clock.setTimer(
        Math.max(0, timeoutMs),
        () => resolve(all(items, timedOut)),
      );
      change.finally(() => timer.cancel()).then(resolve, reject);
    });
  }

  /** Why the log cannot be read at the moment, or null. */
  async #tryCatchUp(): Promise<string | null> {
    try {
      await this.#catchUp();
      return null;
    } catch (error) {
      if (error instanceof MetadataUnavailableError) return error.message;
      throw error;
    }
  }

  async #catchUp(): Promise<void> {
    const { log, metadata } = this.#options;
    if (metadata.image.position === 0) await this.#takeSnapshot();
    for (;;) {
      const read = await log.read(metadata.image.position);
      if (read.kind === "gone") {
        await this.#takeSnapshot();
        continue;
      }
      if (read.changes.length === 0) return;
      for (const { records, position } of read.changes) await this.#apply(records, position);
    }
  }

  /** Puts the log's snapshot in place of the image in force. */
  async #takeSnapshot(): Promise<void> {
    const { clock, log, metadata } = this.#options;
    const snapshot = await log.readSnapshot();
    const isNewer = snapshot !== null && snapshot.position > metadata.image.position;
    if (!isNewer) {
      if (metadata.image.position === 0 && snapshot === null) return;
      throw new MetadataFormatError("the changes after the last snapshot are missing");
    }
    this.#recordsInSnapshot = snapshot.records.length;
    const { records, position } = snapshot;
    await inTurns(clock, metadata.replaceSteps(records, position));
    this.#options.recent?.reset(position);
  }

  /**
   * Says that this broker is there and nobody else, and finalizes the features that are new with it, if
   * the log does not say so yet.
   */
  async #registerAlone(rack: string | null): Promise<void> {
    const { metadata } = this.#options;
    const [outcome] = await this.#changeAll(1, {}, ({ image }): Plan<null> => {
      const known = image.brokers.get(metadata.nodeId);
      const wanted = aloneBroker(metadata.nodeId, rack);
      const isCurrent = known !== undefined && known.rack === rack && known.epoch === 0;
      return {
        records: [...isCurrent ? [] : [wanted], ...newFeatures(image)],
        outcomes: [accept(null)],
      };
    });
    if (outcome?.ok === false) {
      throw new OperatorError(
        "cannot write the metadata of the cluster",
        outcome.message,
        "make room on the disk of the data directory, or check it",
      );
    }
  }

  /** Writes a snapshot beside the work, so that the next start reads little. */
  #snapshotIfDue(): void {
    const { logger, metadata } = this.#options;
    const dueAfter = Math.max(SNAPSHOT_RECORDS_MIN, this.#recordsInSnapshot);
    if (this.#snapshot !== null || this.#recordsSinceSnapshot < dueAfter) return;
    this.#recordsSinceSnapshot = 0;
    this.#snapshot = this.#writeSnapshot(metadata.image)
      .catch((error: unknown) => {
        logger.warn("no snapshot of the metadata could be written", { error: String(error) });
      })
      .finally(() => this.#snapshot = null);
  }

  async #writeSnapshot(image: MetadataImage): Promise<void> {
    const { clock, log } = this.#options;
    // The change that made it due is still to be answered in this turn.
    await nextTurn(clock);
    const records = await inTurns(clock, image.toRecordsSteps());
    this.#recordsInSnapshot = records.length;
    await log.writeSnapshot({ position: image.position, records });
  }
}

/** What a change would write; in steps where that may take long. */
type Planner<T> = (context: PlanContext) => Plan<T> | Steps<Plan<T>>;

/** What is to be done between a plan and its writing. */
type BeforeAppend<T> = (outcomes: readonly Outcome<T>[]) => Promise<void>;

function all<T>(items: number, outcome: Outcome<T>): Outcome<T>[] {
  return Array.from({ length: items }, () => outcome);
}
