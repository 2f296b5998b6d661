/** A server of others: a process over a folder of its own, which can die and come back with what it had. */
import { rmSync } from "node:fs";
import { freshDir } from "../../harness/fresh-dir.ts";

const START_TIMEOUT_MS = 30_000;
const LOOK_MS = 20;

/** See the head of the file. */
export abstract class ServerProcess {
  /** Removed by `stop`. */
  protected readonly folder: string;
  protected child: Bun.Subprocess | null = null;

  constructor(readonly name: string, private readonly startTimeoutMs: number = START_TIMEOUT_MS) {
    this.folder = freshDir(name);
  }

  /** Begins the process. */
  protected abstract spawn(): Bun.Subprocess;

  /** Whether it does what it is for. */
  protected abstract answers(): Promise<boolean>;

  /** Begins the process, also after `down`; resolves once it answers. */
  async up(): Promise<void> {
    const deadline = performance.now() + this.startTimeoutMs;
    this.child = this.spawn();
    while (!await this.answers()) {
      if (performance.now() > deadline) throw new Error(`${this.name} does not answer`);
      // What a killed one has left, as its port, may be in the way for a moment.
      if (this.child.exitCode !== null) this.child = this.spawn();
      await Bun.sleep(LOOK_MS);
    }
  }

  /** Kills the process; what it has stays. */
  async down(): Promise<void> {
    await this.ended("SIGKILL");
  }

  /** It goes on to be there, connections and all, but does nothing. */
  freeze(): void {
    this.child?.kill("SIGSTOP");
  }

  thaw(): void {
    this.child?.kill("SIGCONT");
  }

  /** The end of it, and of its folder. */
  async stop(): Promise<void> {
    await this.ended("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }

  protected async ended(signal: NodeJS.Signals): Promise<void> {
    this.child?.kill(signal);
    await this.child?.exited;
    this.child = null;
  }
}
