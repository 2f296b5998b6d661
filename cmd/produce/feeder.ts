import type { TopicWriter } from "../../client/producer/topic-writer.ts";
import type { RecordPlace, RecordSource } from "../../core/expression/expression.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { EnvelopeError, parseEnvelope } from "../envelope.ts";
import type { HeaderEntry } from "../envelope.ts";
import type { KeyAndValue, TransformRecord } from "../expressions.ts";
import type { LineBlock } from "./line-blocks.ts";

/** How lines become records. */
export interface FeedSettings {
  readonly format: "lines" | "json";
  /** −1: the partitioner chooses. */
  readonly partition: number;
  /** What stands between key and value; null: all is value. */
  readonly keyDelimiter: Uint8Array | null;
  /** Set on every record. */
  readonly headers: readonly HeaderEntry[];
  /** Leaves records out and changes them; null: all as they are. */
  readonly transform: TransformRecord | null;
}

/** A line cannot become a record; the message names it by its number. */
export class LineError extends Error {
  override readonly name = "LineError";
}

const NEWLINE = 10;

/** Gives lines to a producer as records: their bytes, never changed. */
export class Feeder {
  /** Records given to the producer. */
  sent = 0;
  /** Lines that `--where` has left out. */
  leftOut = 0;
  readonly #delimiter: Buffer | null;

  constructor(readonly writer: TopicWriter, readonly settings: FeedSettings) {
    this.#delimiter = settings.keyDelimiter === null ? null : Buffer.from(settings.keyDelimiter);
  }

  /**
   * Takes lines from `from` on; returns the position behind the last one that was taken, which is
   * before the end of the block if the producer's buffer is full. Throws `LineError`.
   */
  feed(block: LineBlock, from: number, timestampMs: number): number {
    if (this.settings.format === "json") return this.#feedEnvelopes(block, from, timestampMs);
    if (this.settings.headers.length > 0 || this.settings.transform !== null) {
      return this.#feedViews(block, from, timestampMs);
    }
    return this.#delimiter === null
      ? this.#feedValues(block, from, timestampMs)
      : this.#feedPairs(block, from, timestampMs, this.#delimiter);
  }

  /** The fast way: nothing is allocated per line. */
  #feedValues({ bytes, end }: LineBlock, from: number, timestampMs: number): number {
    const { partition } = this.settings;
    let position = from;
    while (position < end) {
      const lineEnd = lineEndAt(bytes, position, end);
      if (this.writer.appendRange(partition, timestampMs, bytes, -1, -1, position, lineEnd) < 0) {
        return position;
      }
      this.sent++;
      position = lineEnd + 1;
    }
    return position;
  }

  #feedPairs(
    { bytes, end }: LineBlock,
    from: number,
    timestampMs: number,
    delimiter: Buffer,
  ): number {
    const { partition } = this.settings;
    let position = from;
    let found = -2;
    while (position < end) {
      const lineEnd = lineEndAt(bytes, position, end);
      // A delimiter found behind this line is kept for the lines to come.
      if (found !== -1 && found < position) found = bytes.indexOf(delimiter, position);
      const split = found >= 0 && found + delimiter.length <= lineEnd ? found : -1;
      const appended = split < 0
        ? this.writer.appendRange(partition, timestampMs, bytes, -1, -1, position, lineEnd)
        : this.writer.appendRange(
          partition,
          timestampMs,
          bytes,
          position,
          split,
          split + delimiter.length,
          lineEnd,
        );
      if (appended < 0) return position;
      this.sent++;
      position = lineEnd + 1;
    }
    return position;
  }

  #feedViews({ bytes, end }: LineBlock, from: number, timestampMs: number): number {
    const { partition, headers } = this.settings;
    let position = from;
    while (position < end) {
      const lineEnd = lineEndAt(bytes, position, end);
      const line = bytes.subarray(position, lineEnd);
      const split = this.#delimiter === null ? -1 : line.indexOf(this.#delimiter);
      const key = split < 0 ? null : line.subarray(0, split);
      const value = split < 0 ? line : line.subarray(split + this.#delimiter!.length);
      if (!this.#append(partition, timestampMs, key, value, headers)) return position;
      position = lineEnd + 1;
    }
    return position;
  }

  #feedEnvelopes({ bytes, end }: LineBlock, from: number, timestampMs: number): number {
    let position = from;
    while (position < end) {
      const lineEnd = lineEndAt(bytes, position, end);
      if (!this.#feedEnvelope(bytes.subarray(position, lineEnd), timestampMs)) return position;
      position = lineEnd + 1;
    }
    return position;
  }

  #feedEnvelope(line: Uint8Array, timestampMs: number): boolean {
    const { settings } = this;
    let envelope;
    try {
      envelope = parseEnvelope(line);
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error;
      throw new LineError(`line ${this.#line} is no JSON envelope: ${error.message}`);
    }
    const partition = settings.partition >= 0 ? settings.partition : envelope.partition ?? -1;
    if (partition >= this.writer.partitionCount) {
      throw new LineError(
        `line ${this.#line} names partition ${partition}, but topic ` +
          `"${this.writer.topic}" has ${this.writer.partitionCount}`,
      );
    }
    const headers = [...envelope.headers, ...settings.headers];
    const time = envelope.timestampMs ?? timestampMs;
    return this.#append(partition, time, envelope.key, envelope.value, headers);
  }

  /** Gives a record to the producer as the expressions want it; false if its buffer is full. */
  #append(
    partition: number,
    timestamp: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly HeaderEntry[],
  ): boolean {
    let record: KeyAndValue | null = { key, value };
    if (this.settings.transform !== null) {
      const source = {
        ...{ offset: -1, timestamp },
        ...{ key: () => key, value: () => value, headers: () => headers },
      };
      record = this.#transform(source, { topic: this.writer.topic, partition });
    }
    if (record === null) {
      this.leftOut++;
      return true;
    }
    if (this.writer.append(partition, timestamp, record.key, record.value, headers) < 0) {
      return false;
    }
    this.sent++;
    return true;
  }

  #transform(source: RecordSource, place: RecordPlace): KeyAndValue | null {
    try {
      return this.settings.transform!(source, place);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      throw new LineError(`line ${this.#line}: ${error.message}\n${error.excerpt}`);
    }
  }

  /** The number of the line that is next. */
  get #line(): number {
    return this.sent + this.leftOut + 1;
  }
}

function lineEndAt(bytes: Buffer, position: number, end: number): number {
  const newline = bytes.indexOf(NEWLINE, position);
  return newline < 0 || newline >= end ? end : newline;
}
