/**
 * Requests to other brokers that carry many things at once: one request to a broker is under way at a
 * time, and what is asked meanwhile goes out with the next (Kafka's `InterBrokerSendThread` with
 * `AddPartitionsToTxnManager`, `TransactionMarkerChannelManager` and `PersisterStateManager`). So a
 * broker that is slow gets fewer and larger requests, and nobody waits for a timer.
 */
import { assert } from "../../core/assert.ts";
import { type Connection, ConnectionError } from "../../core/connection.ts";
import type { MetadataCache } from "../metadata-cache.ts";
import type { Peers } from "./peers.ts";

/** What a kind of request is. */
export interface BatchedCall<Item, Answer> {
  readonly peers: Pick<Peers, "connect">;
  /** Names the connections: requests on one of them are answered one after the other. */
  readonly use: string;
  /** How many things one request carries at most. */
  readonly itemsMax: number;
  /** Things of the same key never go in the same request. */
  readonly keyOf: (item: Item) => string;
  /** The answers, in the order of the items. Throws a `ConnectionError`. */
  readonly send: (
    connection: Connection,
    items: readonly Item[],
    signal: AbortSignal,
  ) => Promise<readonly Answer[]>;
  /** What everybody gets where no answer came: nobody knows whether it was done. */
  readonly unanswered: Answer;
}

interface Waiting<Item, Answer> {
  readonly item: Item;
  readonly settle: (answer: Answer) => void;
}

/** What goes to one broker. */
interface Lane<Item, Answer> {
  waiting: Waiting<Item, Answer>[];
  /** Of the request under way. */
  abort: AbortController;
}

/** See the head of the file. */
export class RequestBatches<Item, Answer> {
  readonly #call: BatchedCall<Item, Answer>;
  /** Those to which a request is under way. */
  readonly #lanes = new Map<number, Lane<Item, Answer>>();

  constructor(call: BatchedCall<Item, Answer>) {
    this.#call = call;
  }

  /** Asks a broker, once; never rejects. */
  ask(brokerId: number, item: Item): Promise<Answer> {
    return new Promise((settle) => {
      const lane = this.#lanes.get(brokerId);
      if (lane !== undefined) {
        lane.waiting.push({ item, settle });
        return;
      }
      const opened = { waiting: [{ item, settle }], abort: new AbortController() };
      this.#lanes.set(brokerId, opened);
      void this.#run(brokerId, opened);
    });
  }

  /** Stops waiting for a broker: who asks again may find somebody else to ask. */
  abandon(brokerId: number): void {
    this.#lanes.get(brokerId)?.abort.abort(new Error("the broker is fenced"));
  }

  async #run(brokerId: number, lane: Lane<Item, Answer>): Promise<void> {
    while (lane.waiting.length > 0) {
      lane.abort = new AbortController();
      const batch = this.#take(lane);
      const answers = await this.#send(brokerId, batch, lane.abort.signal);
      if (answers === null) {
        // A broker that cannot be reached is not asked for each of them anew.
        batch.push(...lane.waiting.splice(0));
      }
      batch.forEach(({ settle }, index) => settle(answers?.[index] ?? this.#call.unanswered));
    }
    this.#lanes.delete(brokerId);
  }

  /** What goes into the next request, in the order in which it came. */
  #take(lane: Lane<Item, Answer>): Waiting<Item, Answer>[] {
    const { itemsMax, keyOf } = this.#call;
    const keys = new Set<string>();
    const batch: Waiting<Item, Answer>[] = [];
    const rest: Waiting<Item, Answer>[] = [];
    for (const each of lane.waiting) {
      const key = keyOf(each.item);
      const isLater = batch.length >= itemsMax || keys.has(key);
      keys.add(key);
      (isLater ? rest : batch).push(each);
    }
    lane.waiting = rest;
    return batch;
  }

  /** Null where the broker has not answered. */
  async #send(
    brokerId: number,
    batch: readonly Waiting<Item, Answer>[],
    signal: AbortSignal,
  ): Promise<readonly Answer[] | null> {
    const { peers, use, send } = this.#call;
    try {
      const connection = await peers.connect(brokerId, use, signal);
      if (signal.aborted) return null;
      const answers = await send(connection, batch.map(({ item }) => item), signal);
      assert(answers.length === batch.length, "everything that was asked has its answer");
      return answers;
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      return null;
    }
  }
}

/** Has them stop waiting for brokers that the metadata say are gone. */
export function abandonFenced(
  metadata: MetadataCache,
  calls: readonly Pick<RequestBatches<never, never>, "abandon">[],
): void {
  metadata.onChange(({ changedBrokers }, image) => {
    for (const id of changedBrokers) {
      const state = image.brokers.get(id)?.state;
      if (state === "active" || state === "stopping") continue;
      for (const call of calls) call.abandon(id);
    }
  });
}
