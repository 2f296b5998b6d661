/**
 * What has become of the records that a share group has in hand of one partition: the state machine
 * of KIP-932, without time, disk or network (the middle of Kafka's `SharePartition`).
 *
 *     acknowledged below │ start offset … in flight … end offset │ not looked at yet
 *
 *     AVAILABLE ──acquire──▶ ACQUIRED ──accept──▶ ACKNOWLEDGED
 *         ▲                     │ ├─────reject──▶ ARCHIVED
 *         └──release, expiry────┘ └─release at the delivery limit─▶ ARCHIVED
 *
 * The window is a list of spans without gaps; a span is a run of offsets that share one fate. What a
 * member says about acquired records becomes a `Change`, which holds until it is persisted
 * (`settle`) and is undone if it could not be. Offsets in the window that turn out to hold no record
 * (compaction, control batches, aborted transactions) are archived.
 */
import { assert } from "../../core/assert.ts";
import {
  type DeliveryState,
  DeliveryStates,
  type StateBatch,
} from "../coordinator/share/share-records.ts";

const { AVAILABLE, ACQUIRED, ACKNOWLEDGED, ARCHIVED } = DeliveryStates;

/** Who has acquired records, and until when. */
export interface Lock {
  readonly memberId: string;
  /** On the monotonic clock. */
  readonly deadlineMs: number;
}

/** What is being persisted; the identity of the object is what spans are found by. */
export interface Change {
  readonly memberId: string;
}

interface Span {
  first: number;
  last: number;
  state: DeliveryState;
  /** How often the records have been delivered, the present delivery included. */
  deliveryCount: number;
  /** Whose they are while ACQUIRED; null if the lock ran out while a change is being persisted. */
  lock: Lock | null;
  /** What they will be once that is persisted. */
  pending: { readonly change: Change; readonly to: DeliveryState; readonly count: number } | null;
}

/** Records that were delivered together. */
export interface AcquiredRange {
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly deliveryCount: number;
}

/** What a member says about records (`AcknowledgeType`); GAP: there is no such record. */
export const AcknowledgeTypes = { GAP: 0, ACCEPT: 1, RELEASE: 2, REJECT: 3, RENEW: 4 } as const;

/** Why an acknowledgement is refused: the request makes no sense, or the records are not the member's. */
export type AcknowledgeProblem = "invalid request" | "invalid state";

/** See the header. */
export class DeliveryWindow {
  #spans: Span[] = [];
  #start: number;
  /** One behind the last span; the start offset where there is none. */
  #next: number;

