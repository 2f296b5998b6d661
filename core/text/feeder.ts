import { isUtf8 } from "node:buffer";
import type { RecordPlace, RecordSource } from "../expression/expression.ts";
import { OperatorError } from "../operator-error.ts";
import type { EnvelopeInput, HeaderEntry } from "./envelope.ts";
import type { KeyAndValue, TransformRecord } from "../expression/record-expressions.ts";
import type { Framing } from "./framing.ts";
import { RecordError, recordParser } from "./parse-record.ts";
import { PlainEnvelope } from "./plain-envelope.ts";
import type { ParserSettings, RecordParser } from "./parse-record.ts";
import type { RecordBlock } from "./record-blocks.ts";

/** What takes the records: the producer's `TopicWriter` is one. */
export interface RecordSink {
  readonly topic: string;
  readonly partitionCount: number;
  /** As `TopicWriter.append`: the partition, or −1 if the buffer is full. */
  append(
    partition: number,
    timestampMs: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly HeaderEntry[],
    callback?: (error: Error | null) => void,
  ): number;
  /** As `TopicWriter.appendRange`. */
  appendRange(
    partition: number,
    timestampMs: number,
    source: Uint8Array,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
  ): number;
}

/** Where a bad record stands. */
export interface BadRecordPlace {
  /** As in messages. */
  readonly text: string;
  readonly input: string | null;
  /** Its number in the input. */
  readonly number: number;
}

/** How the input becomes records. */
export interface FeedSettings extends ParserSettings {
  readonly framing: Framing;
  /** −1: the envelope's, or the partitioner chooses. */
  readonly partition: number;
  /** Whether the partitions of envelopes don't count. */
  readonly repartition: boolean;
  /** What that is called where it would have helped: `--repartition`. */
  readonly repartitionName: string;
  /** Set on every record. */
  readonly headers: readonly HeaderEntry[];
  /** Leaves records out and changes them; null: all as they are. */
  readonly transform: TransformRecord | null;
}

/** What happens around the records. */
export interface FeedHooks {
  /**
   * A record cannot be written. True: go on behind it; false: the buffer is full, come again. Throws
   * to stop the input.
   */
  bad(record: Uint8Array, place: BadRecordPlace, error: RecordError): boolean;
  /** A record that is as large as this may be refused alone. Null: any may. */
  readonly largeBytes: number;
  /** Whether records of that size are bad already; else the broker is asked. */
  readonly refuseLarge: boolean;
  /** The broker has refused a large record, which stands at `place`. */
  refused(place: string, error: Error): void;
}

/** Gives the records of the input to a producer: their bytes, never changed. */
export class Feeder {
  /** Records given to the producer. */
  sent = 0;
  /** Records that `--where` has left out. */
  leftOut = 0;
  /** The position in the block of a record for which `bad` has thrown. */
  stoppedAt = 0;
  readonly #delimiter: Buffer | null;
  readonly #parser: RecordParser;
  /** Whether a record is as its bytes are, or key and value at a delimiter. */
  readonly #plain: boolean;
  /** Reads envelopes that need nothing else; null where all records do. */
  readonly #envelope: PlainEnvelope | null;
  #input: string | null = null;
  /** Records of this input, those of CSV counted in lines, that were gone over. */
  #passed = 0;

  constructor(
    readonly writer: RecordSink,
    readonly settings: FeedSettings,
    readonly hooks: FeedHooks,
  ) {
    const { keyDelimiter, format, key, value, nullMarker, headers, transform } = settings;
    this.#delimiter = keyDelimiter === null ? null : Buffer.from(keyDelimiter);
    this.#parser = recordParser(settings);
    const isAsItIs = headers.length === 0 && transform === null;
    this.#plain = isAsItIs && format === "lines" && key === "string" && value === "string" &&
      nullMarker === null;
    this.#envelope = isAsItIs && format === "json" ? new PlainEnvelope() : null;
  }

  /** An input begins, or goes on behind what was passed of it. `input`: its name in messages. */
  begin(input: string | null, passed = 0, header: string | null = null): void {
    this.#input = input;
    this.#passed = passed;
    this.#parser.begin(header);
  }

  /** How many records of the input were gone over. */
  get passed(): number {
    return this.#passed;
  }

