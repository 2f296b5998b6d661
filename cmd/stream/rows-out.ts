/** Rows on standard output, one line each: written at once, so that a slow reader holds up who writes. */
import { writeSync } from "node:fs";
import { OperatorError } from "../../core/operator-error.ts";
import { reasonOf } from "../reason.ts";

const STDOUT = 1;
const AGAIN_AFTER_MS = 5;

/** See the head of the file. */
export class RowsOut {
  #count = 0;
  #end!: () => void;
  /** When there are as many as are wanted, or nobody reads them any more. */
  readonly isOver = new Promise<void>((resolve) => this.#end = resolve);
  #isOpen = true;

  /** `limit`: null: as many as come. */
  constructor(private readonly limit: number | null) {}

  /** What comes after the last one is left out. */
  write(line: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = writeAll(Buffer.from(`${line}\n`)) && ++this.#count !== this.limit;
    if (!this.#isOpen) this.#end();
  }
}

/** False: the reader has gone. Throws `OperatorError`: a full disk. */
function writeAll(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(STDOUT, bytes, at);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : null;
      if (code === "EPIPE") return false;
      if (code !== "EAGAIN") {
        throw new OperatorError("cannot write to standard output", reasonOf(error), "", 1);
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_AFTER_MS);
    }
  }
  return true;
}
