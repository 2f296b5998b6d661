/** Commands of the shell, in a process group of their own, so that what they start ends with them. */
import { assert } from "../../core/assert.ts";
import type { TaskClock, TaskContext } from "../index.ts";

/** How a command ended: its code, or the signal that ended it. */
export type Ending = { readonly code: number } | { readonly signal: string };

const LOG_LINE_CHARACTERS_MAX = 2000;
/** What commands have between SIGTERM and SIGKILL. */
const PATIENCE_MS = 5000;
/** How long its last words are waited for. */
const LAST_WORDS_MS = 200;

export class Command {
  /** Resolves when it has ended. */
  readonly ended: Promise<Ending>;
  /** The end of what it has said on standard error. */
  lastWords = "";
  readonly #child: Bun.Subprocess<"pipe", "pipe" | "ignore", "pipe">;

  /** `isRead`: whether somebody reads its output; else it is dropped. Throws if there is no shell. */
  constructor(
    command: string,
    isRead: boolean,
    environment: Readonly<Record<string, string>>,
    log: TaskContext<unknown>["log"],
  ) {
    const child = Bun.spawn(["/bin/sh", "-c", command], {
      detached: true,
      stdin: "pipe",
      stdout: isRead ? "pipe" : "ignore",
      stderr: "pipe",
      env: { ...process.env, ...environment },
    });
    this.#child = child;
    const heard = this.#hear(child.stderr, log);
    this.ended = child.exited.then(async (code): Promise<Ending> => {
      // What it has started may go on and hold its standard error open.
      const late = new Promise((hear) => setTimeout(hear, LAST_WORDS_MS));
      await Promise.race([heard, late]);
      return child.signalCode === null ? { code } : { signal: String(child.signalCode) };
    });
  }

  async #hear(stream: ReadableStream<Uint8Array>, log: TaskContext<unknown>["log"]): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const bytes of stream) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = (lines.pop() ?? "").slice(-LOG_LINE_CHARACTERS_MAX);
      for (const line of lines) {
        this.lastWords = line.slice(0, LOG_LINE_CHARACTERS_MAX);
        log.warn("the command says", { line: this.lastWords });
      }
    }
    if (rest !== "") this.lastWords = rest;
  }

  get output(): ReadableStream<Uint8Array> {
    const { stdout } = this.#child;
    assert(stdout !== undefined, "the output of a command that nobody was to read");
    return stdout;
  }

  /** Resolves when it has taken the bytes; rejects if it does not read any more. */
  async write(bytes: Uint8Array): Promise<void> {
    await this.#child.stdin.write(bytes);
    await this.#child.stdin.flush();
  }

  /** Its standard input ends. */
  async endInput(): Promise<void> {
    try {
      await this.#child.stdin.end();
    } catch {
      // It has ended by itself, and reads nothing any more.
    }
  }

  /** Asks it to end, and makes it. */
  async stop(clock: TaskClock): Promise<void> {
    const late = new AbortController();
    this.#signal("SIGTERM");
    const killed = clock.sleep(PATIENCE_MS, late.signal).then(() => {
      if (!late.signal.aborted) this.#signal("SIGKILL");
    });
    await this.ended;
    late.abort();
    await killed;
  }

  #signal(signal: "SIGTERM" | "SIGKILL"): void {
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
