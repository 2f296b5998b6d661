/**
 * What is known of the transactions of a run, apart from the broker: which records each was to
 * write, and what its producer was told of its end.
 */
import { expect } from "./violation.ts";

/** What the producer knows of the end: `unknown` where an answer was lost. */
export type Fate = "open" | "committed" | "aborted" | "unknown";

interface Transaction {
  readonly worker: number;
  readonly sources: number[];
  fate: Fate;
}

/** See the head of this file. A record's value is `worker:source offset:transaction`. */
export class TransactionModel {
  readonly #transactions: Transaction[] = [];

  /** A transaction begins; its number tells its records. */
  begin(worker: number): number {
    return this.#transactions.push({ worker, sources: [], fate: "open" }) - 1;
  }

  /** A record is about to be sent; answers its value. */
  write(transaction: number, source: number): string {
    const { worker, sources } = this.#transactions[transaction]!;
    sources.push(source);
    return `${worker}:${source}:${transaction}`;
  }

  end(transaction: number, fate: Fate): void {
    this.#transactions[transaction]!.fate = fate;
  }

  get committedCount(): number {
    return this.#transactions.filter(({ fate }) => fate === "committed").length;
  }

  get abortedCount(): number {
    return this.#transactions.filter(({ fate }) => fate === "aborted").length;
  }

  /** Readers of what is committed have seen this: nothing that was aborted may be among it. */
  checkSeen(value: string): void {
    const transaction = this.#transactions[Number(value.split(":")[2])];
    expect(transaction !== undefined, `nobody has written ${value}`);
    expect(transaction.fate !== "aborted", `${value} was aborted, and is seen`);
    expect(transaction.fate !== "open", `${value} is seen before the end of its transaction`);
  }

  /**
   * At the end of all: the outputs of each worker are its inputs up to the committed offset, each
   * once, and everything whose commit was acknowledged is there.
   */
  checkChain(seen: readonly string[], committed: readonly number[]): void {
    const present = new Set(seen);
    expect(present.size === seen.length, "a record is there twice");
    for (const [worker, end] of committed.entries()) {
      const sources = seen.filter((value) => value.startsWith(`${worker}:`))
        .map((value) => Number(value.split(":")[1])).sort((a, b) => a - b);
      const wanted = Array.from({ length: end }, (_, index) => index);
      const differs = sources.length !== end || sources.some((source, i) => source !== wanted[i]);
      expect(!differs, `worker ${worker} has committed ${end}, its outputs are [${sources}]`);
    }
    for (const [number, { worker, sources, fate }] of this.#transactions.entries()) {
      if (fate !== "committed") continue;
      for (const source of sources) {
        const value = `${worker}:${source}:${number}`;
        expect(present.has(value), `${value} was committed and is not there`);
      }
    }
  }
}
