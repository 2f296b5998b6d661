/** Hosts that are threads of this process. */
import type { Host, HostEvents, OpenHost } from "../../../connect/host/host.ts";

/** Where `host-thread.ts` is: in the binary it goes by its path in the sources. */
const SCRIPT = /[\\/](\$bunfs|~BUN)[\\/]/.test(import.meta.path)
  ? "./cmd/connect/hosts/host-thread.ts"
  : new URL("./host-thread.ts", import.meta.url).href;

/** Opens such hosts. */
export function threadHosts(script = SCRIPT): OpenHost {
  return (events) => new ThreadHost(script, events);
}

/**
 * A thread that is killed ends at its next step in JavaScript, with its sockets and servers: a call
 * into native code has to return first, and `ended` waits for that.
 */
class ThreadHost implements Host {
  readonly ended: Promise<string>;
  readonly #thread: Worker;
  #why: string | null = null;
  #isOver = false;

  constructor(script: string, events: HostEvents) {
    const thread = this.#thread = new Worker(script);
    thread.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
      if (this.#isOver) return;
      if (typeof data === "string") events.message(JSON.parse(data));
      else this.#why ??= lastWordsOf(data);
    });
    // What its script could not be begun by.
    thread.addEventListener("error", ({ message }) => void (this.#why ??= message));
    const { promise, resolve } = Promise.withResolvers<string>();
    this.ended = promise;
    thread.addEventListener("close", (event) => {
      this.#isOver = true;
      resolve(
        this.#why ?? (event instanceof CloseEvent ? `exit code ${event.code}` : "it is gone"),
      );
    });
  }

  send(message: unknown): void {
    if (!this.#isOver) this.#thread.postMessage(JSON.stringify(message));
  }

  kill(why: string): void {
    this.#why ??= why;
    this.#thread.terminate();
  }
}

function lastWordsOf(data: unknown): string | null {
  const isSaid = typeof data === "object" && data !== null && "lastWords" in data;
  return isSaid ? String(data.lastWords) : null;
}
