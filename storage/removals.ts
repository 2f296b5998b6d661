/** Files and folders that have been renamed away and go after a delay. */
import type { Clock, Disk, Timer } from "../core/io.ts";
import { DiskError } from "../core/io.ts";
import type { Logger } from "../core/logger.ts";
import type { OpenFiles } from "./open-files.ts";

/** See the head of this file. What is left at a stop goes at the next start. */
export class Removals {
  private readonly timers = new Set<Timer>();
  private isStopped = false;
  /** Settles with the last removal: they go one after the other. */
  private removing: Promise<void> = Promise.resolve();

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
      for (const path of paths) this.removing = this.removing.then(() => this.remove(path));
    });
    this.timers.add(timer);
  }

  /** Removes a file or folder now. */
  private async remove(path: string): Promise<void> {
    if (this.isStopped) return;
    // Readers of before may have opened it under its new name.
    this.files.close(path);
    try {
      await this.disk.removeTree(path);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.logger.warn("cannot remove a file", { path, why: error.message });
    }
  }

  /** Stops: when it resolves, nothing is removed any more. */
  async stop(): Promise<void> {
    this.isStopped = true;
    for (const timer of this.timers) timer.cancel();
    this.timers.clear();
    await this.removing;
  }
}
