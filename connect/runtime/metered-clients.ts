/** The clients of a task, measured. */
import { Consumer } from "../../client/consumer.ts";
import type { FetchedChunk } from "../../client/consumer.ts";
import type { ConsumerOptions } from "../../client/consumer/options.ts";
import type { ClientIo } from "../../client/options.ts";
import type { DeliveryCallback } from "../../client/producer/batch.ts";
import type { OffsetStore } from "../offsets/offset-store.ts";
import type { SourceRecord } from "../data/record.ts";
import type { TaskMeter } from "./task-meter.ts";
import { RecordSender } from "./record-sender.ts";

const COMMIT = "offset-commit-*-time-ms";

/** Counts records that are in the topic. */
export class MeteredSender extends RecordSender {
  readonly #meter: TaskMeter;
  /** What hears of records of this batch, and what counts them before it does. */
  #last: readonly [heard: DeliveryCallback, counted: DeliveryCallback] | null = null;

  constructor(meter: TaskMeter, ...parts: ConstructorParameters<typeof RecordSender>) {
    super(...parts);
    this.#meter = meter;
    meter.count("source-record-write", 0);
  }

  override send(
    record: SourceRecord,
    settled: DeliveryCallback,
    token: number,
  ): boolean | Promise<boolean> {
    if (this.#last?.[0] !== settled) {
      const counted: DeliveryCallback = (error, ...rest) => {
        if (error === null) this.#meter.count("source-record-write", 1);
        settled(error, ...rest);
      };
      this.#last = [settled, counted];
    }
    return super.send(record, this.#last[1], token);
  }
}

/** Knows how long commits take, and how far behind it is. */
export class MeteredConsumer extends Consumer {
  readonly #meter: TaskMeter;
  /** By topic and partition; bounded by what is assigned. */
  readonly #lags = new Map<string, number>();

  constructor(meter: TaskMeter, io: ClientIo, options: ConsumerOptions) {
    super(io, options);
    this.#meter = meter;
    meter.count("offset-commit-completion", 0);
  }

  override async commit(...offsets: Parameters<Consumer["commit"]>): Promise<void> {
    await this.#meter.time(COMMIT, () => super.commit(...offsets));
    this.#meter.count("offset-commit-completion", 1);
  }

  override async nextChunk(signal?: AbortSignal): Promise<FetchedChunk | null> {
    const chunk = await super.nextChunk(signal);
    if (chunk !== null) {
      const { topic, partition, highWatermark, nextOffset } = chunk;
      this.#lags.set(`${topic}-${partition}`, Math.max(0, highWatermark - nextOffset));
    }
    return chunk;
  }

  /** Records behind what was fetched last, of the partition that is furthest behind. */
  lagMax(): number {
    const here = new Set(this.assignment().map((one) => `${one.topic}-${one.partition}`));
    for (const key of this.#lags.keys()) if (!here.has(key)) this.#lags.delete(key);
    return Math.max(0, ...this.#lags.values());
  }
}

/** Knows how long it takes to store offsets. */
export function meteredOffsets(offsets: OffsetStore, meter: TaskMeter): OffsetStore {
  return {
    get: (connector, partitions) => offsets.get(connector, partitions),
    list: (connector) => offsets.list(connector),
    set: (connector, stored) => meter.time(COMMIT, () => offsets.set(connector, stored)),
    transactional: offsets.transactional,
    close: () => offsets.close(),
  };
}
