/**
 * A connection within this process: two sockets, what one is given comes out of the other. As on a
 * real one nothing arrives within the call that sends it, a reader that pauses holds back its peer, and
 * regions of files are read when their turn comes.
 */
import { assert } from "../assert.ts";
import { allocateUncleared } from "../buffer-pool.ts";
import { type Chunk, DiskError, type FileRegion, type HostPort } from "../io.ts";
import type { Socket, SocketHandlers } from "../io.ts";

/** Handed over in one turn of the event loop: others get theirs. */
const TURN_BYTES = 1024 * 1024;

/** What is left of a region to be sent. */
interface OpenRegion {
  readonly opened: ReturnType<FileRegion["open"]>;
  position: number;
  length: number;
}

/** Two ends; the owner of each sets its `handlers` before it gives up control. */
export function pipe(a: HostPort, b: HostPort): readonly [PipeEnd, PipeEnd] {
  const first = new PipeEnd(a, b);
  const second = new PipeEnd(b, a);
  first.join(second);
  second.join(first);
  return [first, second];
}

/** One end. */
export class PipeEnd implements Socket {
  handlers: SocketHandlers | null = null;
  pendingBytes = 0;
  #peer: PipeEnd | null = null;
  #queue: (Uint8Array | OpenRegion)[] = [];
  #isPaused = false;
  #isEnding = false;
  #isClosed = false;
  #isScheduled = false;

  constructor(readonly local: HostPort, readonly remote: HostPort) {}

  /** Called once, by `pipe`. */
  join(peer: PipeEnd): void {
    this.#peer = peer;
  }

  write(chunk: Chunk): void {
    if (this.#isClosed || this.#isEnding || chunk.length === 0) return;
    try {
      // Opened at once: until its turn comes the file may be removed.
      this.#queue.push(chunk instanceof Uint8Array ? chunk : openRegion(chunk));
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return this.#close(error);
    }
    this.pendingBytes += chunk.length;
    this.#schedule();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#other.#schedule();
  }

  end(): void {
    this.#isEnding = true;
    this.#schedule();
  }

  destroy(): void {
    this.#close(null);
  }

  get #other(): PipeEnd {
    assert(this.#peer !== null, "both ends are there before anything is sent");
    return this.#peer;
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isClosed) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    const peer = this.#other;
    if (this.#isClosed || peer.#isPaused) return;
    if (this.pendingBytes > 0) {
      const bytes = this.#take();
      if (bytes === null) return;
      peer.handlers?.onData(bytes);
      if (this.#isClosed) return;
      if (this.pendingBytes > 0) return this.#schedule();
      if (!this.#isEnding) this.handlers?.onDrain();
    }
    if (this.#isEnding && this.pendingBytes === 0) this.#close(null);
  }

  /** What goes in one turn, as a copy: both sides may hold on to their bytes. Null: it is closed. */
  #take(): Uint8Array | null {
    const bytes = allocateUncleared(Math.min(this.pendingBytes, TURN_BYTES));
    let filled = 0;
    while (filled < bytes.length) {
      const [head] = this.#queue;
      assert(head !== undefined, "what is pending is queued");
      const room = bytes.subarray(filled, filled + head.length);
      if (!takeFrom(head, room)) {
        this.#close(new Error("a file has ended before what was to be sent of it"));
        return null;
      }
      filled += room.length;
      if (head.length > room.length) this.#queue[0] = rest(head, room.length);
      else release(this.#queue.shift());
    }
    this.pendingBytes -= bytes.length;
    return bytes;
  }

  #close(error: Error | null): void {
    if (this.#isClosed) return;
    const peer = this.#other;
    this.#forget();
    peer.#forget();
    setImmediate(() => {
      this.handlers?.onClose(error);
      peer.handlers?.onClose(error);
    });
  }

  #forget(): void {
    this.#isClosed = true;
    for (const chunk of this.#queue.splice(0)) release(chunk);
    this.pendingBytes = 0;
  }
}

function openRegion(region: FileRegion): OpenRegion {
  return { opened: region.open(), position: region.position, length: region.length };
}

/** Fills `room` from the beginning of the chunk; false if the file does not have it. */
function takeFrom(chunk: Uint8Array | OpenRegion, room: Uint8Array): boolean {
  if (!(chunk instanceof Uint8Array)) {
    return chunk.opened.file.readSync(room, chunk.position) === room.length;
  }
  room.set(chunk.subarray(0, room.length));
  return true;
}

function rest(chunk: Uint8Array | OpenRegion, taken: number): Uint8Array | OpenRegion {
  if (chunk instanceof Uint8Array) return chunk.subarray(taken);
  return { ...chunk, position: chunk.position + taken, length: chunk.length - taken };
}

function release(chunk: Uint8Array | OpenRegion | undefined): void {
  if (chunk !== undefined && !(chunk instanceof Uint8Array)) chunk.opened.release();
}
