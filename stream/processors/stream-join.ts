/**
 * Two streams joined by key within a time (Kafka's `KStreamKStreamJoin`): a record looks up those of the
 * other side, then is kept for them. In left and outer joins what was not joined waits in a store of its
 * own until its window is closed (KAFKA-10847): so no result is given that a later record would belie.
 */
import type { Processor, ProcessorContext } from "../processor.ts";
import type { StreamRecord } from "../record.ts";
import type { JoinWindowStore } from "../stores/join-window-store.ts";
import type { JoinWindows } from "../windows/join-windows.ts";
import type { UnjoinedKey, UnjoinedStore } from "./unjoined.ts";

/** What is joined, and how. */
export interface StreamJoin {
  readonly windows: JoinWindows;
  readonly leftStore: string;
  readonly rightStore: string;
  /** Of what was not joined yet; null: that is left out (an inner join). */
  readonly unjoinedStore: string | null;
  /** Whether a record of this side is given on if there is none of the other. */
  readonly keepsLeft: boolean;
  readonly keepsRight: boolean;
  /** Where a side has no value it is given null. */
  readonly join: (key: unknown, left: unknown, right: unknown) => unknown;
}

/** What both sides know of time in a task. */
interface SharedTime {
  /** The highest of both sides. */
  streamMs: number;
  /** No record that waits is older, as far as is known. */
  minMs: number;
  /** By the wall clock. */
  nextEmitMs: number;
}

/** By the store of the left side, which there is one of for each task. */
const times = new WeakMap<object, SharedTime>();

function sharedTimeOf(store: object): SharedTime {
  let time = times.get(store);
  if (time === undefined) times.set(store, time = { streamMs: -1, minMs: Infinity, nextEmitMs: 0 });
  return time;
}

export function streamJoinSide(join: StreamJoin, side: "left" | "right"): () => Processor {
  return () => new StreamJoinSide(join, side === "left");
}

class StreamJoinSide implements Processor {
  #context!: ProcessorContext;
  #own!: JoinWindowStore<unknown, unknown>;
  #other!: JoinWindowStore<unknown, unknown>;
  #unjoined: UnjoinedStore | null = null;
  #time!: SharedTime;
  readonly #keepsOwn: boolean;
  /** How much older or newer one of the other side may be. */
  readonly #beforeMs: number;
  readonly #afterMs: number;

  constructor(private readonly join: StreamJoin, private readonly isLeft: boolean) {
    const { beforeMs, afterMs } = join.windows;
    [this.#beforeMs, this.#afterMs] = isLeft ? [beforeMs, afterMs] : [afterMs, beforeMs];
    this.#keepsOwn = isLeft ? join.keepsLeft : join.keepsRight;
  }

  init(context: ProcessorContext): void {
    const { leftStore, rightStore, unjoinedStore } = this.join;
    // The topology has opened them as such.
    const left = context.store(leftStore) as JoinWindowStore<unknown, unknown>;
    const right = context.store(rightStore) as JoinWindowStore<unknown, unknown>;
    this.#context = context;
    [this.#own, this.#other] = this.isLeft ? [left, right] : [right, left];
    if (unjoinedStore !== null) this.#unjoined = context.store(unjoinedStore) as UnjoinedStore;
    this.#time = sharedTimeOf(left);
  }

  process(record: StreamRecord): void {
    this.#process(record);
    const { key, value, timestampMs } = record;
    if (key !== null) this.#own.put(key, value, timestampMs);
  }

  #process(record: StreamRecord): void {
    const { key, value, timestampMs } = record;
    const time = this.#time;
    time.streamMs = Math.max(time.streamMs, timestampMs);
    if (value === null) return this.#context.drop("its value is null");
    if (key === null) {
      if (this.#keepsOwn) return this.#forward(record, value, null, timestampMs);
      return this.#context.drop("its key is null");
    }
    if (timestampMs === time.streamMs && this.#unjoined !== null) this.#emitUnjoined(record);
    const fromMs = Math.max(0, timestampMs - this.#beforeMs);
    const toMs = Math.max(0, timestampMs + this.#afterMs);
    let isJoined = false;
    for (const [otherMs, other] of this.#other.fetch(key, fromMs, toMs)) {
      isJoined = true;
      this.#joinedWith(key, otherMs);
      this.#forward(record, value, other, Math.max(timestampMs, otherMs));
    }
    if (isJoined || !this.#keepsOwn) return;
    // Nothing can come any more that it would be joined with: it need not wait.
    if (toMs < time.streamMs) return this.#forward(record, value, null, timestampMs);
    time.minMs = Math.min(time.minMs, timestampMs);
    const waiting = { key, timestampMs, isLeft: this.isLeft };
    const values = this.#unjoined?.get(waiting) ?? [];
    this.#unjoined?.put(waiting, [...values, { value, isLeft: this.isLeft }]);
  }

  /** Those of the other side of that time wait no more. */
  #joinedWith(key: unknown, timestampMs: number): void {
    const waiting = { key, timestampMs, isLeft: !this.isLeft };
    if (this.#unjoined !== null && this.#unjoined.get(waiting) !== null) {
      this.#unjoined.put(waiting, null);
    }
  }

  /** Gives on what was waiting in windows that are closed by now. */
  #emitUnjoined(record: StreamRecord): void {
    const time = this.#time;
    const waitMs = this.#afterMs + this.join.windows.graceMs;
    // Where it is not known what waits, so after a restart, that is looked up. Without a time to wait it is
    // not: in Kafka the sum overflows where there is one.
    const isKnown = time.minMs !== Infinity || waitMs <= 0;
    if (isKnown && time.minMs + waitMs >= time.streamMs) return;
    const { wallMs, joinEmitIntervalMs } = this.#context;
    // Not for as long as a clock was put back, which Kafka would wait.
    if (wallMs < time.nextEmitMs && wallMs >= time.nextEmitMs - joinEmitIntervalMs) return;
    time.nextEmitMs = wallMs + joinEmitIntervalMs;
    time.minMs = Infinity;
    const emitted: UnjoinedKey[] = [];
    let [leftIsOpen, rightIsOpen] = [false, false];
    for (const [waiting, values] of this.#unjoined!.range(null, null)) {
      const { key, timestampMs, isLeft } = waiting;
      time.minMs = timestampMs;
      if (leftIsOpen && rightIsOpen) break;
      if (this.#isOpen(waiting)) {
        leftIsOpen ||= isLeft;
        rightIsOpen ||= !isLeft;
        // Kafka goes from value to value: the second of a key ends it, and the first time is that of the key.
        if (leftIsOpen && rightIsOpen && values.length > 1) break;
        continue;
      }
      for (const { value } of values) {
        const [left, right] = isLeft ? [value, null] : [null, value];
        const joined = this.join.join(key, left, right);
        this.#context.forward({ ...record, key, value: joined, timestampMs });
      }
      emitted.push(waiting);
    }
    for (const waiting of emitted) this.#unjoined!.put(waiting, null);
  }

  #isOpen({ timestampMs, isLeft }: UnjoinedKey): boolean {
    const { beforeMs, afterMs, graceMs } = this.join.windows;
    return timestampMs + (isLeft ? afterMs : beforeMs) + graceMs >= this.#time.streamMs;
  }

  #forward(record: StreamRecord, own: unknown, other: unknown, timestampMs: number): void {
    const { key } = record;
    const value = this.isLeft ? this.join.join(key, own, other) : this.join.join(key, other, own);
    this.#context.forward({ ...record, value, timestampMs });
  }
}
