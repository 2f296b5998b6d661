/**
 * Records and the offsets behind them in one transaction (KIP-618), of a producer whose name is the
 * task's: beginning fences whoever did this task before, so that of what it had not committed nothing
 * stays.
 *
 *     begin ─▶ take ─▶ … ─▶ commit: records, offsets ─▶ committed ─▶ take …
 *
 * With the boundary `poll` each batch is a transaction; with `interval` all that comes in one.
 */
import type { Producer } from "../../client/producer.ts";
import type { Clock, Timer } from "../../core/io.ts";
import { sourceRecord } from "../data/record.ts";
import type { PartialSourceRecord } from "../data/record.ts";
import type { TransactionalOffsets } from "../offsets/offset-store.ts";
import { Mutex } from "./mutex.ts";
import type { RecordSender } from "./record-sender.ts";
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

/** See the head of the file. */
export class ExactlyOnceDelivery implements SourceDelivery {
  readonly #options: ExactlyOnceOptions;
  /** A commit never overtakes a batch that is being taken. */
  readonly #inTurn = new Mutex();
  #hasBegun = false;
  #pending: LatestOffsets | null = null;
  #timer: Timer | null = null;
  #lost: Error | null = null;
  #records = 0;
  #transactions = 0;

  constructor(options: ExactlyOnceOptions) {
    this.#options = options;
  }

  async begin(): Promise<void> {
    if (this.#hasBegun) return;
    await this.#options.producer.transactions.init();
    this.#hasBegun = true;
  }

  async take(records: readonly PartialSourceRecord[]): Promise<void> {
    await this.#inTurn.run(async () => {
      await this.#send(records);
      if (this.#options.intervalMs === 0) await this.#commit();
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

  async #send(records: readonly PartialSourceRecord[]): Promise<void> {
    const { producer, sender } = this.#options;
    if (this.#pending === null) {
      producer.transactions.begin();
      this.#pending = new LatestOffsets();
    }
    const settled = (error: Error | null) => {
      if (error !== null) this.#lost ??= error;
    };
    for (const partial of records) {
      const record = sourceRecord(partial);
      const { sourcePartition, sourceOffset } = record;
      if (sourcePartition !== null) this.#pending.add(sourcePartition, sourceOffset);
      const sent = sender.send(record, settled, 0);
      if (typeof sent !== "boolean") await sent;
    }
    this.#records += records.length;
  }

  #commitLater(): void {
    this.#timer ??= this.#options.clock.setTimer(this.#options.intervalMs, () => {
      this.finish().catch((error: unknown) =>
        this.#options.listener.lost(error instanceof Error ? error : new Error(String(error)))
      );
    });
  }

  async #commit(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = null;
    const pending = this.#pending;
    if (pending === null) return;
    const { connector, producer, offsets, listener } = this.#options;
    const entries = offsets.entries(connector, pending.list());
    const { topic } = offsets;
    await producer.sendAll(entries.map((entry) => ({ topic, ...entry })));
    await producer.flush();
    if (this.#lost !== null) throw this.#lost;
    await producer.transactions.commit();
    this.#pending = null;
    this.#transactions++;
    listener.acknowledged(pending);
    await listener.committed(pending);
  }
}
