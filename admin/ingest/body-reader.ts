/** Reads the body of a request as it is needed, and gives up one that stands still. */
import type { Clock } from "../../core/io.ts";
import type { ReadInto } from "../../core/text/record-blocks.ts";
import { Problem } from "../problem.ts";

/** A body of which nothing comes for so long is given up. */
export const IDLE_MS = 60_000;

/** The sender has gone in the middle of the body. */
export class BodyCutError extends Error {
  override readonly name = "BodyCutError";
}

/** See the head of the file. One read at a time. */
export class BodyReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | null;
  #left: Uint8Array | null = null;

  constructor(readonly clock: Clock, request: Request, readonly idleMs: number = IDLE_MS) {
    this.#reader = request.body?.getReader() ?? null;
  }

  /** As `ReadInto`. Throws `BodyCutError` and a `Problem`. */
  readonly into: ReadInto = async (into, at) => {
    const bytes = this.#left ?? await this.next();
    if (bytes === null) return 0;
    const room = into.length - at;
    const taken = bytes.length <= room ? bytes : bytes.subarray(0, room);
    this.#left = bytes.length <= room ? null : bytes.subarray(room);
    into.set(taken, at);
    return taken.length;
  };

  /** The next bytes, or null at the end. */
  async next(): Promise<Uint8Array | null> {
    if (this.#reader === null) return null;
    for (;;) {
      const { done, value } = await this.#unlessIdle(this.#reader.read());
      if (done) return null;
      if (value.length > 0) return value;
    }
  }

  /** The whole of it, of `bytesMax` at most. Throws a `Problem` for more. */
  async all(bytesMax: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let size = 0;
    for (let part = await this.next(); part !== null; part = await this.next()) {
      size += part.length;
      if (size > bytesMax) {
        throw new Problem(413, "too large", `the body has more than ${bytesMax} bytes`);
      }
      parts.push(part);
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  /** Wants no more of it. */
  close(): void {
    this.#reader?.cancel().catch(() => {});
  }

  async #unlessIdle<T>(reading: Promise<T>): Promise<T> {
    const { promise: idle, reject } = Promise.withResolvers<never>();
    const timer = this.clock.setTimer(this.idleMs, () => {
      const seconds = Math.round(this.idleMs / 1000);
      reject(new Problem(408, "idle", `nothing of the body came for ${seconds} s`));
    });
    try {
      return await Promise.race([reading, idle]);
    } catch (error) {
      if (error instanceof Problem) throw error;
      throw new BodyCutError(error instanceof Error ? error.message : String(error));
    } finally {
      timer.cancel();
    }
  }
}
