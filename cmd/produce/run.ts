/** `kstream produce`: lines to records, until the input ends, with a truthful count at the end. */
import type { ClientIo, ClientOptions } from "../../client/options.ts";
import { ConnectionError, KafkaError, TimeoutError } from "../../client/errors.ts";
import { Producer } from "../../client/producer.ts";
import type { BatchReport, TopicWriter } from "../../client/producer.ts";
import { UnknownTopicError } from "../../client/cluster.ts";
import type { Codecs, CompressionName } from "../../core/compression/codec.ts";
import type { Timer } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { missingTopic } from "../client.ts";
import { Feeder, LineError } from "./feeder.ts";
import type { FeedSettings } from "./feeder.ts";
import { LineBlocks } from "./line-blocks.ts";
import type { LineBlock, ReadInto } from "./line-blocks.ts";

/** What the command line asks for. */
export interface ProduceSettings extends FeedSettings {
  readonly topic: string;
  readonly client: ClientOptions;
  readonly acks: 0 | 1 | "all";
  readonly compression: CompressionName;
  readonly codecs: Codecs;
  /** Whether a missing topic may be created. */
  readonly create: boolean;
  /** Until a record that is not acknowledged counts as failed. */
  readonly timeoutMs: number;
  readonly batchBytes?: number;
  readonly lingerMs?: number;
}

/** The outside of the command. */
export interface ProduceIo {
  readonly client: ClientIo;
  /** The inputs, one after the other; opened when their turn comes. */
  readonly inputs: readonly (() => Promise<ReadInto>)[];
  /** Prints a line on stderr. */
  readonly say: (line: string) => void;
  /** Shows how far it is, where a person looks on; null elsewhere. */
  readonly progress: ((text: string) => void) | null;
  /** Aborted by SIGINT: no more input is read, what was read is delivered. */
  readonly signal: AbortSignal;
}

/** How many different reasons of failure are printed. */
const REASONS_MAX = 5;
/** How long a broker gets to make a missing topic. */
const CREATE_TIMEOUT_MS = 10_000;
const PROGRESS_EVERY_MS = 500;

/** Runs the command; resolves to its exit code. Throws `OperatorError` and errors of the client. */
export async function runProduce(settings: ProduceSettings, io: ProduceIo): Promise<number> {
  return await new ProduceRun(settings, io).run();
}

class ProduceRun {
  #acknowledged = 0;
  #failed = 0;
  #unreachable = false;
  #progressTimer: Timer | null = null;
  readonly #reasons = new Set<string>();
  readonly #producer: Producer;
  /** Aborted when the cluster is gone: reading on would only lose more. */
  readonly #giveUp = new AbortController();
  readonly #stop: AbortSignal;

