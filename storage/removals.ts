/** Files and folders that have been renamed away and go after a delay. */
import type { Clock, Disk, Timer } from "../core/io.ts";
import { DiskError } from "../core/io.ts";
import type { Logger } from "../core/logger.ts";
import type { OpenFiles } from "./open-files.ts";

/** See the head of this file. What is left at a stop goes at the next start. */
export class Removals {
  private readonly timers = new Set<Timer>();

  constructor(
    private readonly clock: Clock,
    private readonly disk: Disk,
    private readonly logger: Logger,
    private readonly files: OpenFiles,
  ) {}

  /** Removes the paths after the delay. */
  add(paths: readonly string[], delayMs: number): void {
    if (paths.length === 0) return;
    const timer = this.clock.setTimer(delayMs, () => {
      this.timers.delete(timer);
      for (const path of paths) this.remove(path);
    });
    this.timers.add(timer);
  }

  /** Removes a file or folder now. */
  remove(path: string): void {
    // Readers of before may have opened it under its new name.
    this.files.close(path);
    try {
      if (this.disk.stat(path)?.isDirectory === true) this.disk.removeDir(path);
      else this.disk.remove(path);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.logger.warn("cannot remove a file", { path, why: error.message });
    }
  }

  /** Stops: nothing is removed any more. */
  stop(): void {
    for (const timer of this.timers) timer.cancel();
    this.timers.clear();
  }
}
