/**
 * What the clients of the simulated cluster have done and seen, as they know it: the material of the
 * checkers in `cluster-checks.ts`. Times are true milliseconds of the simulation.
 */
import { Violation } from "./violation.ts";

/** A partition as `topic/index`. */
export type PartitionKey = string;

export const partitionKey = (topic: string, index: number): PartitionKey => `${topic}/${index}`;

/** What a producer knows of a record: null is that it was given up, or nobody knows yet. */
export interface Append {
  /** Nobody else has it. */
  readonly value: string;
  readonly partition: PartitionKey;
  /** Who has sent it, and as its which: one life of a producer is one writer. */
  readonly writer: string;
  readonly sequence: number;
  isAcknowledged: boolean;
  /** −1: the broker had it already, and does not know where. */
  offset: number;
}

/** A reader has got a record. */
export interface Sighting {
  readonly offset: number;
  readonly value: string;
}

/** What one reader, which never goes back, has got of a partition, in its order. */
export interface Reading {
  readonly reader: string;
  readonly partition: PartitionKey;
  readonly isolation: "read_uncommitted" | "read_committed";
  readonly sightings: Sighting[];
}

export type TransactionOutcome = "unknown" | "committed" | "aborted";

/** A transaction, and the records in it that were acknowledged. */
export interface Transaction {
  readonly id: string;
  readonly values: { readonly value: string; readonly partition: PartitionKey }[];
  outcome: TransactionOutcome;
}

/** A group's offset of a partition: committed, or where a member was told to begin. */
export interface OffsetEvent {
  readonly kind: "committed" | "began";
  readonly partition: PartitionKey;
  readonly offset: number;
  /** When the request went out, and when the answer came. */
  readonly sentMs: number;
  readonly answeredMs: number;
}

/** What an operator knows of a topic that it has made, or has tried to. */
export type TopicState = "there" | "gone" | "unknown";

/**
 * Records as `topic/index@offset` whose acceptance by a member of the share group was taken, in the
 * order in which the members heard so. That a record comes again is no fault by itself: a member
 * may still have it from a leader that has been followed by another, and a leader that has not heard
 * of its successor knows nothing of what was accepted there. But who has asked for records after
 * an acceptance was answered must not get that one and have it accepted as well.
 */
export class Acceptances {
  readonly #places = new Map<string, number>();

  /** How many there are. */
  get size(): number {
    return this.#places.size;
  }

  /** Accepted, and that by a member which had fetched it when `before` others were known. */
  add(key: string, before: number): void {
    const place = this.#places.get(key);
    if (place === undefined) this.#places.set(key, this.#places.size);
    else if (place < before) throw new Violation(`${key} was accepted, and is so again`);
  }
}

/** See the head of this file. */
export class ClusterHistory {
  readonly appends: Append[] = [];
  readonly readings: Reading[] = [];
  readonly transactions: Transaction[] = [];
  readonly offsets: OffsetEvent[] = [];
  readonly topics = new Map<string, TopicState>();
  readonly accepted = new Acceptances();
  /** What members of the group have been handed out, by partition. */
  readonly handled = new Map<PartitionKey, Set<number>>();

  handle(partition: PartitionKey, offset: number): void {
    let offsets = this.handled.get(partition);
    if (offsets === undefined) this.handled.set(partition, offsets = new Set());
    offsets.add(offset);
  }
}
