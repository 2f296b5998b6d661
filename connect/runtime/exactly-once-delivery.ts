/**
 * Records and the offsets behind them in one transaction (KIP-618), of a producer whose name is the
 * task's: beginning fences whoever did this task before, so that of what it had not committed nothing
 * stays.
 *
 *     begin ─▶ take ─▶ … ─▶ commit: records, offsets ─▶ committed ─▶ take …
 *
 * With the boundary `poll` each batch is a transaction; with `interval` all that comes in one.
 *
 * A record that brokers find too large spoils its transaction. Where such records are left out, what
 * a transaction has is kept: it is aborted and made anew without the record.
 */
import type { Producer } from "../../client/producer.ts";
import type { DeliveryCallback } from "../../client/producer/batch.ts";
import { asError } from "../../core/as-error.ts";
import type { Clock, Timer } from "../../core/io.ts";
import { sourceRecord } from "../data/record.ts";
import type { PartialSourceRecord, SourceRecord } from "../data/record.ts";
import type { TransactionalOffsets } from "../offsets/offset-store.ts";
import { Mutex } from "../../core/mutex.ts";
import type { RecordSender } from "./record-sender.ts";
import { isForRecordAlone } from "./source-delivery.ts";
import type { DeliveryListener, SourceDelivery } from "./source-delivery.ts";
import { LatestOffsets } from "./submitted-batches.ts";

export interface ExactlyOnceOptions {
  readonly connector: string;
  readonly clock: Clock;
  readonly producer: Producer;
  readonly sender: RecordSender;
  readonly offsets: TransactionalOffsets;
  /** 0: each batch is a transaction. */
  readonly intervalMs: number;
  readonly listener: DeliveryListener;
}

/** Where records are kept to be sent again, a transaction with so many ends before its time. */
const KEPT_RECORDS_MAX = 20_000;

/** See the head of the file. */
export class ExactlyOnceDelivery implements SourceDelivery {
  readonly #options: ExactlyOnceOptions;
  readonly #keeps: boolean;
  /** A commit never overtakes a batch that is being taken. */
  readonly #inTurn = new Mutex();
  #hasBegun = false;
  #pending: LatestOffsets | null = null;
  /**
   * Records of the open transaction: those that are to be sent, and where records may be left out,
   * all. Null: left out.
   */
  #kept: (SourceRecord | null)[] = [];
  /** How many of `#kept` were sent. */
  #sent = 0;
  /** Those of `#kept` that brokers refuse, by their places there. */
  readonly #refused = new Map<number, Error>();
  #timer: Timer | null = null;
  #lost: Error | null = null;
  #records = 0;
  #transactions = 0;

  constructor(options: ExactlyOnceOptions) {
    this.#options = options;
    this.#keeps = options.sender.policy.tolerates;
  }

  async begin(): Promise<void> {
    if (this.#hasBegun) return;
    await this.#options.producer.transactions.init();
    this.#hasBegun = true;
  }

  async take(records: readonly PartialSourceRecord[]): Promise<void> {
    await this.#inTurn.run(async () => {
      this.#add(records);
      await this.#without(() => this.#send());
      this.#records += records.length;
      const isFull = this.#kept.length >= KEPT_RECORDS_MAX;
      if (this.#options.intervalMs === 0 || isFull) await this.#commit();
      else this.#commitLater();
    });
  }

  async finish(): Promise<void> {
    await this.#inTurn.run(() => this.#commit());
  }

  abandon(reason: Error): void {
    this.#timer?.cancel();
    // The transaction stays open until the coordinator, or the next producer of this name, aborts it.
    this.#options.producer.abort(reason);
  }

  figures(): Readonly<Record<string, number>> {
    return {
      "source-record-poll-total": this.#records,
      "transaction-total": this.#transactions,
    };
  }

  /** Does it; as often as brokers have refused a record in it, again without that. */
  async #without(body: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await body();
      } catch (error) {
        // The batch behind one that is refused may have failed before it, being out of order then.
        await this.#options.producer.flush();
        if (this.#refused.size === 0) throw this.#lost ?? error;
        await this.#beginAgain();
      }
    }
  }

  /** Aborts; what was sent is to be sent again, without what is refused. */
  async #beginAgain(): Promise<void> {
    const { producer, sender } = this.#options;
    await producer.transactions.abort();
    for (const [index, error] of this.#refused) {
      const record = this.#kept[index] ?? null;
      if (record !== null) await sender.refused(record, error);
      this.#kept[index] = null;
    }
    this.#refused.clear();
    this.#lost = null;
    this.#sent = 0;
    producer.transactions.begin();
  }

  #add(records: readonly PartialSourceRecord[]): void {
    if (this.#pending === null) {
      this.#options.producer.transactions.begin();
      this.#pending = new LatestOffsets();
    }
    for (const partial of records) {
      const record = sourceRecord(partial);
      const { sourcePartition, sourceOffset } = record;
      // Also of those that are left out, so that they do not come again.
      if (sourcePartition !== null) this.#pending.add(sourcePartition, sourceOffset);
      this.#kept.push(record);
    }
  }

  async #send(): Promise<void> {
    const { sender, listener } = this.#options;
    const kept = this.#kept;
    const settled: DeliveryCallback = (error, offset, _timestampMs, index) => {
      if (error === null) {
        const record = kept[index] ?? null;
        if (record !== null) listener.written(record, offset);
        return;
      }
      if (!isForRecordAlone(error)) this.#lost ??= error;
      else if (this.#keeps) this.#refused.set(index, error);
      else this.#lost = error;
    };
    while (this.#sent < this.#kept.length) {
      const index = this.#sent++;
      const record = this.#kept[index] ?? null;
      if (record === null) continue;
      const sent = sender.send(record, settled, index);
      if (!(typeof sent === "boolean" ? sent : await sent)) this.#kept[index] = null;
    }
    if (!this.#keeps) this.#forget();
  }

  #forget(): void {
    this.#kept = [];
    this.#sent = 0;
  }

  #commitLater(): void {
    this.#timer ??= this.#options.clock.setTimer(this.#options.intervalMs, () => {
      this.finish().catch((error: unknown) => this.#options.listener.lost(asError(error)));
    });
  }

  async #commit(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = null;
    const pending = this.#pending;
    if (pending === null) return;
    await this.#without(() => this.#commitOnce(pending));
    this.#forget();
    this.#pending = null;
    this.#transactions++;
    const { connector, listener, offsets } = this.#options;
    listener.acknowledged(pending);
    offsets.after?.(connector, pending.list());
    await listener.committed(pending);
  }

  async #commitOnce(pending: LatestOffsets): Promise<void> {
    const { connector, producer, offsets } = this.#options;
    await this.#send();
    const { topic } = offsets;
    const stored = pending.list();
    await offsets.before?.(connector, stored);
    const entries = offsets.entries(connector, stored);
    await producer.sendAll(entries.map((entry) => ({ topic, ...entry })));
    await producer.flush();
    if (this.#lost !== null) throw this.#lost;
    await producer.transactions.commit();
  }
}
