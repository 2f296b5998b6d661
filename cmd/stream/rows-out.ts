/** Rows on standard output, one line each: written at once, so that a slow reader holds up who writes. */
import { writeStdoutNow } from "../stdout.ts";

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
    this.#isOpen = writeStdoutNow(Buffer.from(`${line}\n`)) && ++this.#count !== this.limit;
    if (!this.#isOpen) this.#end();
  }
}
