/**
 * The program that started this process, at the other end of its standard input: when that ends, the
 * program is gone, however it ended, and this process has to go as well. Nothing else does it for
 * processes that are killed.
 */
/** Most of what the first line may be; what is longer is none that anybody waits for. */
const LINE_BYTES_MAX = 1024 * 1024;
const NEWLINE = 0x0a;

/** See the head of the file. It reads standard input from now on. */
export class Parent {
  readonly #gone = new AbortController();
  readonly #line = Promise.withResolvers<string>();
  #read: Buffer | null = Buffer.alloc(0);

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

  /** Resolves when it is gone. */
  whenGone(): Promise<void> {
    return new Promise((resolve) => {
      if (this.gone.aborted) return resolve();
      this.gone.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  #take(chunk: Buffer): void {
    if (this.#read === null) return;
    this.#read = Buffer.concat([this.#read, chunk]);
    const end = this.#read.indexOf(NEWLINE);
    if (end >= 0) this.#line.resolve(this.#read.toString("utf8", 0, end));
    else if (this.#read.length <= LINE_BYTES_MAX) return;
    else this.#line.reject(new Error(`a line of over ${LINE_BYTES_MAX} bytes`));
    this.#read = null;
  }

  #end(): void {
    const error = new Error("the program that started this one is gone");
    this.#line.reject(error);
    this.#gone.abort(error);
  }
}
