/**
 * The body of an answer that is made as fast as it is read, and no faster. Who takes nothing for too
 * long is let go, with a last word for when it reads again.
 */
import type { Clock } from "../../core/io.ts";
import type { BrowsePermit } from "./limits.ts";

const encoder = new TextEncoder();

/** See the head of the file. */
export class ResponseWriter {
  readonly stream: ReadableStream<Uint8Array>;
  /** What a reader that is too slow is told at last. */
  lastWord: () => string = () => "";
  readonly #gone = new AbortController();
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  /** Resolves the reader's pull. */
  #served: (() => void) | null = null;
  /** Tells who waits that the reader wants something. */
  #wanted: (() => void) | null = null;

  constructor(
    readonly clock: Clock,
    readonly permit: BrowsePermit,
    readonly slowMs: number,
  ) {
    this.stream = new ReadableStream<Uint8Array>({
      start: (controller) => void (this.#controller = controller),
      pull: () =>
        new Promise<void>((resolve) => {
          this.#served = resolve;
          this.#wanted?.();
        }),
      cancel: () => this.#gone.abort(),
    }, { highWaterMark: 0 });
  }

  /** Aborted when nobody reads any more. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Aborts it, for an end that the stream does not hear of. */
  readonly drop = (): void => this.#gone.abort();

  /** Sends the bytes, which must not change, once the reader wants them. False if it has gone. */
  async write(bytes: Uint8Array): Promise<boolean> {
    if (!await this.#demand()) return false;
    this.#enqueue(bytes);
    await this.permit.sent(bytes.length, this.gone);
    return !this.gone.aborted;
  }

  /** Sends the text if the reader waits and nothing else is on its way. */
  offer(text: () => string): void {
    if (this.gone.aborted || this.#served === null) return;
    this.#enqueue(encoder.encode(text()));
  }

  /** Sends what is left and ends. */
  async end(bytes: Uint8Array): Promise<void> {
    if (bytes.length > 0 && !await this.#demand()) return;
    if (this.gone.aborted) return;
    if (bytes.length > 0) this.#enqueue(bytes);
    this.#close();
  }

  #enqueue(bytes: Uint8Array): void {
    this.#controller?.enqueue(bytes);
    this.#served?.();
    this.#served = null;
  }

  #close(): void {
    this.#controller?.close();
    this.#controller = null;
    this.#served?.();
    this.#served = null;
  }

  async #demand(): Promise<boolean> {
    if (this.gone.aborted || this.#controller === null) return false;
    if (this.#served !== null) return true;
    const { promise, resolve } = Promise.withResolvers<"wanted" | "slow" | "gone">();
    const timer = this.clock.setTimer(this.slowMs, () => resolve("slow"));
    const onGone = () => resolve("gone");
    this.gone.addEventListener("abort", onGone, { once: true });
    this.#wanted = () => resolve("wanted");
    try {
      const result = await promise;
      if (result !== "slow") return result === "wanted";
      this.#enqueue(encoder.encode(this.lastWord()));
      this.#close();
      this.#gone.abort();
      return false;
    } finally {
      timer.cancel();
      this.gone.removeEventListener("abort", onGone);
      this.#wanted = null;
    }
  }
}
