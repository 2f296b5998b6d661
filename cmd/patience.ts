/** Trying until a deadline: what passes (a broker that starts, a leader that moves) is waited out. */
import { ConnectionError, KafkaError, TimeoutError } from "../client/errors.ts";
import { isUnknownName } from "../core/connection-error.ts";
import { sleep } from "../core/io.ts";
import { OperatorError } from "../core/operator-error.ts";
import { clientIo, toOperatorError } from "./client.ts";
import { say } from "./terminal.ts";
import { formatDuration } from "./txn/duration.ts";

/** What a look has found: that it is so, or why not yet. */
export type Look<T> = { readonly found: T } | { readonly why: string };

const FIRST_PAUSE_MS = 50;
const PAUSE_MAX_MS = 1000;

/** One deadline and what was in the way when somebody looked last. */
export class Patience {
  readonly startMs = clientIo.clock.monotonicMs();
  readonly #over: Promise<null>;
  #why = "";
  #unreachable: OperatorError | null = null;
  #isNameTold = false;

  constructor(readonly timeoutMs: number) {
    this.#over = sleep(clientIo.clock, timeoutMs).then(() => null);
  }

  get elapsedMs(): number {
    return Math.round(clientIo.clock.monotonicMs() - this.startMs);
  }

  get leftMs(): number {
    return Math.max(0, this.timeoutMs - this.elapsedMs);
  }

  /** Looks, with growing pauses, until something is found; null once the time is over. */
  async until<T>(look: () => Promise<Look<T>>): Promise<T | null> {
    for (let pauseMs = FIRST_PAUSE_MS;; pauseMs = Math.min(PAUSE_MAX_MS, pauseMs * 2)) {
      const seen = await Promise.race([this.#guarded(look), this.#over]);
      if (seen === null) return null;
      if ("found" in seen) return seen.found;
      this.#why = seen.why;
      const next = sleep(clientIo.clock, Math.min(pauseMs, this.leftMs + 1));
      if (await Promise.race([next.then(() => true), this.#over]) === null) return null;
    }
  }

  /** Says why not, where that was found out by other means than `until`. */
  say(why: string): void {
    this.#why = why;
    this.#unreachable = null;
  }

  /** Why it was not found in time. Exit code 1, or 3 where no broker could be reached. */
  failure(what: string, whatToDo = ""): OperatorError {
    const time = formatDuration(this.timeoutMs);
    if (this.#unreachable !== null) {
      const { why, whatToDo: advice } = this.#unreachable;
      return new OperatorError(`no broker answers within ${time}`, why, advice, 3);
    }
    if (this.#why === "") {
      return new OperatorError(`nothing came from the broker within ${time}`, "", whatToDo, 3);
    }
    return new OperatorError(`${what} within ${time}`, this.#why, whatToDo, 1);
  }

  /** A broker may be yet to start, but hardly its name: who has mistyped it is not to wait in vain. */
  #tellName({ message }: ConnectionError): void {
    if (this.#isNameTold) return;
    this.#isNameTold = true;
    say(`kstream: ${message}: trying on for ${formatDuration(this.leftMs)}`);
  }

  async #guarded<T>(look: () => Promise<Look<T>>): Promise<Look<T>> {
    try {
      const seen = await look();
      this.#unreachable = null;
      return seen;
    } catch (error) {
      const passes = error instanceof TimeoutError ||
        ((error instanceof ConnectionError || error instanceof KafkaError) && error.retriable);
      if (!passes) throw error;
      const connection = error instanceof TimeoutError ? error.cause : error;
      this.#unreachable = connection instanceof ConnectionError
        ? toOperatorError(connection)
        : null;
      if (connection instanceof ConnectionError && isUnknownName(connection)) {
        this.#tellName(connection);
      }
      return { why: error.message };
    }
  }
}
