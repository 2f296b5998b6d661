/**
 * Changes of a table that are held back, by key and in the order of the times from which on they are
 * (Kafka's `InMemoryTimeOrderedKeyValueChangeBuffer`). All of them are in memory; what has changed since
 * the last commit goes into the engine and the changelog at the next one.
 */
import type { Change } from "../processors/change.ts";
import type { Serde } from "../serdes/serde.ts";
import { heldMoment, type RecordContext, type RecordMoment } from "../task/record-context.ts";
import {
  type BufferedChange,
  isSame,
  readBufferedChange,
  writeBufferedChange,
} from "./buffered-change.ts";
import type { StoreEngine } from "./engine.ts";
import { byCodeUnits, bytesOf, textOf } from "./key-text.ts";
import type { AnyStore } from "./key-value-store.ts";
import type { ChangeListener } from "./logged-engine.ts";
import { SortedMap } from "./sorted-map.ts";

/** What a buffer is opened with. */
export interface SuppressionBufferParts {
  readonly engine: StoreEngine;
  /** Of the changelog: for serdes that want to know. */
  readonly topic: string;
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
  /** Null: changes are not logged. */
  readonly onChange: ChangeListener | null;
  readonly context: RecordContext;
}

interface Entry extends BufferedChange {
  readonly keyText: string;
  readonly bytes: number;
}

/** What a change takes besides keys, values, topic and headers: its times, its offset, its partition. */
const CHANGE_BYTES = 28;
/** Says of a changelog's record how its value is written. */
const VERSION = ["v", Uint8Array.of(3)] as const;

/** See the head of the file. */
export class SuppressionBuffer implements AnyStore {
  readonly #entries = new Map<string, Entry>();
  /** By the time, as eight characters, and the key. */
  readonly #order = new SortedMap<string, Entry>([], byCodeUnits);
  /** Keys that have changed since the last flush, with the times of their last changes. */
  readonly #changed = new Map<string, number>();
  #bytes = 0;
  #isLoaded = false;

  constructor(private readonly parts: SuppressionBufferParts) {}

  get count(): number {
    return this.#entries.size;
  }

  /** Of keys, values and what else has to be kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The time from which on the first one is held back; infinite where there is none. */
  get firstMs(): number {
    this.#load();
    return this.#first()?.timeMs ?? Infinity;
  }

  /** Holds back a change of the record at hand. That of a key that is held already takes its place. */
  put(timeMs: number, key: unknown, change: Change<unknown>): void {
    this.#load();
    const { keySerde, valueSerde, topic, context } = this.parts;
    const keyText = textOf(keySerde.serialize(key, topic));
    const write = (value: unknown) => value === null ? null : valueSerde.serialize(value, topic);
    const before = this.#entries.get(keyText);
    const oldValue = write(change.oldValue);
    this.#set(keyText, {
      prior: before === undefined ? oldValue : before.prior,
      oldValue,
      newValue: write(change.newValue),
      moment: withoutBytes(context.now),
      timeMs: before?.timeMs ?? timeMs,
    });
    this.#changed.set(keyText, context.now.timestampMs);
  }

  /**
   * Lets go of the first one as long as `holds` says so. `give` gets each before it is let go of, and sees
   * the moment at which it was held back.
   */
  releaseWhile(
    holds: () => boolean,
    give: (key: unknown, change: Change<unknown>, moment: RecordMoment) => void,
  ): void {
    this.#load();
    const { keySerde, valueSerde, topic, context } = this.parts;
    const read = (bytes: Uint8Array | null) =>
      bytes === null ? null : valueSerde.deserialize(bytes, topic);
    while (holds()) {
      const entry = this.#first();
      if (entry === undefined) return;
      const key = keySerde.deserialize(bytesOf(entry.keyText), topic);
      const change = { newValue: read(entry.newValue), oldValue: read(entry.oldValue) };
      context.at(entry.moment, () => give(key, change, entry.moment));
      this.#remove(entry);
      this.#changed.set(entry.keyText, entry.moment.timestampMs);
    }
  }

  /**
   * What those behind know of a key whose change is held back, null where that is nothing; undefined:
   * nothing is held back.
   */
  priorOf(key: unknown): unknown {
    this.#load();
    const { keySerde, valueSerde, topic } = this.parts;
    const entry = this.#entries.get(textOf(keySerde.serialize(key, topic)));
    if (entry === undefined) return undefined;
    return entry.prior === null ? null : valueSerde.deserialize(entry.prior, topic);
  }

  flush(): void {
    const { engine, onChange } = this.parts;
    for (const [keyText, timestampMs] of this.#changed) {
      const key = bytesOf(keyText);
      const entry = this.#entries.get(keyText);
      const value = entry === undefined ? null : writeBufferedChange(entry);
      engine.put(key, value);
      onChange?.(key, value, timestampMs, value === null ? [] : [VERSION]);
    }
    this.#changed.clear();
  }

  close(): void {
    this.parts.engine.close();
  }

  /** What the engine has from before, or from the changelog. */
  #load(): void {
    if (this.#isLoaded) return;
    this.#isLoaded = true;
    for (const [key, value] of this.parts.engine.range({ from: null, to: null })) {
      this.#set(textOf(key), readBufferedChange(value));
    }
  }

  #first(): Entry | undefined {
    const first = this.#order.minKey();
    return first === undefined ? undefined : this.#order.get(first);
  }

  #set(keyText: string, change: BufferedChange): void {
    const before = this.#entries.get(keyText);
    if (before !== undefined) this.#bytes -= before.bytes;
    const entry = { ...change, keyText, bytes: sizeOf(keyText, change) };
    this.#bytes += entry.bytes;
    this.#entries.set(keyText, entry);
    this.#order.set(orderOf(entry), entry);
  }

  #remove(entry: Entry): void {
    this.#bytes -= entry.bytes;
    this.#entries.delete(entry.keyText);
    this.#order.delete(orderOf(entry));
  }
}

/** What was read is not kept for as long as a change of it is held back. */
function withoutBytes(moment: RecordMoment): RecordMoment {
  const held = heldMoment(moment);
  const { origin } = held;
  return origin === null ? held : { ...held, origin: { ...origin, key: null, value: null } };
}

function orderOf({ timeMs, keyText }: Entry): string {
  const time = Buffer.alloc(8);
  time.writeBigInt64BE(BigInt(timeMs));
  return `${textOf(time)}${keyText}`;
}

/** As Kafka counts it. */
function sizeOf(keyText: string, { prior, oldValue, newValue, moment }: BufferedChange): number {
  let bytes = CHANGE_BYTES + keyText.length + (prior?.length ?? 0) + (newValue?.length ?? 0);
  if (!isSame(prior, oldValue)) bytes += oldValue?.length ?? 0;
  bytes += moment.origin?.topic.length ?? 0;
  for (const [key, value] of moment.headers) bytes += key.length + (value?.length ?? 0);
  return bytes;
}
