/**
 * What is known of a share group's records apart from the broker: what producers and members were
 * told. A record is found by partition and offset from the moment when somebody was told of it.
 *
 * What a crash may cost: a delivery counts for the limit only once it is persisted, which it is when
 * the record is given back, or its lock has run out. So within one life of the broker each delivery
 * has a larger number than the one before, but where a member went and its deliveries do not count;
 * after a crash the number is at least one more than the last that a release was acknowledged with.
 */
import { expect } from "./violation.ts";

/** How a member ends its work on a record. */
export type Verdict = "accept" | "release" | "reject";

/** Somebody who has a record. */
export interface Holder {
  readonly member: string;
  /** Its lock lasts at least until then. */
  readonly untilMs: number;
}

interface Entry {
  readonly value: string;
  /** Accepted, rejected, or released for the last time, and told so. */
  isDone: boolean;
  /** As above, but nobody knows whether it came to it. */
  mayBeDone: boolean;
  /** The next delivery has a larger number than this, in this life. */
  least: number;
  /** The number that is persisted for sure. */
  persisted: number;
  /** The largest number of any delivery. */
  most: number;
  holder: Holder | null;
}

/** A record that nobody has got yet. */
const UNTOUCHED: Omit<Entry, "value"> = {
  isDone: false,
  mayBeDone: false,
  least: 0,
  persisted: 0,
  most: 0,
  holder: null,
};

/** What administrators have done to a partition. */
interface Bounds {
  /** Records below may be deleted. */
  mayBeDeleted: number;
  /** Records below are deleted, for requests after that moment; a crash may bring them back. */
  deleted: Floor;
  /** The group may have been moved over records below. */
  mayBeSkipped: number;
  /** The group was moved over records below, for requests after that moment. */
  skipped: Floor;
}

interface Floor {
  readonly offset: number;
  readonly sinceMs: number;
}

/** A request for records and its answer, in time. */
export interface Asked {
  readonly askedMs: number;
  /** What it was given is locked at least until then. */
  readonly untilMs: number;
  readonly nowMs: number;
}

const NO_FLOOR: Floor = { offset: 0, sinceMs: 0 };

/** A run of records that a member got. */
export interface Delivery {
  readonly partition: number;
  readonly offset: number;
  readonly value: string;
  readonly deliveryCount: number;
}

/** What a member says of a record that it got in the delivery of that number. */
export interface Said {
  readonly partition: number;
  readonly offset: number;
  readonly verdict: Verdict;
  readonly deliveryCount: number;
}

/** See the head of this file. */
export class ShareModel {
  readonly #records: Map<number, Entry>[];
  /** Fetches by partition that may have acquired records which no member was told of. */
  readonly #unseen: number[];
  readonly #bounds: Bounds[];
  readonly #aborted = new Set<string>();
  readonly #delivered = new Set<string>();
  deliveries = 0;
  redeliveries = 0;