  /** What the parser has to know to go on behind them. */
  get header(): string | null {
    return this.#parser.header();
  }

  /** Goes over a record that is not there. */
  pass(): void {
    this.#passed++;
  }

  /** Where the next record is, for messages. */
  place(column: number | null = null): string {
    const at = `${this.settings.framing.unit} ${this.#passed + 1}`;
    const where = column === null ? at : `${at}, column ${column}`;
    return this.#input === null ? where : `${this.#input}: ${where}`;
  }

  /**
   * Takes records from `from` on; returns the position behind the last one that was taken, which is
   * before the end of the block if the producer's buffer is full.
   */
  feed(block: RecordBlock, from: number, timestampMs: number): number {
    if (this.#envelope !== null && isUtf8(block.bytes.subarray(from, block.end))) {
      return this.#feedEnvelopes(block, from, timestampMs, this.#envelope);
    }
    if (!this.#plain) return this.#feedParsed(block, from, timestampMs);
    return this.#delimiter === null
      ? this.#feedValues(block, from, timestampMs)
      : this.#feedPairs(block, from, timestampMs, this.#delimiter);
  }

  /** The fast way: nothing is allocated per record. */
  #feedValues({ bytes, end }: RecordBlock, from: number, timestampMs: number): number {
    const { partition, framing } = this.settings;
    const { largeBytes } = this.hooks;
    let position = from;
    while (position < end) {
      const next = framing.next(bytes, position, end);
      const { start, end: stop } = framing;
      if (stop - start >= largeBytes) {
        this.stoppedAt = position;
        const value = bytes.subarray(start, stop);
        if (!this.#large(value, null, value, timestampMs)) return position;
      } else {
        if (this.writer.appendRange(partition, timestampMs, bytes, -1, -1, start, stop) < 0) {
          return position;
        }
        this.sent++;
      }
      this.#passed++;
      position = next;
    }
    return position;
  }

  #feedPairs(
    { bytes, end }: RecordBlock,
    from: number,
    timestampMs: number,
    delimiter: Buffer,
  ): number {
    const { partition, framing } = this.settings;
    const { largeBytes } = this.hooks;
    let position = from;
    let found = -2;
    while (position < end) {
      const next = framing.next(bytes, position, end);
      const { start, end: stop } = framing;
      // A delimiter found behind this record is kept for those to come.
      if (found !== -1 && found < start) found = bytes.indexOf(delimiter, start);
      const split = found >= 0 && found + delimiter.length <= stop ? found : -1;
      const keyStart = split < 0 ? -1 : start;
      const valueStart = split < 0 ? start : split + delimiter.length;
      if (stop - start >= largeBytes) {
        this.stoppedAt = position;
        const key = split < 0 ? null : bytes.subarray(start, split);
        const value = bytes.subarray(valueStart, stop);
        if (!this.#large(bytes.subarray(start, stop), key, value, timestampMs)) return position;
      } else {
        const taken = this.writer
          .appendRange(partition, timestampMs, bytes, keyStart, split, valueStart, stop);
        if (taken < 0) return position;
        this.sent++;
      }
      this.#passed++;
      position = next;
    }
    return position;
  }

  /** Plain envelopes without an object for each, the others as any record. */
  #feedEnvelopes(
    { bytes, end }: RecordBlock,
    from: number,
    timestampMs: number,
    envelope: PlainEnvelope,
  ): number {
    const { framing } = this.settings;
    const { largeBytes } = this.hooks;
    let position = from;
    while (position < end) {
      const next = framing.next(bytes, position, end);
      const { start, end: stop } = framing;
      const partition = stop - start < largeBytes && envelope.read(bytes, start, stop)
        ? this.#partitionOf(envelope.partition)
        : null;
      if (partition === null) {
        this.stoppedAt = position;
        if (!this.#takeParsed(bytes.subarray(start, stop), timestampMs)) return position;
      } else {
        const { source, keyStart, keyEnd, valueStart, valueEnd } = envelope;
        const timestamp = envelope.timestampMs ?? timestampMs;
        const taken = this.writer
          .appendRange(partition, timestamp, source, keyStart, keyEnd, valueStart, valueEnd);
        if (taken < 0) return position;
        this.sent++;
      }
      this.#passed++;
      position = next;
    }
    return position;
  }

  #large(
    whole: Buffer,
    key: Uint8Array | null,
    value: Uint8Array,
    timestampMs: number,
  ): boolean {
    const record = { key, value, headers: [], partition: null, timestampMs: null };
    return this.#orBad(whole, () => this.#append(record, timestampMs));
  }

