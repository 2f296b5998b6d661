/** Standard output with back-pressure: a write is over when the reader's pipe has taken it. */
import { write as writeCallback, writeSync } from "node:fs";
import { promisify } from "node:util";
import { readerGone } from "../core/io/bun/libc.ts";
import { OperatorError } from "../core/operator-error.ts";
import { reasonOf } from "./reason.ts";

const write = promisify(writeCallback);
const STDOUT = 1;
const AGAIN_AFTER_MS = 5;

/** Whether the reader of a pipe on standard output has gone. */
export function stdoutReaderGone(): boolean {
  return readerGone(STDOUT);
}

/** Writes all the bytes; false once the reader has gone. Throws `OperatorError`: a full disk. */
export async function writeStdout(bytes: Uint8Array): Promise<boolean> {
  let position = 0;
  while (position < bytes.length) {
    try {
      position += (await write(STDOUT, bytes, position, bytes.length - position)).bytesWritten;
    } catch (error) {
      if (!canWriteAgain(error)) return false;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER_MS));
    }
  }
  return true;
}

/** As `writeStdout`, at once: a slow reader holds up all of this process. */
export function writeStdoutNow(bytes: Uint8Array): boolean {
  let position = 0;
  while (position < bytes.length) {
    try {
      position += writeSync(STDOUT, bytes, position);
    } catch (error) {
      if (!canWriteAgain(error)) return false;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_AFTER_MS);
    }
  }
  return true;
}

/** Whether the pipe is full; false: its reader has gone. Throws an `OperatorError` for all else. */
function canWriteAgain(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : null;
  if (code === "EAGAIN") return true;
  if (code === "EPIPE") return false;
  throw new OperatorError("cannot write to standard output", reasonOf(error), "", 1);
}
