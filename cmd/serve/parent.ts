/**
 * The program that started this process, at the other end of its standard input: when that ends, the
 * program is gone, however it ended, and this process has to go as well. Nothing else does it for
 * processes that are killed.
 */
/** Most of what a line may be; what is longer is none that anybody waits for. */
const LINE_BYTES_MAX = 1024 * 1024;
const NEWLINE = 0x0a;
/** Lines that are kept for who is going to ask for them; more nobody sends. */
const EARLY_MAX = 16;

/** See the head of the file. It reads standard input from now on. */
export class Parent {
  readonly #gone = new AbortController();
  readonly #line = Promise.withResolvers<string>();
  #read: Buffer | null = Buffer.alloc(0);
  #isFirst = true;
  readonly #early: string[] = [];
  #onLine: ((line: string) => void) | null = null;

  constructor(input: NodeJS.ReadableStream = process.stdin) {
    this.#line.promise.catch(() => {});
    input.on("data", (chunk: Buffer | string) => this.#take(Buffer.from(chunk)));
    for (const event of ["end", "close", "error"]) input.on(event, () => this.#end());
    input.resume();
  }

  /** Aborted when it is gone. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** The first line that it sends; rejects if it goes before, or sends very much without an end. */
  get firstLine(): Promise<string> {
    return this.#line.promise;
  }

  /** Gets the lines after the first, also those that have come already; without it they are thrown away. */
  onLine(listener: (line: string) => void): void {
    this.#onLine = listener;
    for (const line of this.#early.splice(0)) listener(line);
  }

  /** Resolves when it is gone. */
  whenGone(): Promise<void> {
    return new Promise((resolve) => {
      if (this.gone.aborted) return resolve();
      this.gone.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  #take(chunk: Buffer): void {
    if (this.#read === null) return;
    let read = Buffer.concat([this.#read, chunk]);
    for (let end = read.indexOf(NEWLINE); end >= 0; end = read.indexOf(NEWLINE)) {
      const line = read.toString("utf8", 0, end);
      read = read.subarray(end + 1);
      if (this.#isFirst) this.#line.resolve(line);
      else if (this.#onLine !== null) this.#onLine(line);
      else if (this.#early.length < EARLY_MAX) this.#early.push(line);
      this.#isFirst = false;
    }
    this.#read = read;
    if (read.length <= LINE_BYTES_MAX) return;
    this.#line.reject(new Error(`a line of over ${LINE_BYTES_MAX} bytes`));
    this.#read = null;
  }

  #end(): void {
    const error = new Error("the program that started this one is gone");
    this.#line.reject(error);
    this.#gone.abort(error);
  }
}
