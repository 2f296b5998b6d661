/** `kstream produce`: input to records, until it ends, with a truthful count at the end. */
import { UnknownPartitionError } from "../../client/errors.ts";
import type { ClientIo, ClientOptions } from "../../client/options.ts";
import { Producer } from "../../client/producer.ts";
import type { ProducerOptions, TopicWriter } from "../../client/producer.ts";
import type { Codecs, CompressionName } from "../../core/compression/codec.ts";
import { type Clock, sleep } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { nullIfAborted, rejectIfAborted } from "../../core/unless-aborted.ts";
import { BadRecords, InputError } from "./bad-records.ts";
import type { OnError } from "./bad-records.ts";
import { Delivery } from "./delivery.ts";
import { INGEST_TOPIC } from "./ingest-topic.ts";
import { Feeder } from "../../core/text/feeder.ts";
import type { FeedHooks, FeedSettings } from "../../core/text/feeder.ts";
import { FramingError } from "../../core/text/framing.ts";
import type { Ingest, SavedIngest } from "./ingest.ts";
import { ReplacedInputError } from "./inputs.ts";
import type { OpenInput, OpenInputs } from "./inputs.ts";
import { openTopic } from "./open-topic.ts";
import { Progress } from "../progress.ts";
import { RECORD_BYTES_MAX, RecordBlocks } from "../../core/text/record-blocks.ts";
import type { RecordBlock } from "../../core/text/record-blocks.ts";

/** What the command line asks for. */
export interface ProduceSettings extends FeedSettings {
  readonly topic: string;
  readonly client: ClientOptions;
  readonly acks: 0 | 1 | "all";
  readonly compression: CompressionName;
  /** All of them where positions are read back. */
  readonly codecs: Codecs;
  /** Whether a missing topic may be created. */
  readonly create: boolean;
  readonly waitTopic: boolean;
  /** Until a record that is not acknowledged counts as failed. */
  readonly timeoutMs: number;
  readonly batchBytes?: number;
  readonly lingerMs?: number;
  readonly onError: OnError;
  /** The name under which it goes on where it was left, or null. */
  readonly resume: string | null;
  /** With it, how long what was read may wait to be committed. */
  readonly commitMs: number;
  /** Whether what is saved under that name doesn't count. */
  readonly fromStart: boolean;
}

/** The outside of the command. */
export interface ProduceIo {
  readonly client: ClientIo;
  readonly inputs: OpenInputs;
  /** Bytes of all inputs together, null where that is not known. */
  readonly totalBytes: number | null;
  /** Prints a line on stderr. */
  readonly say: (line: string) => void;
  /** Takes the counts at the end. */
  readonly counted?: (counts: ProduceCounts) => void;
  /** Shows how far it is, where a person looks on; null elsewhere. */
  readonly progress: ((text: string) => void) | null;
  /** Aborted by SIGINT: no more input is read, what was read is delivered. */
  readonly signal: AbortSignal;
}

/** What has become of the input, as in docs/json.md. */
export interface ProduceCounts {
  readonly topic: string;
  readonly sent: number;
  readonly acknowledged: number;
  readonly failed: number;
  readonly leftOut: number;
  readonly skipped: number;
  readonly deadLetters: number;
  /** Whether the input was read to its end. */
  readonly complete: boolean;
}

/** A batch with one record of this size may be larger than a topic takes. */
const LARGE_BYTES = 64 * 1024;
/** What a batch has besides key and value of its only record, about. */
const BATCH_OVERHEAD_BYTES = 80;
/** Transactions end after so much, if not before. */
/** Whoever is killed holds up readers of committed records for so long, unless it is started again. */
const TRANSACTION_TIMEOUT_MS = 30_000;
/** How long it is tried to abort a transaction that has failed. */
const ABORT_PATIENCE_MS = 2000;
const COMMIT_EVERY_BYTES = 16 * 1024 * 1024;

/** Runs the command; resolves to its exit code. Throws `OperatorError` and errors of the client. */
export async function runProduce(settings: ProduceSettings, io: ProduceIo): Promise<number> {
  return await new ProduceRun(settings, io).run();
}

