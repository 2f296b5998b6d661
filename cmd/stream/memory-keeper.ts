/**
 * Keeps the process of an application small. The engine's collector lets a heap grow to several times
 * what is in use before it goes through all of it, and a member makes garbage that lives for a commit:
 * too long for the quick collections. So all of it is collected whenever the process has grown.
 */
import type { Clock, Timer } from "../../core/io.ts";

const LOOK_EVERY_MS = 200;
const GROWN_BYTES = 40 * 1024 * 1024;
/** The more there is to go through, the more seldom: it costs a bounded part of the work. */
const GROWN_PART = 0.25;

/** What it asks of the process. */
export interface ProcessMemory {
  residentBytes(): number;
  /** Collects all garbage before it returns. */
  collect(): void;
}

const ownMemory: ProcessMemory = {
  residentBytes: () => process.memoryUsage.rss(),
  collect: () => Bun.gc(true),
};

/** See the head of the file. */
export class MemoryKeeper {
  #timer: Timer | null = null;
  /** As large as the process was after the last collection. */
  #bytes: number;

  constructor(private readonly clock: Clock, private readonly memory: ProcessMemory = ownMemory) {
    this.#bytes = memory.residentBytes();
  }

  start(): void {
    this.#timer = this.clock.setTimer(LOOK_EVERY_MS, () => {
      this.#look();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #look(): void {
    const bytes = this.memory.residentBytes();
    // What others have given back, or the system has taken.
    if (bytes < this.#bytes) this.#bytes = bytes;
    if (bytes - this.#bytes < Math.max(GROWN_BYTES, this.#bytes * GROWN_PART)) return;
    this.memory.collect();
    this.#bytes = this.memory.residentBytes();
  }
}
