/**
 * Records first, offsets behind them: what a source has read is stored once it is acknowledged with
 * all before it. After a crash what lies between comes again.
 */
import type { Producer } from "../../client/producer.ts";
import type { DeliveryCallback } from "../../client/producer/batch.ts";
import { asError } from "../../core/as-error.ts";
import type { Clock, Timer } from "../../core/io.ts";
import { sourceRecord } from "../data/record.ts";
import type { PartialSourceRecord, SourceRecord } from "../data/record.ts";
import type { OffsetStore } from "../offsets/offset-store.ts";
import type { RecordSender } from "./record-sender.ts";
import { isForRecordAlone } from "./source-delivery.ts";
import type { DeliveryListener, SourceDelivery } from "./source-delivery.ts";
import { SubmittedBatches } from "./submitted-batches.ts";
import type { SubmittedBatch } from "./submitted-batches.ts";

export interface AtLeastOnceOptions {
  readonly connector: string;
  readonly clock: Clock;
  readonly producer: Producer;
  readonly sender: RecordSender;
  readonly offsets: OffsetStore;
  readonly flushIntervalMs: number;
  readonly listener: DeliveryListener;
}

/** See the head of the file. */
export class AtLeastOnceDelivery implements SourceDelivery {
  readonly #options: AtLeastOnceOptions;
  readonly #submitted: SubmittedBatches;
  /** Dead letters on their way. */
  readonly #refusing = new Set<Promise<void>>();
  #lost: Error | null = null;
  #timer: Timer | null = null;
  #storing: Promise<void> = Promise.resolve();
  #records = 0;
  #commits = 0;

  constructor(options: AtLeastOnceOptions) {
    this.#options = options;
    this.#submitted = new SubmittedBatches((safe) => options.listener.acknowledged(safe));
  }

  begin(): Promise<void> {
    this.#arm();
    return Promise.resolve();
  }

  async take(records: readonly PartialSourceRecord[]): Promise<void> {
    const batch = this.#submitted.begin();
    const settled: DeliveryCallback = (error, offset, _timestampMs, index) => {
      if (error === null) {
        this.#options.listener.written(records[index]!, offset);
        return batch.settled();
      }
      // What is lost must not be passed over: the batch is never done, and the task fails.
      if (!isForRecordAlone(error)) return this.#fail(error);
      this.#refuse(sourceRecord(records[index]!), error, batch);
    };
    for (const [index, partial] of records.entries()) {
      const record = sourceRecord(partial);
      const { sourcePartition, sourceOffset } = record;
      if (sourcePartition !== null) batch.offsets.add(sourcePartition, sourceOffset);
      batch.sent();
      const sent = this.#options.sender.send(record, settled, index);
      if (typeof sent === "boolean" ? !sent : !(await sent)) batch.settled();
    }
    this.#records += records.length;
    batch.settled();
  }

  /** Has a record left out, or the task fail, as its config says. */
  #refuse(record: SourceRecord, error: Error, batch: SubmittedBatch): void {
    const refusing = this.#options.sender.refused(record, error).then(
      () => batch.settled(),
      (failure: unknown) => this.#fail(asError(failure)),
    ).finally(() => this.#refusing.delete(refusing));
    this.#refusing.add(refusing);
  }

  #fail(error: Error): void {
    this.#lost ??= error;
    this.#options.listener.lost(error);
  }

  async finish(): Promise<void> {
    this.#timer?.cancel();
    await this.#options.producer.flush();
    await Promise.all(this.#refusing);
    await this.#store();
    if (this.#lost !== null) throw this.#lost;
  }

  abandon(reason: Error): void {
    this.#timer?.cancel();
    this.#options.producer.abort(reason);
  }

  figures(): Readonly<Record<string, number>> {
    return {
      "source-record-poll-total": this.#records,
      "source-record-active-batches": this.#submitted.size,
      "offset-commit-total": this.#commits,
    };
  }

  #arm(): void {
    this.#timer = this.#options.clock.setTimer(this.#options.flushIntervalMs, () => {
      this.#store().then(() => this.#arm(), (error: unknown) => this.#fail(asError(error)));
    });
  }

  /** One after the other, so that an older offset never comes last. */
  #store(): Promise<void> {
    const mine = this.#storing.then(() => this.#storeDone());
    this.#storing = mine.catch(() => {});
    return mine;
  }

  async #storeDone(): Promise<void> {
    const done = this.#submitted.takeDone();
    if (done.size === 0) return;
    const { connector, offsets, listener } = this.#options;
    await offsets.set(connector, done.list());
    this.#commits++;
    await listener.committed(done);
  }
}
