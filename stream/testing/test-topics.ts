/** Topics as tests write and read them (Kafka's `TestInputTopic`, `TestOutputTopic`). */
import type { RecordHeader } from "../../core/records/record-cursor.ts";
import type { Serde } from "../serdes/serde.ts";
import type { OutputRecord } from "../task/task.ts";

/** A record that a test gives, or gets. */
export interface DrivenRecord<K, V> {
  readonly key: K | null;
  readonly value: V | null;
  readonly timestampMs: number;
  readonly headers: readonly RecordHeader[];
}

/** What times records have that are written without one. */
export interface InputTimes {
  /** Of the first; default: what the wall clock says each time. */
  readonly startMs?: number;
  /** By so much later each is than the one before it. Default: 0. */
  readonly advanceMs?: number;
}

/** A topic that a test writes. Each record is processed before the call comes back. */
export class TestInput<K, V> {
  #nextMs: number | null;
  readonly #advanceMs: number;

  constructor(
    readonly topic: string,
    private readonly serdes: { readonly key: Serde<K>; readonly value: Serde<V> },
    private readonly give: (record: OutputRecord) => void,
    private readonly wallMs: () => number,
    { startMs, advanceMs = 0 }: InputTimes,
  ) {
    this.#nextMs = startMs ?? (advanceMs === 0 ? null : wallMs());
    this.#advanceMs = advanceMs;
  }

  write(
    key: K | null,
    value: V | null,
    timestampMs: number = this.#takeMs(),
    headers: readonly RecordHeader[] = [],
  ): void {
    const { topic, serdes } = this;
    this.give({
      topic,
      partition: 0,
      key: key === null ? null : serdes.key.serialize(key, topic),
      value: value === null ? null : serdes.value.serialize(value, topic),
      timestampMs,
      headers,
    });
  }

  /** One after the other. */
  writeAll(pairs: Iterable<readonly [key: K | null, value: V | null, timestampMs?: number]>): void {
    for (const [key, value, timestampMs] of pairs) this.write(key, value, timestampMs);
  }

  /** Values without keys. */
  writeValues(values: Iterable<V | null>): void {
    for (const value of values) this.write(null, value);
  }

  /** Lets the time pass that records have which are written without one. */
  advance(ms: number): void {
    this.#nextMs = (this.#nextMs ?? this.wallMs()) + ms;
  }

  #takeMs(): number {
    const nowMs = this.#nextMs ?? this.wallMs();
    if (this.#nextMs !== null) this.#nextMs += this.#advanceMs;
    return nowMs;
  }
}

/** What an application has written to a topic; what was read is gone. */
export class TestOutput<K, V> {
  constructor(
    readonly topic: string,
    private readonly serdes: { readonly key: Serde<K>; readonly value: Serde<V> },
    /** Takes so many of what is there, all by default. */
    private readonly take: (count?: number) => OutputRecord[],
    private readonly count: () => number,
  ) {}

  /** How many there are to be read. */
  get size(): number {
    return this.count();
  }

  /** The first. Throws where there is none. */
  readOne(): DrivenRecord<K, V> {
    const [record] = this.take(1);
    if (record === undefined) throw new Error(`nothing (more) is in topic "${this.topic}"`);
    return this.#read(record);
  }

  readAll(): DrivenRecord<K, V>[] {
    return this.take().map((record) => this.#read(record));
  }

  readValues(): (V | null)[] {
    return this.readAll().map(({ value }) => value);
  }

  readPairs(): [key: K | null, value: V | null][] {
    return this.readAll().map(({ key, value }) => [key, value]);
  }

  /** The last value of each key, in the order in which keys were there first. */
  readMap(): Map<K | null, V | null> {
    return new Map(this.readPairs());
  }

  #read({ key, value, timestampMs, headers }: OutputRecord): DrivenRecord<K, V> {
    const { topic, serdes } = this;
    return {
      key: key === null ? null : serdes.key.deserialize(key, topic),
      value: value === null ? null : serdes.value.deserialize(value, topic),
      timestampMs,
      headers,
    };
  }
}
