/**
 * Decides which logs are synced when: one scheduler per data directory keeps a bounded number of
 * syncs in flight, first come first served. While a log's sync runs or waits, everything that is
 * appended goes along with its next one: that is the group commit.
 */
import { assert } from "../core/assert.ts";
import { Histogram } from "../core/histogram.ts";
import type { Clock } from "../core/io.ts";

/** Something that can be made durable. */
export interface Committable {
  /** Makes durable what was appended before the call. Never rejects: it deals with failures. */
  commit(): Promise<void>;
}

/** See the head of this file. */
export class CommitScheduler {
  private readonly waiting: Committable[] = [];
  private head = 0;
  /** Logs that wait, or run; the value says whether to go again. */
  private readonly states = new Map<Committable, "waiting" | "running" | "again">();
  private inFlight = 0;
  private idleListeners: (() => void)[] = [];
  /** How long commits take, milliseconds. */
  readonly times = new Histogram();

  constructor(private readonly clock: Clock, private readonly maxInFlight: number) {
    assert(maxInFlight > 0, "at least one sync can be in flight");
  }

  /** Asks for a commit that begins after this call. */
  request(log: Committable): void {
    switch (this.states.get(log)) {
      case undefined:
        this.enqueue(log);
        this.startSome();
        return;
      case "running":
        this.states.set(log, "again");
        return;
      case "waiting":
      case "again":
        return;
    }
  }

  /** Resolves when nothing waits or runs. */
  idle(): Promise<void> {
    if (this.states.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.idleListeners.push(resolve));
  }

  private enqueue(log: Committable): void {
    this.states.set(log, "waiting");
    this.waiting.push(log);
  }

  private startSome(): void {
    while (this.inFlight < this.maxInFlight && this.head < this.waiting.length) {
      const log = this.waiting[this.head++]!;
      if (this.head === this.waiting.length) {
        this.waiting.length = 0;
        this.head = 0;
      }
      this.inFlight++;
      this.states.set(log, "running");
      void this.run(log);
    }
  }

  private async run(log: Committable): Promise<void> {
    // What else is appended in this turn of the event loop goes along.
    await null;
    const startMs = this.clock.monotonicMs();
    await log.commit();
    this.times.record(this.clock.monotonicMs() - startMs);
    this.inFlight--;
    const again = this.states.get(log) === "again";
    this.states.delete(log);
    if (again) this.enqueue(log);
    this.startSome();
    if (this.states.size > 0) return;
    const listeners = this.idleListeners;
    this.idleListeners = [];
    for (const listener of listeners) listener();
  }
}
