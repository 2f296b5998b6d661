/**
 * Bytes that an offloaded task and its user hand each other: in memory that both see where they fit,
 * else along with the message. The task uses the memory only during a call, its user only between two.
 */
import { allocateUncleared } from "../core/buffer-pool.ts";

/** What goes to the task, and what comes from it. */
export interface SharedMemory {
  readonly input: Uint8Array;
  readonly output: Uint8Array;
}

/** So much at the start of the shared memory; or, if that is 0, `bytes`. */
export interface Handed {
  readonly bytes: Uint8Array;
  readonly sharedBytes: number;
}

const NOTHING = new Uint8Array(0);

/** Room for so many bytes: in the memory, unless they are too many for it. */
export function roomFor(memory: Uint8Array, sizeBytes: number): Uint8Array {
  return sizeBytes <= memory.length ? memory.subarray(0, sizeBytes) : allocateUncleared(sizeBytes);
}

/** How the other side is told of bytes, which lie at the start of the memory or elsewhere. */
export function handOver(memory: Uint8Array, bytes: Uint8Array): Handed {
  return bytes.buffer === memory.buffer
    ? { bytes: NOTHING, sharedBytes: bytes.length }
    : { bytes, sharedBytes: 0 };
}

/** The bytes that were handed over, until the next call. */
export function takeOver(memory: Uint8Array, { bytes, sharedBytes }: Handed): Uint8Array {
  return sharedBytes === 0 ? bytes : memory.subarray(0, sharedBytes);
}