  #feedParsed({ bytes, end }: RecordBlock, from: number, timestampMs: number): number {
    const { framing, format } = this.settings;
    let position = from;
    while (position < end) {
      const next = framing.next(bytes, position, end);
      const view = bytes.subarray(framing.start, framing.end);
      this.stoppedAt = position;
      if (!this.#takeParsed(view, timestampMs)) return position;
      this.#passed += format === "csv" ? newlines(view) + 1 : 1;
      position = next;
    }
    return position;
  }

  /** False: the buffer is full. */
  #takeParsed(record: Buffer, timestampMs: number): boolean {
    return this.#orBad(record, () => {
      const parsed = this.#parser.parse(record);
      return parsed === null || this.#append(parsed, timestampMs);
    });
  }

  #orBad(record: Uint8Array, take: () => boolean): boolean {
    try {
      return take();
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      const place = {
        text: this.place(error.column),
        input: this.#input,
        number: this.#passed + 1,
      };
      return this.hooks.bad(record, place, error);
    }
  }

  /** Gives a record to the producer as the expressions want it; false if its buffer is full. */
  #append(record: EnvelopeInput, nowMs: number): boolean {
    const { settings } = this;
    const partition = this.#partition(record.partition);
    const timestamp = record.timestampMs ?? nowMs;
    const headers = settings.headers.length === 0
      ? record.headers
      : [...record.headers, ...settings.headers];
    const written = this.#transformed(record, partition, timestamp, headers);
    if (written === null) {
      this.leftOut++;
      return true;
    }
    const { key, value } = written;
    const size = (key?.length ?? 0) + (value?.length ?? 0);
    const taken = size >= this.hooks.largeBytes
      ? this.#appendLarge(partition, timestamp, written, headers, size)
      : this.writer.append(partition, timestamp, key, value, headers);
    if (taken < 0) return false;
    this.sent++;
    return true;
  }

  #appendLarge(
    partition: number,
    timestamp: number,
    { key, value }: KeyAndValue,
    headers: readonly HeaderEntry[],
    size: number,
  ): number {
    if (this.hooks.refuseLarge) {
      throw new RecordError(`too large, ${size} bytes: the topic's max.message.bytes is lower`);
    }
    const place = this.place();
    return this.writer.append(partition, timestamp, key, value, headers, (error) => {
      if (error !== null) this.hooks.refused(`${place} of ${size} bytes`, error);
    });
  }

  #partition(named: number | null): number {
    const partition = this.#partitionOf(named ?? -1);
    if (partition !== null) return partition;
    const { topic, partitionCount } = this.writer;
    const { repartitionName } = this.settings;
    throw new RecordError(
      `partition ${named}, but topic "${topic}" has ${partitionCount} (${repartitionName} ignores it)`,
    );
  }

  /** Where a record goes that names this partition, or −1; null: there is no such partition. */
  #partitionOf(named: number): number | null {
    const { partition, repartition } = this.settings;
    if (partition >= 0) return partition;
    if (named < 0 || repartition) return -1;
    return named < this.writer.partitionCount ? named : null;
  }

  #transformed(
    { key, value }: EnvelopeInput,
    partition: number,
    timestamp: number,
    headers: readonly HeaderEntry[],
  ): KeyAndValue | null {
    if (this.settings.transform === null) return { key, value };
    const source: RecordSource = {
      ...{ offset: -1, timestamp },
      ...{ key: () => key, value: () => value, headers: () => headers },
    };
    const place: RecordPlace = { topic: this.writer.topic, partition };
    try {
      return this.settings.transform(source, place);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      throw new RecordError(error.message, null, error.excerpt);
    }
  }
}

function newlines(view: Buffer): number {
  let count = 0;
  for (let at = view.indexOf(10); at >= 0; at = view.indexOf(10, at + 1)) count++;
  return count;
}
