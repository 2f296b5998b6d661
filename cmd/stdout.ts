/** Standard output with back-pressure: a write is over when the reader's pipe has taken it. */
import { write as writeCallback } from "node:fs";
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
      const code = error instanceof Error && "code" in error ? error.code : null;
      if (code === "EPIPE") return false;
      if (code === "EAGAIN") await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER_MS));
      else {
        const why = reasonOf(error);
        throw new OperatorError("cannot write to standard output", why, "", 1);
      }
    }
  }
  return true;
}
