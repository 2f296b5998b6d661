/** Pauses between attempts: they double up to a bound, each with chance, so that not all come at once. */
import type { Random } from "./io.ts";

/** See the head of the file. */
export class Backoff {
  #attempts = 0;

  constructor(readonly random: Random, readonly firstMs: number, readonly maxMs: number) {}

  /** How long to wait before the next attempt: half of the pause at least. */
  nextMs(): number {
    const full = Math.min(this.maxMs, this.firstMs * 2 ** Math.min(this.#attempts++, 30));
    const half = Math.ceil(full / 2);
    return half + this.random.below(half + 1);
  }

  get attempts(): number {
    return this.#attempts;
  }

  reset(): void {
    this.#attempts = 0;
  }
}
