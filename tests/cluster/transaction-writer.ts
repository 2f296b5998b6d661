/** A transactional id through all its producers, and what its transactions were told. */
import { Producer, stringSerde } from "../../client/index.ts";
import type { PartitionPosition, TransactionGroup } from "../../client/index.ts";
import { bunIo } from "../../core/io/bun/index.ts";
import type { ListAppend, ListEnd, ListOperation } from "./lists-history.ts";
import { REQUEST_TIMEOUT_MS } from "./strands.ts";

/** A value for a list. */
export interface Addition {
  readonly topic: string;
  readonly partition: number;
  readonly value: string;
}

/** What a transaction is to do besides. */
export interface TransactionWishes {
  /** Gives it up in the end. */
  readonly aborts?: boolean;
  readonly offsets?: readonly PartitionPosition[];
  /** Whose offsets. */
  readonly group?: TransactionGroup;
}

type Outcome = ListEnd["outcome"];
/** Of a list, as the history names it. */
export const listName = (topic: string, partition: number) => `${topic}/${partition}`;

/** How long a client tries before it gives up a transaction. */
const PATIENCE_MS = 20_000;
const TRANSACTION_TIMEOUT_MS = 30_000;
const AGAIN_MS = 100;

/** See the head of the file. `close` it. */
export class TransactionWriter {
  #producer: Producer<Uint8Array, string> | null = null;
  #transactions = 0;
  /** The last one, as long as it is not known to have ended everywhere. */
  #last: { doneNs: number | null } | null = null;

  constructor(
    readonly brokers: readonly string[],
    readonly id: string,
    readonly process: number,
    readonly history: ListOperation[],
  ) {}

  /** One transaction; the outcome, when this client knows what it can know. */
  async run(additions: readonly Addition[], wishes: TransactionWishes = {}): Promise<Outcome> {
    const producer = await this.ready();
    const transaction = `${this.id}#${this.#transactions++}`;
    const beginNs = Bun.nanoseconds();
    producer.transactions.begin();
    const appended = additions.map((each) => this.#append(producer, transaction, each));
    const areThere = (await Promise.all(appended)).every(Boolean);
    const isReady = areThere && await this.#sendOffsets(producer, wishes);
    const callNs = Bun.nanoseconds();
    const outcome = await this.#end(producer, isReady && wishes.aborts !== true);
    const { process } = this;
    const end = { type: "end", process, transaction, outcome, beginNs, callNs } as const;
    const noted = Object.assign({ ...end }, { doneNs: null as number | null });
    this.#last = noted;
    this.history.push(noted);
    if (outcome === "unknown") await this.ready();
    return outcome;
  }

  /** A producer that has taken over; so whatever was before has ended. Tries until it is so. */
  async ready(): Promise<Producer<Uint8Array, string>> {
    for (;;) {
      if (this.#producer !== null) return this.#producer;
      const producer = new Producer<Uint8Array, string>(bunIo(), {
        brokers: this.brokers,
        clientId: this.id,
        transactionalId: this.id,
        transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
        value: stringSerde,
        apiTimeoutMs: PATIENCE_MS,
        deliveryTimeoutMs: PATIENCE_MS,
        requestTimeoutMs: REQUEST_TIMEOUT_MS,
        lingerMs: 0,
      });
      try {
        await producer.transactions.init();
        this.#settled();
        this.#producer = producer;
      } catch (error) {
        producer.abort(error instanceof Error ? error : new Error(String(error)));
        await Bun.sleep(AGAIN_MS);
      }
    }
  }

  /** All its transactions have ended then. */
  async close(): Promise<void> {
    this.#drop(new Error("the writer ends"));
    await this.ready();
    this.#drop(new Error("the writer ends"));
  }

  /** The last transaction has ended everywhere by now. */
  #settled(): void {
    if (this.#last !== null) this.#last.doneNs ??= Bun.nanoseconds();
    this.#last = null;
  }

  async #append(
    producer: Producer<Uint8Array, string>,
    transaction: string,
    addition: Addition,
  ): Promise<boolean> {
    const { topic, partition, value } = addition;
    const asked: Omit<ListAppend, "offset" | "returnNs"> = {
      type: "append",
      process: this.process,
      list: listName(topic, partition),
      value,
      transaction,
      callNs: Bun.nanoseconds(),
    };
    try {
      const { offset } = await producer.send(addition);
      this.#settled();
      // A retry of what was there already may be told no offset.
      const known = offset < 0n ? null : Number(offset);
      this.history.push({ ...asked, offset: known, returnNs: Bun.nanoseconds() });
      return true;
    } catch {
      this.history.push({ ...asked, offset: null, returnNs: null });
      return false;
    }
  }

  async #sendOffsets(
    producer: Producer<Uint8Array, string>,
    { offsets, group }: TransactionWishes,
  ): Promise<boolean> {
    if (offsets === undefined || group === undefined) return true;
    return await producer.transactions.sendOffsets(offsets, group).then(() => true, () => false);
  }

  async #end(producer: Producer<Uint8Array, string>, commits: boolean): Promise<Outcome> {
    try {
      if (commits) await producer.transactions.commit();
      else await producer.transactions.abort();
      return commits ? "committed" : "aborted";
    } catch (error) {
      this.#drop(error instanceof Error ? error : new Error(String(error)));
      // Who has not asked for a commit knows that there will be none.
      return commits ? "unknown" : "aborted";
    }
  }

  #drop(reason: Error): void {
    this.#producer?.abort(reason);
    this.#producer = null;
  }
}
