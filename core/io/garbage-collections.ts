/** What the engine tells of its garbage collections: how many of each kind, and how long they took. */
import { GCProfiler } from "node:v8";

/** Collections of one kind since the start. */
export interface CollectionCount {
  count: number;
  seconds: number;
}

const MICROSECONDS = 1e6;
/** What looks at young objects alone; every other kind looks at all. */
const YOUNG = "Scavenge";

/** See the head of the file. The engine keeps notes until they are taken: `take` them regularly. */
export class GarbageCollections {
  readonly young: CollectionCount = { count: 0, seconds: 0 };
  readonly full: CollectionCount = { count: 0, seconds: 0 };
  #profiler: GCProfiler | null = null;

  /** Counts from now on. */
  start(): void {
    this.#profiler = new GCProfiler();
    this.#profiler.start();
  }

  /** Adds what was noted since the last time; nothing is lost in between. */
  take(): void {
    const statistics = this.#profiler?.stop()?.statistics;
    this.#profiler?.start();
    for (const { gcType, cost } of statistics ?? []) {
      const kind = gcType === YOUNG ? this.young : this.full;
      kind.count++;
      kind.seconds += cost / MICROSECONDS;
    }
  }

  /** Counts no more. */
  stop(): void {
    this.take();
    this.#profiler?.stop();
    this.#profiler = null;
  }
}
