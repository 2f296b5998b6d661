/** Commands of the shell, in a process group of their own, so that what they start ends with them. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";
import type { TaskClock, TaskContext } from "../index.ts";

/** How a command ended: its code, or the signal that ended it. */
export type Ending = { readonly code: number } | { readonly signal: string };

const LOG_LINE_CHARACTERS_MAX = 2000;
/** What commands have between SIGTERM and SIGKILL. */
const PATIENCE_MS = 5000;
/** How long its last words are waited for. */
const LAST_WORDS_MS = 200;

export class Command {
  /** Resolves when it has ended. Rejects if it could not be started. */
  readonly ended: Promise<Ending>;
  /** The end of what it has said on standard error. */
  lastWords = "";
  readonly #child: ChildProcess;

  constructor(
    command: string,
    environment: Readonly<Record<string, string>>,
    log: TaskContext<unknown>["log"],
  ) {
    this.#child = spawn(command, {
      shell: true,
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...environment },
    });
    const wordsEnd = new Promise((resolve) => this.#child.stderr?.once("close", resolve));
    this.ended = new Promise((resolve, reject) => {
      this.#child.on("error", reject);
      this.#child.on("exit", (code, signal) => {
        const ending = code === null ? { signal: signal ?? "SIGKILL" } : { code };
        // What it has started may go on and hold its standard error open.
        const late = new Promise((hear) => setTimeout(hear, LAST_WORDS_MS));
        void Promise.race([wordsEnd, late]).then(() => resolve(ending));
      });
    });
    // Who writes hears of it from the write.
    this.#child.stdin?.on("error", () => {});
    // Whoever waits for the end hears of it; until then it is nobody's.
    this.ended.catch(() => {});
    let rest = "";
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = (lines.pop() ?? "").slice(-LOG_LINE_CHARACTERS_MAX);
      for (const line of lines) {
        this.lastWords = line.slice(0, LOG_LINE_CHARACTERS_MAX);
        log.warn("the command says", { line: this.lastWords });
      }
      if (rest !== "") this.lastWords = rest;
    });
  }

  get output(): Readable {
    return this.#child.stdout!;
  }

  /** Resolves when it has taken the bytes; rejects if it does not read any more. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#child.stdin!.write(bytes, (error) => {
        if (error === null || error === undefined) resolve();
        else reject(error);
      })
    );
  }

  /** Its standard input ends. */
  endInput(): void {
    this.#child.stdin!.end();
  }

  /** Asks it to end, and makes it. */
  async stop(clock: TaskClock): Promise<void> {
    const late = new AbortController();
    this.#signal("SIGTERM");
    // What nobody reads any more would keep it from being over.
    this.output.destroy();
    const killed = clock.sleep(PATIENCE_MS, late.signal).then(() => {
      if (!late.signal.aborted) this.#signal("SIGKILL");
    });
    await this.ended.catch(() => {});
    late.abort();
    await killed;
  }

  #signal(signal: "SIGTERM" | "SIGKILL"): void {
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // It has ended by itself.
    }
  }
}

/** As it goes on behind "the command". */
export function describeEnding(ending: Ending): string {
  return "code" in ending ? `ended with ${ending.code}` : `was ended by ${ending.signal}`;
}
