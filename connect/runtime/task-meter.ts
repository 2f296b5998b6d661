/**
 * What is measured of one task: totals, rates, times, under the names that Kafka Connect has for them
 * in JMX. Clocks are read once for a batch, not for a record.
 */
import type { Clock } from "../../core/io.ts";

/** Rates and averages are of the window before this one and of this one. */
const WINDOW_MS = 30_000;

interface Counter {
  total: number;
  /** What the total was when the last window began, and this one. */
  readonly marks: [before: number, now: number];
}

interface Sums {
  sum: number;
  count: number;
  max: number;
}

/** See the head of the file. */
export class TaskMeter {
  readonly #counters = new Map<string, Counter>();
  readonly #observed = new Map<string, [before: Sums, now: Sums]>();
  #marksMs: [before: number, now: number];

  constructor(private readonly clock: Pick<Clock, "monotonicMs">) {
    const nowMs = clock.monotonicMs();
    this.#marksMs = [nowMs, nowMs];
  }

  /** Of `NAME-total` and `NAME-rate`, which is per second. */
  count(name: string, by: number): void {
    const counter = this.#counters.get(name);
    if (counter === undefined) this.#counters.set(name, { total: by, marks: [0, 0] });
    else counter.total += by;
  }

  /** The star of `name` becomes `avg` and `max`, as of `put-batch-*-time-ms`. */
  observe(name: string, value: number): void {
    this.#roll();
    let windows = this.#observed.get(name);
    if (windows === undefined) this.#observed.set(name, windows = [nothing(), nothing()]);
    const [, now] = windows;
    now.sum += value;
    now.count++;
    now.max = Math.max(now.max, value);
  }

  /** Awaits `work` and observes how long it took, if it does not fail. */
  async time<T>(name: string, work: () => Promise<T> | T): Promise<T> {
    const startMs = this.clock.monotonicMs();
    const result = await work();
    this.observe(name, this.clock.monotonicMs() - startMs);
    return result;
  }

  figures(): Readonly<Record<string, number>> {
    this.#roll();
    const figures: Record<string, number> = {};
    const seconds = (this.clock.monotonicMs() - this.#marksMs[0]) / 1000;
    for (const [name, { total, marks }] of this.#counters) {
      figures[`${name}-total`] = total;
      figures[`${name}-rate`] = seconds > 0 ? (total - marks[0]) / seconds : 0;
    }
    for (const [name, [before, now]] of this.#observed) {
      const count = before.count + now.count;
      figures[name.replace("*", "avg")] = count === 0 ? 0 : (before.sum + now.sum) / count;
      figures[name.replace("*", "max")] = Math.max(before.max, now.max);
    }
    return figures;
  }

  #roll(): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.#marksMs[1] < WINDOW_MS) return;
    this.#marksMs = [this.#marksMs[1], nowMs];
    for (const { marks, total } of this.#counters.values()) {
      marks[0] = marks[1];
      marks[1] = total;
    }
    for (const windows of this.#observed.values()) {
      windows[0] = windows[1];
      windows[1] = nothing();
    }
  }
}

function nothing(): Sums {
  return { sum: 0, count: 0, max: 0 };
}