  /** A window over nothing, or over what was persisted: what lies between batches may be delivered. */
  constructor(startOffset: number, batches: readonly StateBatch[] = []) {
    this.#start = startOffset;
    this.#next = startOffset;
    for (const batch of batches) {
      const first = Math.max(batch.firstOffset, startOffset);
      if (batch.lastOffset < first) continue;
      if (first > this.#next) this.#append(first - 1, AVAILABLE, 0, null);
      const done = batch.deliveryState === ACKNOWLEDGED || batch.deliveryState === ARCHIVED;
      const state = done ? batch.deliveryState : AVAILABLE;
      this.#append(batch.lastOffset, state, batch.deliveryCount, null);
    }
    this.#tidy();
  }

  /** Everything below is done (Kafka's SPSO). */
  get startOffset(): number {
    return this.#start;
  }

  /** The first offset that nobody has looked at yet; Kafka's end offset is the one before. */
  get nextOffset(): number {
    return this.#next;
  }

  /** Records in the window, whatever their state: what the limit of record locks is compared with. */
  get inFlightCount(): number {
    return this.#next - this.#start;
  }

  /** How many spans the window is made of, for tests and limits. */
  get spanCount(): number {
    return this.#spans.length;
  }

  /** Where to read next: the first records that may be delivered again, else the next new ones. */
  get nextFetchOffset(): number {
    return this.#spans.find((span) => span.state === AVAILABLE)?.first ?? this.#next;
  }

  /** Where the window will begin once the change is persisted, if there is one. */
  startAfter(change: Change | null): number {
    for (const { first, state, pending } of this.#spans) {
      const becomes = change !== null && pending?.change === change ? pending.to : state;
      if (!isTerminal(becomes)) return first;
    }
    return this.#next;
  }

  /** Records from an offset on that are done, or will be once that is persisted (KIP-1226). */
  doneFrom(offset: number): number {
    let count = 0;
    for (const { first, last, state, pending } of this.#spans) {
      if (isTerminal(pending?.to ?? state)) {
        count += Math.max(0, last - Math.max(first, offset) + 1);
      }
    }
    return count;
  }

  /** When the first lock ends; Infinity if nobody has one. */
  get nextDeadlineMs(): number {
    let deadlineMs = Infinity;
    for (const { lock } of this.#spans) {
      if (lock !== null && lock.deadlineMs < deadlineMs) deadlineMs = lock.deadlineMs;
    }
    return deadlineMs;
  }

  /** Whether nothing is delivered or being persisted: the window can be made anew from what is kept. */
  get isIdle(): boolean {
    return this.#spans.every((span) => span.state !== ACQUIRED);
  }

  /** The states, as tests and the persister see them. */
  batches(): StateBatch[] {
    return this.#spans.map((span) => batchOf(span, span.state, span.deliveryCount));
  }

  // ---- Acquiring; `acquire.ts` decides what and how much.

  /** The records in `[first, last]` that may be delivered, by how often they have been. */
  *available(first: number, last: number): Generator<AcquiredRange> {
    for (const span of this.#over(first, last)) {
      if (span.state !== AVAILABLE) continue;
      yield {
        firstOffset: Math.max(first, span.first),
        lastOffset: Math.min(last, span.last),
        deliveryCount: span.deliveryCount,
      };
    }
  }

  /** Delivers available records once more. */
  acquire(first: number, last: number, lock: Lock): void {
    for (const span of this.#cut(first, last)) {
      assert(span.state === AVAILABLE, "only available records are acquired");
      span.state = ACQUIRED;
      span.deliveryCount++;
      span.lock = lock;
    }
  }

  /** Delivers records up to `last` that nobody has looked at yet. */
  acquireNew(last: number, lock: Lock): void {
    this.#append(last, ACQUIRED, 1, lock);
  }

  /** There are no records in `[first, last]`: those that could be delivered are archived. */
  archiveHole(first: number, last: number): void {
    for (const span of this.#cut(first, Math.min(last, this.#next - 1))) {
      if (span.state === AVAILABLE) span.state = ARCHIVED;
    }
    // Between the window and new records behind a hole.
    if (last >= this.#next) this.#append(last, ARCHIVED, 0, null);
  }

  /** To be called after a round of the above: the start moves over what is done. */
  tidy(): void {
    this.#tidy();
  }

  // ---- What members say.

  /** Why the member may not speak about `[first, last]`; null if it may. */
  acknowledgeProblem(memberId: string, first: number, last: number): AcknowledgeProblem | null {
    if (last < this.#start) return null;
    if (this.#spans.length === 0) return "invalid state";
    if (last >= this.#next) return "invalid request";
    for (const span of this.#over(Math.max(first, this.#start), last)) {
      const isTheirs = span.state === ACQUIRED && span.pending === null &&
        span.lock?.memberId === memberId;
      if (!isTheirs) return "invalid state";
    }
    return null;
  }

  /** Notes what the member says about records that are its own. */
  acknowledge(
    change: Change,
    first: number,
    last: number,
    type: number,
    deliveryLimit: number,
  ): void {
    for (const span of this.#cut(Math.max(first, this.#start), last)) {
      const to = stateAfter(type, span.deliveryCount, deliveryLimit);
      span.pending = { change, to, count: span.deliveryCount };
    }
  }

  /** The member works on: its lock is the new one. */
  renew(first: number, last: number, lock: Lock): void {
    for (const span of this.#cut(Math.max(first, this.#start), last)) span.lock = lock;
  }

  /**
   * The member gives back what it has; that counts as not delivered, for nobody may have looked at
   * it. True if there is something to persist.
   */
  release(change: Change): boolean {
    let any = false;
    for (const span of this.#spans) {
      if (span.state !== ACQUIRED || span.pending !== null) continue;
      if (span.lock?.memberId !== change.memberId) continue;
      span.pending = { change, to: AVAILABLE, count: Math.max(0, span.deliveryCount - 1) };
      any = true;
    }
    return any;
  }

  /** What is to be persisted of a change. */
  pendingOf(change: Change): StateBatch[] {
    const batches: StateBatch[] = [];
    for (const span of this.#spans) {
      if (span.pending?.change !== change) continue;
      batches.push(batchOf(span, span.pending.to, span.pending.count));
    }
    return batches;
  }

  /** The change is persisted, or it could not be and is undone. */
  settle(change: Change, persisted: boolean, deliveryLimit: number): void {
    for (const span of this.#spans) {
      const { pending } = span;
      if (pending?.change !== change) continue;
      span.pending = null;
      if (persisted) {
        span.state = pending.to;
        span.deliveryCount = pending.count;
        span.lock = null;
      } else if (span.lock === null) {
        // The lock ran out in the meantime.
        span.state = stateAfter(AcknowledgeTypes.RELEASE, span.deliveryCount, deliveryLimit);
      }
    }
    this.#tidy();
  }

  // ---- What time and the log do.

  /** Takes back what was acquired until `nowMs`; answers what is to be persisted of that. */
  expire(nowMs: number, deliveryLimit: number): StateBatch[] {
    const expired: StateBatch[] = [];
    for (const span of this.#spans) {
      if (span.lock === null || span.lock.deadlineMs > nowMs) continue;
      span.lock = null;
      if (span.pending !== null) continue;
      span.state = stateAfter(AcknowledgeTypes.RELEASE, span.deliveryCount, deliveryLimit);
      expired.push(batchOf(span, span.state, span.deliveryCount));
    }
    this.#tidy();
    return expired;
  }

  /** The log begins at `offset` now: what lies below is gone, acquired or not. */
  moveStart(offset: number): void {
    if (offset <= this.#start) return;
    if (offset >= this.#next) {
      this.#spans = [];
      this.#start = offset;
      this.#next = offset;
      return;
    }
    this.#splitAt(offset);
    this.#spans.splice(0, this.#indexOf(offset));
    this.#start = offset;
    this.#tidy();
  }

  // ---- The list of spans.

  /** Adds a span from the end of the window to `last`. */
  #append(last: number, state: DeliveryState, deliveryCount: number, lock: Lock | null): void {
    assert(last >= this.#next, "a window grows at its end");
    this.#spans.push({ first: this.#next, last, state, deliveryCount, lock, pending: null });
    this.#next = last + 1;
  }

  /** Index of the span that holds `offset`, which has to be in the window; its end if it is the next. */
  #indexOf(offset: number): number {
    let low = 0;
    let high = this.#spans.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#spans[middle]!.last < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Makes a span begin at `offset`. */
  #splitAt(offset: number): void {
    if (offset <= this.#start || offset >= this.#next) return;
    const index = this.#indexOf(offset);
    const span = this.#spans[index]!;
    if (span.first === offset) return;
    this.#spans.splice(index + 1, 0, { ...span, first: offset });
    span.last = offset - 1;
  }

  /** The spans that overlap `[first, last]`. */
  #over(first: number, last: number): Span[] {
    const from = Math.max(first, this.#start);
    const to = Math.min(last, this.#next - 1);
    if (from > to) return [];
    return this.#spans.slice(this.#indexOf(from), this.#indexOf(to) + 1);
  }

  /** The same, cut at both ends so that they hold nothing else. */
  #cut(first: number, last: number): Span[] {
    if (first > last) return [];
    this.#splitAt(first);
    this.#splitAt(last + 1);
    return this.#over(first, last);
  }

  /** Moves the start over what is done, and makes one span of neighbours that say the same. */
  #tidy(): void {
    const spans: Span[] = [];
    for (const span of this.#spans) {
      const before = spans.at(-1);
      if (before === undefined && isTerminal(span.state)) this.#start = span.last + 1;
      else if (before !== undefined && saysTheSame(before, span)) before.last = span.last;
      else spans.push(span);
    }
    this.#spans = spans;
  }
}

function isTerminal(state: DeliveryState): boolean {
  return state === ACKNOWLEDGED || state === ARCHIVED;
}

function saysTheSame(a: Span, b: Span): boolean {
  return a.state === b.state && a.deliveryCount === b.deliveryCount && a.lock === b.lock &&
    a.pending?.change === b.pending?.change && a.pending?.to === b.pending?.to &&
    a.pending?.count === b.pending?.count;
}

function batchOf(span: Span, deliveryState: DeliveryState, deliveryCount: number): StateBatch {
  return { firstOffset: span.first, lastOffset: span.last, deliveryState, deliveryCount };
}

/** What records become that have been delivered so often. */
function stateAfter(type: number, deliveryCount: number, deliveryLimit: number): DeliveryState {
  switch (type) {
    case AcknowledgeTypes.ACCEPT:
      return ACKNOWLEDGED;
    case AcknowledgeTypes.RELEASE:
      return deliveryCount >= deliveryLimit ? ARCHIVED : AVAILABLE;
    default:
      return ARCHIVED;
  }
}