class ProduceRun {
  readonly #delivery: Delivery;
  readonly #producer: Producer;
  readonly #stop: AbortSignal;
  #bad: BadRecords | null = null;
  #ingest: Ingest | null = null;
  /** What is taken and not committed. */
  #uncommitted: SavedIngest | null = null;
  #uncommittedSinceMs = 0;
  #uncommittedBytes = 0;
  /** Bytes of all inputs that were taken. */
  #bytes = 0;

  constructor(readonly settings: ProduceSettings, readonly io: ProduceIo) {
    const { topic, onError, resume } = settings;
    const deadLetterTopic = onError.kind === "dlq" ? onError.topic : null;
    this.#delivery = new Delivery(topic, deadLetterTopic, resume !== null, this.#say);
    this.#stop = AbortSignal.any([io.signal, this.#delivery.giveUp]);
    this.#producer = new Producer(io.client, producerOptions(settings, this.#delivery));
  }

  async run(): Promise<number> {
    const feeder = await this.#open();
    const progress = this.#showProgress(feeder);
    let inputError: unknown = null;
    try {
      await this.#feedInputs(feeder);
      await this.#commit();
    } catch (error) {
      // What was read before it is delivered and counted all the same.
      inputError = await this.#afterFailure(error);
    }
    await this.#close(inputError);
    progress.stop();
    return this.#report(feeder, inputError);
  }

  /** Of an input that fails, what comes before is committed; of a transaction that fails, nothing. */
  async #afterFailure(error: unknown): Promise<unknown> {
    if (this.#ingest === null) return error;
    if (!(error instanceof InputError)) return this.#ingest.explained(error);
    try {
      await this.#commit();
      return error;
    } catch (worse) {
      return worse;
    }
  }

  async #close(error: unknown): Promise<void> {
    if (this.#ingest === null) return await this.#producer.close();
    if (error !== null && !(error instanceof InputError)) {
      // Readers of committed records wait for open transactions; the next run would end it, too.
      const patience = sleep(this.io.client.clock, ABORT_PATIENCE_MS);
      await Promise.race([this.#producer.transactions.abort(), patience]).catch(() => {});
    }
    this.#producer.abort(new Error("closed"));
  }

  #report(feeder: Feeder, error: unknown): number {
    const { acknowledged, failed, deadLetters } = this.#delivery;
    const skipped = this.#bad?.skipped ?? 0;
    const isKnown = isInputError(error);
    if (isKnown) this.io.say(`kstream: ${error.message}`);
    if (isKnown && error.excerpt !== "") this.io.say(error.excerpt);
    const { onError, transform, resume, topic } = this.settings;
    const lost = resume === null ? failed : feeder.sent - acknowledged;
    this.io.counted?.({
      ...{ topic, sent: feeder.sent, acknowledged, failed: lost, leftOut: feeder.leftOut },
      ...{ skipped: onError.kind === "skip" ? skipped : 0, deadLetters },
      complete: error === null && !this.io.signal.aborted,
    });
    const counts = [
      `sent ${feeder.sent}`,
      `acknowledged ${acknowledged}`,
      `failed ${lost}`,
      ...(transform === null ? [] : [`left out ${feeder.leftOut}`]),
      ...(onError.kind === "skip" ? [`skipped ${skipped}`] : []),
      ...(onError.kind === "dlq" ? [`dead letters ${deadLetters}`] : []),
      ...(error === null ? [] : ["the rest was not read"]),
      ...(error === null && this.io.signal.aborted ? ["interrupted"] : []),
    ];
    this.io.say(counts.join(", "));
    if (error !== null && !isKnown) throw error;
    const incomplete = error !== null || lost > 0 ||
      (onError.kind === "skip" && skipped > 0);
    if (!incomplete) return 0;
    if (acknowledged > 0) return 4;
    return this.#delivery.unreachable ? 3 : 1;
  }

  readonly #say = (line: string): void => {
    this.io.progress?.("");
    this.io.say(line);
  };

