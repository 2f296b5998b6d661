/**
 * Copies ranges of bytes that are short and many. Bun's own copy, which needs no view of the range,
 * takes a third of the time of `set` with one; where V8 runs it is the other way round. Up to some
 * length a loop is faster than either.
 */
import { Buffer } from "node:buffer";
import process from "node:process";

const BY_LOOP_BYTES = 32;
const isBun = process.versions["bun"] !== undefined;
const { copy } = Buffer.prototype;

/** Copies `from[start, end)` into `into` at `at`, where there has to be room. */
export function copyBytes(
  into: Uint8Array,
  at: number,
  from: Uint8Array,
  start: number,
  end: number,
): void {
  if (end - start <= BY_LOOP_BYTES) {
    for (let i = start, to = at; i < end; i++, to++) into[to] = from[i]!;
  } else if (isBun) copy.call(from, into, at, start, end);
  else into.set(from.subarray(start, end), at);
}