  constructor(readonly settings: ProduceSettings, readonly io: ProduceIo) {
    this.#stop = AbortSignal.any([io.signal, this.#giveUp.signal]);
    this.#producer = new Producer(io.client, {
      ...settings.client,
      acks: settings.acks,
      compression: settings.compression,
      codecs: settings.codecs,
      allowCreate: settings.create,
      deliveryTimeoutMs: settings.timeoutMs,
      ...(settings.batchBytes === undefined ? {} : { batchBytes: settings.batchBytes }),
      ...(settings.lingerMs === undefined ? {} : { lingerMs: settings.lingerMs }),
      onBatch: (report) => this.#count(report),
    });
  }

  async run(): Promise<number> {
    const writer = await this.#openTopic();
    const feeder = new Feeder(writer, this.settings);
    this.#showProgress(feeder);
    let inputError: unknown = null;
    try {
      for (const open of this.io.inputs) {
        if (this.#stop.aborted) break;
        await this.#feedAll(feeder, new LineBlocks(await open()));
      }
    } catch (error) {
      // What was read before it is delivered and counted all the same.
      inputError = error;
    }
    await this.#producer.close();
    this.#progressTimer?.cancel();
    this.io.progress?.("");
    if (inputError instanceof LineError) this.io.say(`kstream: ${inputError.message}`);
    else if (inputError instanceof OperatorError) this.io.say(`kstream: ${inputError.message}`);
    const unread = inputError === null ? "" : ", the rest was not read";
    const leftOut = this.settings.transform === null ? "" : `, left out ${feeder.leftOut}`;
    this.io.say(
      `sent ${feeder.sent}, acknowledged ${this.#acknowledged}, failed ${this.#failed}` +
        leftOut + unread,
    );
    if (
      inputError !== null && !(inputError instanceof LineError) &&
      !(inputError instanceof OperatorError)
    ) {
      throw inputError;
    }
    return this.#exitCode(inputError !== null);
  }

  #exitCode(inputFailed: boolean): number {
    if (this.#failed === 0 && !inputFailed) return 0;
    if (this.#acknowledged > 0) return 4;
    return this.#unreachable ? 3 : 1;
  }

  /** Makes sure of the topic before anything is read. */
  async #openTopic(): Promise<TopicWriter> {
    const { topic, create, partition } = this.settings;
    const { cluster } = this.#producer;
    // A dead broker shows at once, without the patience of retries.
    await cluster.any();
    let created = false;
    try {
      await cluster.topic(topic);
    } catch (error) {
      if (!(error instanceof UnknownTopicError)) throw error;
      if (!create) throw await missingTopic(cluster, topic);
      created = true;
    }
    try {
      const writer = await this.#producer.topic(topic, { timeoutMs: CREATE_TIMEOUT_MS });
      if (created) {
        const count = writer.partitionCount;
        this.io.say(`created topic "${topic}" with ${count} partition${count === 1 ? "" : "s"}`);
      }
      if (partition >= writer.partitionCount) {
        throw new OperatorError(
          `topic "${topic}" has no partition ${partition}`,
          `it has ${writer.partitionCount}`,
          "",
        );
      }
      return writer;
    } catch (error) {
      // The broker was asked to create it, and still does not know it.
      if (created && error instanceof TimeoutError) throw await missingTopic(cluster, topic);
      throw error;
    }
  }

  async #feedAll(feeder: Feeder, blocks: LineBlocks): Promise<void> {
    const { clock } = this.io.client;
    while (!this.#stop.aborted) {
      const block = await this.#orStop(blocks.next());
      if (block === null) break;
      let position = block.start;
      while (position < block.end && !this.#giveUp.signal.aborted) {
        position = feeder.feed(block, position, clock.wallMs());
        if (position < block.end) await this.#orGiveUp(this.#producer.room());
      }
    }
    if (blocks.tooLong > 0) {
      this.#failed += blocks.tooLong;
      feeder.sent += blocks.tooLong;
      const limitMb = Math.round(blocks.lineBytesMax / 1024 / 1024);
      this.io.say(`kstream: ${blocks.tooLong} lines are longer than ${limitMb} MiB`);
    }
  }

  /** The next block, or null as soon as it has to end. */
  #orStop(next: Promise<LineBlock | null>): Promise<LineBlock | null> {
    return raceAbort(next, this.#stop);
  }

  async #orGiveUp(room: Promise<void>): Promise<void> {
    await raceAbort(room, this.#giveUp.signal);
  }

  #count({ recordCount, error }: BatchReport): void {
    if (error === null) {
      this.#acknowledged += recordCount;
      return;
    }
    this.#failed += recordCount;
    if (error instanceof TimeoutError || error instanceof ConnectionError) {
      this.#unreachable = true;
      this.#giveUp.abort(error);
    } else if (!(error instanceof KafkaError)) {
      this.#giveUp.abort(error);
    }
    if (this.#reasons.has(error.message) || this.#reasons.size >= REASONS_MAX) return;
    this.#reasons.add(error.message);
    this.io.progress?.("");
    this.io.say(`kstream: ${error.message}`);
  }

  /** Now and then, so that it is right also while no input comes. */
  #showProgress(feeder: Feeder): void {
    const { progress } = this.io;
    if (progress === null) return;
    this.#progressTimer = this.io.client.clock.setTimer(PROGRESS_EVERY_MS, () => {
      progress(
        `sent ${feeder.sent}, acknowledged ${this.#acknowledged}, failed ${this.#failed}`,
      );
      this.#showProgress(feeder);
    });
  }
}

/** The promise's value, or null once the signal is aborted. */
function raceAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | null> {
  if (signal.aborted) return Promise.resolve(null);
  return new Promise((resolve, reject) => {
    const onAbort = () => resolve(null);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
