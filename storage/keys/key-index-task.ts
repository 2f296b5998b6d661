/**
 * The part of making a key index that runs in a worker: chunks of a segment in, runs out.
 *
 *     begin ─ add, add, … finish ─ add, … finish
 *
 * A chunk may end within a batch: the answer says how much of it was used. A run is full before a
 * batch that it has no room for. Chunks and runs lie in memory that both sides see, where they fit.
 */
import type { Codecs } from "../../core/compression/codec.ts";
import { crc32c } from "../../core/crc32c.ts";
import type { OffloadMessage, OffloadTask } from "../../core/io.ts";
import {
  baseOffset,
  BATCH_HEADER_BYTES,
  batchSizeAt,
  batchSizeBytes,
  crcMatches,
  isControl,
  lastOffset,
  recordsCount,
} from "../../core/records/batch-header.ts";
import { CorruptRecordError } from "../../core/records/corrupt-record-error.ts";
import { RecordCursor } from "../../core/records/record-cursor.ts";
import { KeyHash } from "../cleaner/key-hash.ts";
import { type Handed, type SharedMemory, takeOver } from "../shared-memory.ts";
import { encodeKeyRun, RUN_ENTRY_BYTES, RUN_HEAD_BYTES } from "./key-run.ts";

/** Which part of which segment is indexed, and how. */
export interface KeyIndexPlan {
  readonly baseOffset: number;
  /** Where the first chunk begins, and the least offset there. */
  readonly fromPosition: number;
  readonly fromOffset: number;
  /** Offsets are below. */
  readonly endOffset: number;
  readonly secret: Uint8Array;
  /** Keys in a run, unless a batch alone has more. */
  readonly runKeysMax: number;
}

/** What the task is told. */
export type KeyIndexCall =
  & OffloadMessage
  & (
    | { readonly kind: "begin"; readonly plan: KeyIndexPlan; readonly shared: SharedMemory }
    | (Handed & { readonly kind: "add" })
    | { readonly kind: "finish" }
  );

/** What it answers; after `finish` a run is handed over. */
export interface KeyIndexAnswer extends Handed {
  /** Bytes of the chunk that are done with. */
  readonly usedBytes: number;
  /** How many bytes the next batch needs, if the chunk has not all of it; else 0. */
  readonly neededBytes: number;
  /** The run has to be finished first. */
  readonly isFull: boolean;
  /** What is wrong with the bytes at `usedBytes`; null if nothing is. */
  readonly damage: string | null;
}

/** Bytes of the largest run of so many keys. */
export function runBytesMax(runKeysMax: number): number {
  return RUN_HEAD_BYTES + runKeysMax * RUN_ENTRY_BYTES;
}

const NOTHING = new Uint8Array(0);
const DONE = { sharedBytes: 0, usedBytes: 0, neededBytes: 0, isFull: false, damage: null };

/** The task; it has to be registered where workers start. */
export function keyIndexTask(codecs: Codecs): OffloadTask<KeyIndexCall, KeyIndexAnswer> {
  return {
    name: "key-index",
    start() {
      let session: Session | null = null;
      return (call) => {
        if (call.kind === "begin") session = new Session(codecs, call.plan, call.shared);
        if (session === null) throw new Error("a key index begins with its plan");
        switch (call.kind) {
          case "begin":
            return { ...DONE, bytes: NOTHING };
          case "add":
            return session.add(call);
          case "finish":
            return session.finish();
        }
      };
    },
  };
}

class Session {
  private readonly hash: KeyHash;
  private words: Uint32Array;
  private count = 0;
  private fromPosition: number;
  private position: number;
  private lastPosition = 0;
  private lastHeaderCrc = 0;
  /** The least offset that the next batch may have. */
  private nextOffset: number;

  constructor(
    private readonly codecs: Codecs,
    private readonly plan: KeyIndexPlan,
    private readonly shared: SharedMemory,
  ) {
    this.hash = new KeyHash(plan.secret);
    this.words = new Uint32Array(2 * plan.runKeysMax);
    this.fromPosition = plan.fromPosition;
    this.position = plan.fromPosition;
    this.nextOffset = plan.fromOffset;
  }

  add(handed: Handed): KeyIndexAnswer {
    const chunk = takeOver(this.shared.input, handed);
    let at = 0;
    const answer = (more: Partial<KeyIndexAnswer>) => ({
      ...DONE,
      bytes: NOTHING,
      usedBytes: at,
      ...more,
    });
    try {
      for (let size = batchSizeAt(chunk, at); size > 0; size = batchSizeAt(chunk, at)) {
        const isEmpty = this.position === this.fromPosition;
        if (!isEmpty && this.count + recordsCount(chunk, at) > this.plan.runKeysMax) {
          return answer({ isFull: true });
        }
        this.addBatch(chunk, at);
        at += size;
        this.position += size;
      }
      const left = chunk.length - at;
      const known = left >= BATCH_HEADER_BYTES ? batchSizeBytes(chunk, at) : BATCH_HEADER_BYTES;
      return answer({ neededBytes: left > 0 ? known : 0 });
    } catch (error) {
      if (!(error instanceof CorruptRecordError)) throw error;
      return answer({ damage: error.message });
    }
  }

  finish(): KeyIndexAnswer {
    const { plan, position, fromPosition, nextOffset, lastPosition, lastHeaderCrc } = this;
    if (position === fromPosition) return { ...DONE, bytes: NOTHING };
    const { baseOffset, secret } = plan;
    const facts = { baseOffset, secret, fromPosition, toPosition: position, nextOffset };
    const run = encodeKeyRun({ ...facts, lastPosition, lastHeaderCrc }, this.words, this.count);
    this.fromPosition = position;
    this.count = 0;
    if (run.length > this.shared.output.length) return { ...DONE, bytes: run };
    this.shared.output.set(run);
    return { ...DONE, bytes: NOTHING, sharedBytes: run.length };
  }

  private addBatch(chunk: Uint8Array, at: number): void {
    if (!crcMatches(chunk, at)) throw new CorruptRecordError("the checksum of a batch is wrong");
    const base = baseOffset(chunk, at);
    const last = lastOffset(chunk, at);
    // No checksum covers the base offset.
    if (base < this.nextOffset || last < base || last >= this.plan.endOffset) {
      throw new CorruptRecordError(`offsets ${base} to ${last} are out of place`);
    }
    const before = this.count;
    try {
      if (!isControl(chunk, at)) this.addKeys(chunk, at, base - this.plan.baseOffset);
    } catch (error) {
      this.count = before;
      throw error;
    }
    this.nextOffset = last + 1;
    this.lastPosition = this.position;
    this.lastHeaderCrc = crc32c(chunk, at, at + BATCH_HEADER_BYTES);
  }

  private addKeys(chunk: Uint8Array, at: number, offset: number): void {
    const { hash } = this;
    const cursor = new RecordCursor(chunk, at, this.codecs);
    while (cursor.next()) {
      if (cursor.keyStart < 0) continue;
      if (2 * this.count === this.words.length) this.grow();
      hash.compute(cursor.source, cursor.keyStart, cursor.keyEnd);
      this.words[2 * this.count] = offset;
      this.words[2 * this.count + 1] = hash.a;
      this.count++;
    }
  }

  /** A batch alone has more keys than a run. */
  private grow(): void {
    const words = new Uint32Array(2 * this.words.length);
    words.set(this.words);
    this.words = words;
  }
}
