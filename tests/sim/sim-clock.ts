/**
 * Virtual time. Nothing happens between events; all promise callbacks run after each one, in an
 * order that is the same in every run.
 */
import { drainMicrotasks } from "bun:jsc";
import type { Clock, Timer } from "../../core/io.ts";

interface Event {
  readonly atMs: number;
  readonly order: number;
  callback: (() => void) | null;
}

/** More events without any time passing are a loop that never ends. */
const STEPS_AT_ONCE_MAX = 1_000_000;

/** Nothing is left that could make a promise settle. */
export class StuckError extends Error {
  override readonly name = "StuckError";
}

/** See the head of this file. */
export class SimClock implements Clock {
  private nowMs = 0;
  /** Events since time has passed. */
  private stepsAtOnce = 0;
  private order = 0;
  /** A binary heap by time, then by order of arrival. */
  private heap: Event[] = [];

  constructor(private wallStartMs: number) {}

  wallMs(): number {
    return Math.floor(this.wallStartMs + this.nowMs);
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    // It would never come, and spoil the order of the others.
    if (Number.isNaN(delayMs)) throw new Error("a timer has no delay");
    const atMs = this.nowMs + Math.max(0, delayMs);
    const event: Event = { atMs, order: this.order++, callback };
    this.push(event);
    return { cancel: () => void (event.callback = null) };
  }

  /** The process is gone: none of its timers fires any more. */
  dropTimers(): void {
    drainMicrotasks();
    this.heap = [];
  }

  /** Lets wall time jump. */
  jumpWall(byMs: number): void {
    this.wallStartMs += byMs;
  }

  /** Runs the next event. False if there is none before `untilMs`. */
  step(untilMs: number): boolean {
    drainMicrotasks();
    const first = this.heap[0];
    if (first === undefined || first.atMs > untilMs) return false;
    this.pop();
    this.stepsAtOnce = first.atMs > this.nowMs ? 0 : this.stepsAtOnce + 1;
    if (this.stepsAtOnce > STEPS_AT_ONCE_MAX) throw new StuckError("time stands still");
    this.nowMs = Math.max(this.nowMs, first.atMs);
    first.callback?.();
    drainMicrotasks();
    return true;
  }

  /** Lets time pass. */
  advance(byMs: number): void {
    const until = this.nowMs + byMs;
    while (this.step(until));
    this.nowMs = until;
  }

  /** Runs events until the promise has settled; throws `StuckError` after `limitMs`. */
  run<T>(promise: Promise<T>, limitMs = 600_000): T {
    const settled = this.runUntil(promise, () => false, limitMs);
    if (settled === null) throw new StuckError(`nothing settled within ${limitMs} ms`);
    return settled.value;
  }

  /** Runs events until the promise has settled; null if `isOver` or `limitMs` comes before that. */
  runUntil<T>(
    promise: Promise<T>,
    isOver: () => boolean,
    limitMs: number,
  ): { readonly value: T } | null {
    let outcome: { value: T } | { error: unknown } | null = null;
    promise.then((value) => (outcome = { value }), (error: unknown) => (outcome = { error }));
    const until = this.nowMs + limitMs;
    drainMicrotasks();
    while (outcome === null && !isOver() && this.step(until));
    const settled = outcome as { value: T } | { error: unknown } | null;
    if (settled !== null && "error" in settled) throw settled.error;
    return settled;
  }

  private push(event: Event): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
