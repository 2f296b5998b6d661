/**
 * The metadata log of a cluster, in etcd (`etcd-layout.ts` draws the keys). An append is one
 * transaction: it compares the revision of the head and, where this process takes part in an
 * election, of the key that says who is controller; it puts the change and the new head. So of all
 * who append at a position one wins, and one who has lost the election appends nothing, whatever his
 * clock says. A change that is too large for one request is first put in chunks that nobody reads;
 * the transaction then makes them part of the log, all at once.
 *
 * The answer to an append may be lost, and the append itself may still be on its way. Before
 * anything else is said or done, such a doubt is settled: the head is put again as it was, on the
 * same condition as the append. If that succeeds, the append has not been done and never will be; if
 * not, the change at its position tells whose it is.
 */
import { assert } from "../../core/assert.ts";
import type { Logger } from "../../core/logger.ts";
import { setBaseOffset } from "../../core/records/batch-header.ts";
import { inTurns } from "../../core/steps.ts";
import { decodeChanges, encodeChangeSteps } from "../metadata-batches.ts";
import {
  type MetadataAppendResult,
  type MetadataChange,
  type MetadataLog,
  type MetadataReadResult,
  type MetadataSnapshot,
  MetadataUnavailableError,
} from "../metadata-log.ts";
import { MetadataFormatError, type MetadataRecord } from "../metadata-records.ts";
import {
  chunkKey,
  decodeChangeValue,
  decodeHead,
  encodeChangeValue,
  encodeHead,
  type Head,
} from "./etcd-layout.ts";
import { entryAt, type EtcdSession } from "./etcd-session.ts";
import { CHUNK_BYTES, chunksOf, pointerOf, readSnapshot, writeSnapshot } from "./etcd-snapshots.ts";
import type { EtcdCompare, EtcdEntry, EtcdOp, EtcdTxn, EtcdTxnAnswer } from "./etcd-store.ts";
import { KeyFollower } from "./key-follower.ts";

/** What a controller's appends are bound to: the key that says so, and what it was elected for. */
export interface ElectionFence {
  readonly term: number;
  readonly compare: EtcdCompare;
}

/** Who tells whether this process is the controller now: the fence, or null if it is not. */
export interface Fencing {
  fence(): ElectionFence | null;
}

/** How many changes are asked for at once. */
const READ_CHANGES_MAX = 64;
/** How often chunks that have gone are looked for again. */
const READS_MAX = 10;
const NO_HEAD = "the keys of this cluster have gone from etcd; restore them from a backup";
const NOT_CONTROLLER = "this node is not the controller of the cluster";

interface KnownHead extends Head {
  readonly modRevision: number;
}

/** An append of which nobody knows what became of it. */
interface Doubt {
  readonly id: string;
  /** What its transaction compared with. */
  readonly head: KnownHead;
}

/** `superseded`: the log has gone on and a snapshot has taken the change's place. */
type Outcome = "appended" | "not-appended" | "superseded" | { readonly unknown: string };

const unavailable = (message: string): MetadataAppendResult => ({
  ok: false,
  reason: "unavailable",
  message,
});

/** The id of the append that has put this change; null if it is damaged, as who reads it will see. */
function writerOf(change: EtcdEntry): string | null {
  try {
    return decodeChangeValue(change.value).header.id;
  } catch (error) {
    if (error instanceof MetadataFormatError) return null;
    throw error;
  }
}

/** What an append's caller is told; `again`: it may be tried once more. */
function resultOf(outcome: Outcome, next: Head): MetadataAppendResult | "again" {
  if (typeof outcome === "object") return unavailable(outcome.unknown);
  switch (outcome) {
    case "appended":
      return { ok: true, position: next.position };
    case "superseded":
      return unavailable("etcd's answer was lost, and the log has gone on since; read it");
    case "not-appended":
      return "again";
  }
}