  /** With `readsCommitted` members must not see what was aborted. */
  constructor(partitions: number, readonly limit: number, readonly readsCommitted: boolean) {
    this.#records = Array.from({ length: partitions }, () => new Map());
    this.#unseen = this.#records.map(() => 0);
    this.#bounds = this.#records.map(() => ({
      mayBeDeleted: 0,
      deleted: NO_FLOOR,
      mayBeSkipped: 0,
      skipped: NO_FLOOR,
    }));
  }

  /** A producer was told that the record is there. */
  produced(partition: number, offset: number, value: string): void {
    this.#entry(partition, offset, value);
  }

  /** A producer was told that its transaction with these records was aborted. */
  aborted(values: readonly string[]): void {
    for (const value of values) {
      this.#aborted.add(value);
      this.#checkCommitted(value);
    }
  }

  #checkCommitted(value: string): void {
    const isWrong = this.readsCommitted && this.#aborted.has(value) && this.#delivered.has(value);
    expect(!isWrong, `${value} was delivered, and is aborted`);
  }

  /** One behind the last record that is known of. */
  endOf(partition: number): number {
    return Math.max(-1, ...this.#records[partition]!.keys()) + 1;
  }

  /** Records below `offset` are about to be deleted. */
  deleting(partition: number, offset: number): void {
    const bounds = this.#bounds[partition]!;
    bounds.mayBeDeleted = Math.max(bounds.mayBeDeleted, offset);
  }

  /** Records below `offset` were deleted. */
  deleted(partition: number, offset: number, nowMs: number): void {
    const bounds = this.#bounds[partition]!;
    if (offset > bounds.deleted.offset) bounds.deleted = { offset, sinceMs: nowMs };
  }

  /**
   * The group goes on at `offset`, whatever has become of the records there. It had no members, so
   * whoever has records in any partition has gone without a word.
   */
  altered(partition: number, offset: number, nowMs: number): void {
    this.#forget();
    const bounds = this.#bounds[partition]!;
    bounds.skipped = { offset, sinceMs: nowMs };
    bounds.mayBeSkipped = offset;
    for (const entry of this.#from(partition, offset)) {
      Object.assign(entry, { ...UNTOUCHED, value: entry.value });
    }
  }

  /** The same, if it came to it. */
  mayBeAltered(partition: number, offset: number): void {
    this.#forget();
    const bounds = this.#bounds[partition]!;
    if (offset < bounds.skipped.offset) bounds.skipped = { ...bounds.skipped, offset };
    bounds.mayBeSkipped = Math.max(bounds.mayBeSkipped, offset);
    for (const entry of this.#from(partition, offset)) {
      entry.mayBeDone ||= entry.isDone;
      Object.assign(entry, { isDone: false, least: 0, persisted: 0 });
    }
  }

  #from(partition: number, first: number): Entry[] {
    return [...this.#records[partition]!].filter(([offset]) => offset >= first)
      .map(([, entry]) => entry);
  }

  /** A member got a record. */
  delivered(record: Delivery, member: string, lock: Asked): void {
    const { partition, offset, value, deliveryCount } = record;
    const name = `${partition}:${offset} to ${member}`;
    const { deleted, skipped } = this.#bounds[partition]!;
    expect(offset >= deleted.offset || lock.askedMs < deleted.sinceMs, `${name}: it was deleted`);
    expect(offset >= skipped.offset || lock.askedMs < skipped.sinceMs, `${name}: it was skipped`);
    this.#delivered.add(value);
    this.#checkCommitted(value);
    const entry = this.#entry(partition, offset, value);
    const { holder, least } = entry;
    expect(!entry.isDone, `${name}: it was done with`);
    expect(deliveryCount <= this.limit, `${name}: delivery ${deliveryCount} of ${this.limit}`);
    expect(deliveryCount > least, `${name}: delivery ${deliveryCount} after ${least}`);
    const isHeld = holder !== null && holder.untilMs > lock.nowMs && lock.untilMs > lock.nowMs;
    expect(!isHeld, `${name}: ${holder?.member} has it until ${holder?.untilMs}`);
    this.deliveries++;
    if (entry.most > 0) this.redeliveries++;
    // Whoever had an earlier lock has lost it.
    entry.least = deliveryCount;
    entry.most = Math.max(entry.most, deliveryCount);
    entry.holder = { member, untilMs: lock.untilMs };
  }

  /** Whether the record is the member's as far as it was told. */
  isHeldBy(partition: number, offset: number, member: string): boolean {
    return this.#records[partition]!.get(offset)?.holder?.member === member;
  }

  /**
   * The member is about to say something: from now on it has the record no more. Answers whose the
   * record is now if it is another's for sure, who must not lose it by that.
   */
  says(what: Said, member: string, nowMs: number): Holder | null {
    const entry = this.#known(what.partition, what.offset);
    const { holder } = entry;
    if (holder !== null && holder.member !== member && holder.untilMs > nowMs) return holder;
    entry.holder = null;
    if (what.verdict !== "release") entry.mayBeDone = true;
    return null;
  }

  /** What the member said is persisted; `other` had the record when it was said. */
  said(what: Said, other: Holder | null, nowMs: number): void {
    const { partition, offset, verdict, deliveryCount } = what;
    const entry = this.#known(partition, offset);
    const isOthers = other !== null && entry.holder === other && other.untilMs > nowMs &&
      offset >= this.#bounds[partition]!.mayBeDeleted;
    expect(!isOthers, `${partition}:${offset} is ${other?.member}'s, and somebody else ended it`);
    if (verdict !== "release" || deliveryCount >= this.limit) entry.isDone = true;
    else entry.persisted = Math.max(entry.persisted, deliveryCount);
  }

  /**
   * The member has got more time on this record, as it is told. But what has run out for the last
   * time or was deleted is done, and there is nothing to renew, which is no error: it is nobody's.
   */
  renewed(
    partition: number,
    offset: number,
    member: string,
    lock: { untilMs: number; nowMs: number },
  ): void {
    const entry = this.#known(partition, offset);
    const { holder, most } = entry;
    if (holder?.member !== member) return;
    const mayBeOver = most >= this.limit && holder.untilMs <= lock.nowMs ||
      offset < this.#bounds[partition]!.mayBeDeleted;
    entry.holder = mayBeOver ? null : { member, untilMs: lock.untilMs };
  }

  /** A member is gone, or has opened its session anew: its open deliveries may not count. */
  gone(member: string): void {
    for (const records of this.#records) {
      for (const entry of records.values()) {
        // Somebody else may have it already, while its own release is being persisted.
        if (entry.holder?.member === member) entry.holder = null;
        entry.least = Math.max(entry.persisted, entry.least - 1);
      }
    }
  }

  /** The answer to a fetch was lost: what it acquired was delivered to nobody. */
  unseen(): void {
    for (const partition of this.#unseen.keys()) this.#unseen[partition]!++;
  }

  /** The broker is gone: what is not persisted does not count. */
  crashed(): void {
    for (const bounds of this.#bounds) bounds.deleted = NO_FLOOR;
    this.#forget();
  }

  /** Who has what is in memory alone. */
  #forget(): void {
    for (const records of this.#records) {
      for (const entry of records.values()) {
        entry.holder = null;
        entry.least = entry.persisted;
      }
    }
  }

  /**
   * At the end of all: every record was accepted, rejected, delivered as often as may be, or taken
   * away.
   */
  checkAll(): void {
    for (const [partition, records] of this.#records.entries()) {
      const { mayBeDeleted, mayBeSkipped } = this.#bounds[partition]!;
      const taken = Math.max(mayBeDeleted, mayBeSkipped);
      for (const [offset, { isDone, mayBeDone, most }] of records) {
        const isGivenUp = most + this.#unseen[partition]! >= this.limit;
        const facts = `${partition}:${offset}, delivery ${most} of ${this.limit} at most`;
        expect(isDone || mayBeDone || isGivenUp || offset < taken, `lost: ${facts}`);
      }
    }
  }

  #known(partition: number, offset: number): Entry {
    const entry = this.#records[partition]!.get(offset);
    if (entry === undefined) throw new Error(`nobody knows ${partition}:${offset}`);
    return entry;
  }

  #entry(partition: number, offset: number, value: string): Entry {
    const records = this.#records[partition]!;
    const entry = records.get(offset) ?? { ...UNTOUCHED, value };
    records.set(offset, entry);
    expect(entry.value === value, `${partition}:${offset} is ${entry.value} and ${value}`);
    return entry;
  }
}