  /** Makes sure of the topics, and of where to go on, before anything is read. */
  async #open(): Promise<Feeder> {
    const { settings, io } = this;
    const { topic, onError, partition, create, waitTopic: wait, resume } = settings;
    const options = { create, signal: io.signal, say: this.#say };
    const writer = await openTopic(this.#producer, topic, { ...options, wait });
    if (partition >= writer.partitionCount) {
      throw new UnknownPartitionError(topic, partition, writer.partitionCount);
    }
    const deadLetters = onError.kind === "dlq"
      ? await openTopic(this.#producer, onError.topic, { ...options, wait: false })
      : null;
    this.#bad = new BadRecords(onError, deadLetters, topic, io.client.clock, this.#say);
    if (resume !== null) await this.#openIngest(resume);
    return new Feeder(writer, settings, await this.#hooks(writer, this.#bad));
  }

  async #openIngest(name: string): Promise<void> {
    const { Ingest } = await import("./ingest.ts");
    const { client, codecs, topic, fromStart } = this.settings;
    const io = { client: this.io.client, say: this.#say };
    const opening = Ingest.open(name, this.#producer, io, client, codecs);
    this.#ingest = await rejectIfAborted(opening, this.io.signal);
    const { saved } = this.#ingest;
    if (saved === null || fromStart || saved.topic === topic) return;
    throw new OperatorError(
      `"${name}" writes to topic "${saved.topic}", not to "${topic}"`,
      "",
      "choose another name, or start over with --from-start",
      1,
    );
  }

  async #hooks({ topic }: TopicWriter, bad: BadRecords): Promise<FeedHooks> {
    const { onError, resume } = this.settings;
    // Where the broker's refusal comes too late it is foretold.
    const refuseLarge = resume !== null || onError.kind !== "stop";
    const limit = refuseLarge ? await this.#recordBytesMax(topic) : null;
    return {
      largeBytes: limit ?? LARGE_BYTES,
      refuseLarge: limit !== null,
      bad: (record, place, error) => bad.take(record, place, error),
      refused: (place, error) => this.#delivery.explain(error.message, place),
    };
  }

  async #recordBytesMax(topic: string): Promise<number | null> {
    const { Admin } = await import("../../client/admin.ts");
    const admin = new Admin(this.io.client, this.settings.client);
    const names = ["max.message.bytes"];
    try {
      const [config] = await admin.describeConfigs({ type: "topic", name: topic }, { names });
      const limit = Number(config?.value ?? NaN);
      return Number.isSafeInteger(limit) ? Math.max(1, limit - BATCH_OVERHEAD_BYTES) : null;
    } catch {
      // Who may write need not see the configs; then the broker says it.
      return null;
    } finally {
      admin.close();
    }
  }

  async #feedInputs(feeder: Feeder): Promise<void> {
    let saved = this.settings.fromStart ? null : this.#ingest?.saved ?? null;
    if (saved !== null) this.#say(`kstream: going on at byte ${saved.at.position}`);
    try {
      for await (const input of this.io.inputs(saved?.at ?? null)) {
        if (this.#stop.aborted) break;
        if (input.startAt === 0) feeder.begin(input.name);
        else feeder.begin(input.name, saved?.passed ?? 0, saved?.header ?? null);
        saved = null;
        this.#bytes += input.startAt;
        await this.#feedInput(feeder, input);
        if (this.#stop.aborted) break;
      }
    } catch (error) {
      if (!(error instanceof ReplacedInputError)) throw error;
      throw new OperatorError(
        `the input is not the one that "${this.settings.resume}" was reading`,
        error.message,
        "--from-start takes it from its start",
        1,
      );
    }
  }

  async #feedInput(feeder: Feeder, input: OpenInput): Promise<void> {
    const { clock } = this.io.client;
    const blocks = new RecordBlocks(input.read, this.settings.framing, input.startAt);
    for (;;) {
      const block = await this.#nextBlock(feeder, blocks);
      if (block === null) return;
      for (let i = 0; i < block.tooLong; i++) this.#tooLong(feeder);
      let position = block.start;
      try {
        while (position < block.end && !this.#delivery.giveUp.aborted) {
          position = feeder.feed(block, position, clock.wallMs());
          if (position < block.end) await this.#orGiveUp(this.#producer.room());
        }
      } catch (error) {
        if (error instanceof InputError) position = feeder.stoppedAt;
        throw error;
      } finally {
        const taken = Math.min(position, block.end) - block.start;
        this.#bytes += taken;
        this.#took(feeder, input, block.inputOffset + taken, taken);
      }
      if (this.#uncommittedBytes >= COMMIT_EVERY_BYTES || this.#commitInMs() <= 0) {
        await this.#commit();
      }
    }
  }

  /** The next block, or null at the end or as soon as it has to stop; commits while it waits. */
  async #nextBlock(feeder: Feeder, blocks: RecordBlocks): Promise<RecordBlock | null> {
    const { clock } = this.io.client;
    const next = blocks.next().catch((error: unknown) => {
      if (error instanceof FramingError) {
        throw new InputError(`${feeder.place()}: ${error.message}`);
      }
      throw error;
    });
    while (this.#uncommitted !== null) {
      const block = await firstOf(next, clock, this.#commitInMs(), this.#stop);
      if (block !== "late") return block;
      await this.#commit();
    }
    return await nullIfAborted(next, this.#stop);
  }

  /** When the open transaction is to be committed; Infinity if nothing is in it. */
  #commitInMs(): number {
    if (this.#uncommitted === null) return Infinity;
    const { clock } = this.io.client;
    return this.#uncommittedSinceMs + this.settings.commitMs - clock.monotonicMs();
  }

  #tooLong(feeder: Feeder): void {
    const limitMb = Math.round(RECORD_BYTES_MAX / 1024 / 1024);
    this.#say(`kstream: ${feeder.place()} is longer than ${limitMb} MiB`);
    this.#delivery.failed++;
    feeder.sent++;
    feeder.pass();
  }

  /** Remembers up to where the input is taken. */
  #took(feeder: Feeder, input: OpenInput, position: number, bytes: number): void {
    if (this.#ingest === null) return;
    if (this.#uncommitted === null) this.#uncommittedSinceMs = this.io.client.clock.monotonicMs();
    this.#uncommittedBytes += bytes;
    this.#uncommitted = {
      topic: this.settings.topic,
      input: input.name,
      at: input.position(position),
      passed: feeder.passed,
      header: feeder.header,
    };
  }

  /** Ends the transaction with everything that was taken. */
  async #commit(): Promise<void> {
    if (this.#ingest === null || this.#uncommitted === null) return;
    const position = this.#uncommitted;
    await this.#ingest.commit(position);
    this.#uncommitted = null;
    this.#uncommittedBytes = 0;
    this.#delivery.committed();
  }

  async #orGiveUp(room: Promise<void>): Promise<void> {
    await nullIfAborted(room, this.#delivery.giveUp);
  }

  #showProgress(feeder: Feeder): Progress {
    const { client, totalBytes, progress } = this.io;
    return new Progress(client.clock, progress, () => ({
      ...{ done: this.#bytes, total: totalBytes, bytes: this.#bytes, records: feeder.sent },
      counts: [
        `sent ${feeder.sent}`,
        `acknowledged ${this.#delivery.acknowledged}`,
        `failed ${this.#delivery.failed}`,
      ],
    }));
  }
}

function producerOptions(settings: ProduceSettings, delivery: Delivery): ProducerOptions {
  const { batchBytes, lingerMs, resume } = settings;
  return {
    ...settings.client,
    acks: settings.acks,
    compression: settings.compression,
    codecs: settings.codecs,
    allowCreate: settings.create,
    deliveryTimeoutMs: settings.timeoutMs,
    ...(batchBytes === undefined ? {} : { batchBytes }),
    ...(lingerMs === undefined ? {} : { lingerMs }),
    ...(resume === null ? {} : {
      transactionalId: `${INGEST_TOPIC}-${resume}`,
      transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
    }),
    onBatch: (report) => delivery.count(report),
  };
}

/** What is said in a line and counted; anything else is for whoever runs the command. */
function isInputError(error: unknown): error is InputError | OperatorError {
  return error instanceof InputError || error instanceof OperatorError;
}

/** The promise's value, null once the signal is aborted, `"late"` after the delay. */
async function firstOf<T>(
  promise: Promise<T>,
  clock: Clock,
  delayMs: number,
  signal: AbortSignal,
): Promise<T | null | "late"> {
  const { promise: late, resolve } = Promise.withResolvers<"late">();
  const timer = clock.setTimer(Math.max(0, delayMs), () => resolve("late"));
  try {
    return await Promise.race([nullIfAborted(promise, signal), late]);
  } finally {
    timer.cancel();
  }
}
