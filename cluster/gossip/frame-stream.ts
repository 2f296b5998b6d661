/** A TCP connection of sealed frames, read one after the other, with one deadline for all of it. */
import { type Deferred, deferred } from "../../core/deferred.ts";
import { FrameReader } from "../../core/frame-reader.ts";
import type { Clock, Socket, SocketHandlers, Timer } from "../../core/io.ts";
import type { Envelope, Unopened } from "./envelope.ts";
import {
  decodeFrame,
  encodeFrame,
  type Frame,
  FRAME_BYTES_MAX,
  openRefusal,
  readOpenRefusal,
  type RefusalReason,
} from "./frames.ts";

/** So much may have come and not been read before the peer has to wait. */
const BUFFERED_BYTES_MAX = 256 * 1024;

/** The peer has gone or says what it must not: nothing more can be had from it. */
export class StreamError extends Error {
  override readonly name = "StreamError";
}

/** The peer does not want to talk with us. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  constructor(readonly reason: RefusalReason, readonly sentence: string) {
    super(sentence);
  }
}

/** What a stream is made with. */
export interface FrameStreamOptions {
  readonly clock: Clock;
  readonly envelope: Envelope;
  readonly timeoutMs: number;
  /** Counts bytes, negative for those received, and what could not be opened. */
  readonly onBytes: (count: number) => void;
  readonly onDropped: (why: Unopened) => void;
}

/** See the head of this file. */
export class FrameStream {
  readonly #options: FrameStreamOptions;
  readonly #reader = new FrameReader(FRAME_BYTES_MAX, { roomBytes: 4_096 });
  readonly #timer: Timer;
  #socket: Socket | null = null;
  #waiting: Deferred<Uint8Array> | null = null;
  #failure: StreamError | null = null;
  #isPaused = false;
  #isEnded = false;

  constructor(options: FrameStreamOptions) {
    this.#options = options;
    this.#timer = options.clock.setTimer(
      options.timeoutMs,
      () => this.#fail(`nothing came of it within ${options.timeoutMs} ms`),
    );
  }

  /** The handlers of its socket. */
  get handlers(): SocketHandlers {
    return {
      onData: (bytes) => this.#received(bytes),
      onDrain: () => {},
      onClose: () => this.#fail("the connection was closed"),
    };
  }

  /** To be called before anything else. */
  attach(socket: Socket): void {
    this.#socket = socket;
    if (this.#failure !== null) socket.destroy();
  }

  /** Whether nothing more can come. */
  get isOver(): boolean {
    return this.#failure !== null;
  }

  send(frame: Frame): void {
    this.#write(this.#options.envelope.seal(encodeFrame(frame)));
  }

  /** The next frame. Rejects with a `StreamError` or a `RefusedError`. */
  async next(): Promise<Frame> {
    const bytes = await this.#nextBytes();
    const payload = this.#options.envelope.open(bytes);
    if (typeof payload === "string") throw this.#unopened(bytes, payload);
    const frame = decodeFrame(payload);
    if (frame === null) {
      this.#options.onDropped("malformed");
      throw new StreamError("it sent something that is no gossip");
    }
    if (frame.type === "refused") throw new RefusedError(frame.reason, frame.sentence);
    return frame;
  }

  /** Sends what was written, then closes; by the deadline it is closed in any case. */
  end(): void {
    this.#isEnded = true;
    this.#socket?.end();
  }

  /** Closes at once, unless it is ending already. */
  destroy(): void {
    if (!this.#isEnded) this.abort();
  }

  /** Closes at once. */
  abort(): void {
    this.#fail("closed by this member");
  }

  /** Bytes that cannot be opened: the other side's refusal, or a stranger, who is told why. */
  #unopened(bytes: Uint8Array, why: Unopened): Error {
    const refusal = readOpenRefusal(bytes);
    if (refusal !== null) return new RefusedError(refusal, SENTENCES[refusal] ?? "it refuses");
    this.#options.onDropped(why);
    if (why === "network" || why === "key" || why === "version") {
      this.#write(openRefusal(why));
      this.end();
    }
    return new StreamError("it sent something that cannot be read");
  }

  #write(bytes: Uint8Array): void {
    const out = new Uint8Array(4 + bytes.length);
    new DataView(out.buffer).setUint32(0, bytes.length);
    out.set(bytes, 4);
    this.#options.onBytes(out.length);
    this.#socket?.write(out);
  }

  #received(bytes: Uint8Array): void {
    if (this.#failure !== null) return;
    this.#options.onBytes(-bytes.length);
    this.#reader.push(bytes);
    const waiting = this.#waiting;
    if (waiting !== null) {
      const frame = this.#reader.next();
      if (frame !== null) {
        this.#waiting = null;
        waiting.resolve(frame);
      }
    }
    if (this.#reader.badLength !== null) return this.#fail("it sent something that is no gossip");
    if (this.#reader.bufferedBytes > BUFFERED_BYTES_MAX) {
      this.#isPaused = true;
      this.#socket?.pause();
    }
  }

  #nextBytes(): Promise<Uint8Array> {
    const frame = this.#reader.next();
    if (this.#isPaused && this.#reader.bufferedBytes < BUFFERED_BYTES_MAX) {
      this.#isPaused = false;
      this.#socket?.resume();
    }
    if (frame !== null) return Promise.resolve(frame);
    if (this.#failure !== null) return Promise.reject(this.#failure);
    this.#waiting = deferred();
    return this.#waiting.promise;
  }

  #fail(why: string): void {
    if (this.#failure !== null) return;
    this.#failure = new StreamError(why);
    this.#timer.cancel();
    this.#socket?.destroy();
    this.#waiting?.reject(this.#failure);
    this.#waiting = null;
  }
}

const SENTENCES: Readonly<Partial<Record<RefusalReason, string>>> = {
  network: "it belongs to another cluster (its --cluster name differs)",
  key: "it has none of our gossip keys, or we have none of its",
  version: "it speaks another version of the gossip protocol",
};