/** See the head of this file. */
export class EtcdMetadataLog implements MetadataLog {
  readonly #session: EtcdSession;
  readonly #logger: Logger;
  readonly #fencing: Fencing | null;
  readonly #listeners = new Set<() => void>();
  #head: KnownHead;
  #doubt: Doubt | null = null;
  /** Why the log cannot be used, or null. */
  #broken: string | null = null;
  #tail: Promise<void> = Promise.resolve();

  /** `head` is the entry of the head as it was found. Without `fencing`, anybody may append. */
  constructor(session: EtcdSession, logger: Logger, head: EtcdEntry, fencing: Fencing | null) {
    this.#session = session;
    this.#logger = logger;
    this.#fencing = fencing;
    this.#head = { ...decodeHead(head.value), modRevision: head.modRevision };
  }

  /** Follows the head until the session is closed. */
  async follow(): Promise<void> {
    const { keys } = this.#session;
    await new KeyFollower(this.#session, keys.head, (entry) => this.#adopt(entry)).run();
  }

  get endPosition(): number {
    return this.#head.position;
  }

  append(
    expectedPosition: number,
    records: readonly MetadataRecord[],
  ): Promise<MetadataAppendResult> {
    assert(records.length > 0, "a change has records");
    const appended = this.#tail.then(() => this.#append(expectedPosition, records));
    this.#tail = appended.then(() => {}, () => {});
    return appended;
  }

  async #append(
    expected: number,
    records: readonly MetadataRecord[],
  ): Promise<MetadataAppendResult> {
    const { clock } = this.#session;
    const settled = await this.#settle(this.#session.deadlineMs());
    if (typeof settled === "object") return unavailable(settled.unknown);
    if (expected > this.endPosition) {
      const problem = await this.#refresh();
      if (problem !== null) return unavailable(problem);
    }
    if (this.#broken !== null) return unavailable(this.#broken);
    if (expected !== this.endPosition) return this.#conflict();
    const batch = await inTurns(clock, encodeChangeSteps(records, clock.wallMs()));
    setBaseOffset(batch, 0, expected);
    const id = this.#session.nextId();
    const chunks = batch.length <= CHUNK_BYTES ? [] : chunksOf(batch);
    const folder = this.#session.keys.changeChunks(expected, id);
    const put = await this.#session.putChunks(chunks, (index) => chunkKey(folder, index));
    if (!put.ok) return unavailable(put.failure.message);
    const inline = chunks.length === 0 ? batch : new Uint8Array(0);
    return await this.#publish({ id, chunks: chunks.length, inline, expected }, records.length);
  }

  async #publish(
    change: { id: string; chunks: number; inline: Uint8Array; expected: number },
    count: number,
  ): Promise<MetadataAppendResult> {
    const { id, chunks, inline, expected } = change;
    const { keys } = this.#session;
    const deadlineMs = this.#session.deadlineMs();
    for (let attempt = 0;; attempt++) {
      if (this.#head.position !== expected) return this.#conflict();
      const fence = this.#fencing?.fence();
      if (fence === null) return unavailable(NOT_CONTROLLER);
      const term = fence?.term ?? 0;
      const next: Head = { position: expected + count, id, term };
      const value = encodeChangeValue({ id, term, chunks }, inline);
      const outcome = await this.#try(next, {
        compare: [this.#compareHead(this.#head), ...(fence === undefined ? [] : [fence.compare])],
        then: [
          { type: "put", key: keys.change(expected), value },
          { type: "put", key: keys.head, value: encodeHead(next) },
        ],
        otherwise: this.#outcomeAt(expected),
      }, deadlineMs);
      if (outcome !== "again") return outcome;
      if (!await this.#session.pause(attempt, deadlineMs)) {
        return unavailable("etcd was too busy to take the change in time");
      }
    }
  }

  /** One attempt at an append. `again`: nothing was appended, and it may be tried once more. */
  async #try(
    next: Head,
    txn: EtcdTxn,
    deadlineMs: number,
  ): Promise<MetadataAppendResult | "again"> {
    const head = this.#head;
    const answer = await this.#session.txn(txn);
    if (answer.ok && answer.value.succeeded) {
      this.#advance({ ...next, modRevision: answer.value.revision });
      return { ok: true, position: next.position };
    }
    if (answer.ok) {
      const outcome = this.#judge(answer.value, next.id, head);
      // The head is what it was, so it is the election that was lost.
      const isSame = entryAt(answer.value, 0)?.modRevision === head.modRevision;
      return isSame ? unavailable(NOT_CONTROLLER) : resultOf(outcome, next);
    }
    if (answer.failure.kind !== "unavailable") return unavailable(answer.failure.message);
    this.#doubt = { id: next.id, head };
    return resultOf(await this.#settle(deadlineMs), next);
  }

  /** Finds out about an append of which nobody knows; see the head of this file. */
  async #settle(deadlineMs: number): Promise<Outcome> {
    const doubt = this.#doubt;
    if (doubt === null) return "not-appended";
    const { keys } = this.#session;
    const { position, id, term, modRevision } = doubt.head;
    const answer = await this.#session.repeated({
      compare: [{ target: "mod", key: keys.head, revision: modRevision }],
      then: [{ type: "put", key: keys.head, value: encodeHead({ position, id, term }) }],
      otherwise: this.#outcomeAt(position),
    }, deadlineMs);
    if (!answer.ok) {
      return {
        unknown: `it is not known whether the last change was made; before the next one it will ` +
          `be found out: ${answer.failure.message}`,
      };
    }
    this.#doubt = null;
    if (answer.value.succeeded) {
      this.#advance({ ...doubt.head, modRevision: answer.value.revision });
      return "not-appended";
    }
    return this.#judge(answer.value, doubt.id, doubt.head);
  }

  /** What `#judge` needs to know about an append at this position. */
  #outcomeAt(position: number): readonly EtcdOp[] {
    const { keys } = this.#session;
    return [{ type: "range", key: keys.head }, { type: "range", key: keys.change(position) }];
  }

  /**
   * Whether the append of this id, which began at `head`, is in the log; it can no longer come. Also
   * where its own condition has failed, since what carries requests may have repeated it.
   */
  #judge(answer: EtcdTxnAnswer, id: string, head: KnownHead): Outcome {
    const [found, change] = [entryAt(answer, 0), entryAt(answer, 1)];
    this.#adopt(found);
    if (found === null || this.#broken !== null) return { unknown: this.#broken ?? NO_HEAD };
    if (decodeHead(found.value).position === head.position) return "not-appended";
    if (change === null) return "superseded";
    return writerOf(change) === id ? "appended" : "not-appended";
  }

  async read(position: number): Promise<MetadataReadResult> {
    let limit = READ_CHANGES_MAX;
    for (let attempt = 0; attempt < READS_MAX;) {
      const found = await this.#readOnce(position, limit);
      if (found === "too-large" && limit > 1) limit = Math.ceil(limit / 4);
      else if (typeof found === "object") return found;
      else attempt++;
    }
    throw new MetadataFormatError(`parts of the change at ${position} are missing in etcd`);
  }

  async #readOnce(
    position: number,
    limit: number,
  ): Promise<MetadataReadResult | "too-large" | "missing"> {
    const { keys } = this.#session;
    const key = keys.change(position);
    const answer = await this.#session.ranges([
      { type: "range", key: keys.head },
      { type: "range", key: keys.snapshot },
      { type: "range", key, rangeEnd: keys.changesEnd, limit },
    ]);
    if (answer === "too-large") return answer;
    const entry = entryAt(answer, 0);
    if (entry === null) throw new MetadataFormatError(NO_HEAD);
    const head = decodeHead(entry.value);
    this.#adopt(entry);
    if (position < (pointerOf(entryAt(answer, 1))?.position ?? 0)) return { kind: "gone" };
    if (position > head.position) {
      throw new MetadataFormatError(
        `the log in etcd ends at ${head.position}, before ${position}: it was restored from an ` +
          "older backup; restart all nodes of the cluster",
      );
    }
    const changes = await this.#decode(answer.results[2] ?? [], position);
    const isCut = position < head.position && changes?.length === 0;
    if (isCut) throw new MetadataFormatError(`the change at ${position} is missing in etcd`);
    return changes === null ? "missing" : { kind: "changes", changes };
  }

  /** Null if chunks are missing: then a snapshot has taken the changes' place. */
  async #decode(
    entries: readonly EtcdEntry[],
    from: number,
  ): Promise<MetadataChange[] | null> {
    const { keys } = this.#session;
    const changes: MetadataChange[] = [];
    let position = from;
    for (const { key, value } of entries) {
      const { header, batch } = decodeChangeValue(value);
      const folder = keys.changeChunks(position, header.id);
      const bytes = header.chunks === 0
        ? batch
        : await this.#session.chunks(header.chunks, (index) => chunkKey(folder, index));
      if (bytes === null) return changes.length > 0 ? changes : null;
      const [change] = decodeChanges(bytes);
      const isNext = key === keys.change(position) &&
        change?.position === position + change.records.length;
      if (!isNext) {
        throw new MetadataFormatError(`the change at ${position} in etcd is missing or damaged`);
      }
      changes.push(change);
      position = change.position;
      // One large change at a time is enough.
      if (header.chunks > 0) return changes;
    }
    return changes;
  }

  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  readSnapshot(): Promise<MetadataSnapshot | null> {
    return readSnapshot(this.#session);
  }

  async writeSnapshot(snapshot: MetadataSnapshot): Promise<void> {
    assert(snapshot.position <= this.endPosition, "a snapshot holds only what is durable");
    const fence = this.#fencing?.fence();
    if (fence === null) throw new MetadataUnavailableError(NOT_CONTROLLER);
    await writeSnapshot(this.#session, snapshot, fence === undefined ? [] : [fence.compare]);
  }

  /** Ends what this process follows; appends are refused from now on. The store is its owner's. */
  close(): void {
    this.#listeners.clear();
    this.#session.close();
  }

  #conflict(): MetadataAppendResult {
    return { ok: false, reason: "conflict", endPosition: this.endPosition };
  }

  #compareHead(head: KnownHead): EtcdCompare {
    return { target: "mod", key: this.#session.keys.head, revision: head.modRevision };
  }

  /** Asks etcd where the log ends; why it could not, or null. */
  async #refresh(): Promise<string | null> {
    const ranges: EtcdTxn = {
      compare: [],
      then: [{ type: "range", key: this.#session.keys.head }],
      otherwise: [],
    };
    const answer = await this.#session.repeated(ranges);
    if (!answer.ok) return answer.failure.message;
    this.#adopt(entryAt(answer.value, 0));
    return null;
  }

  /** Takes the head as it was found, unless something newer is known. */
  #adopt(entry: EtcdEntry | null): void {
    try {
      if (entry === null) throw new MetadataFormatError(NO_HEAD);
      this.#advance({ ...decodeHead(entry.value), modRevision: entry.modRevision });
      this.#broken = null;
    } catch (error) {
      if (!(error instanceof MetadataFormatError)) throw error;
      if (this.#broken === null) {
        this.#logger.error("the metadata in etcd cannot be used", { error: error.message });
      }
      this.#broken = error.message;
    }
  }

  #advance(head: KnownHead): void {
    if (head.modRevision <= this.#head.modRevision) return;
    const hasMore = head.position !== this.#head.position;
    this.#head = head;
    if (!hasMore) return;
    for (const listener of [...this.#listeners]) listener();
  }
}
