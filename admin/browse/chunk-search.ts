/**
 * Finds the records of a chunk that a search is for. A text is looked for in the raw bytes of all
 * batches at once: where they are not compressed, a batch without the text costs no more than that,
 * and its records are never looked at.
 */
import type { FetchedChunk } from "../../client/consumer.ts";
import { ExpressionError, RecordScope } from "../../core/expression/expression.ts";
import { batchSizeBytes, compressionId } from "../../core/records/batch-header.ts";
import { RecordCursor } from "../../core/records/record-cursor.ts";
import type { SearchQuery } from "./search-query.ts";
import type { TextFinder } from "./text-finder.ts";

/** Records between two looks at the clock. */
const TURN_RECORDS = 256;
const encoder = new TextEncoder();

/** See the head of the file. */
export class ChunkSearch {
  /** Records that an expression has failed of. */
  failed = 0;
  readonly #scope = new RecordScope();

  constructor(readonly query: Pick<SearchQuery, "text" | "parts" | "where">) {}

  /**
   * A cursor on each record that is found; null now and then, where work may be interrupted. Throws
   * `CorruptRecordError`.
   */
  *found(chunk: FetchedChunk): Generator<RecordCursor | null> {
    const raw = this.query.text?.raw ?? null;
    const { bytes } = chunk;
    const view = raw?.view(bytes) ?? null;
    let hit = raw === null || view === null ? -1 : view.indexOf(raw.needle);
    for (const position of chunk.batches()) {
      chunk.batchStart = position;
      if (raw === null || view === null || compressionId(bytes, position) !== 0) {
        const cursor = new RecordCursor(bytes, position, chunk.codecs);
        yield* this.#inBatch(cursor, chunk, raw?.view(cursor.source) ?? null);
        continue;
      }
      const end = position + batchSizeBytes(bytes, position);
      if (hit >= 0 && hit < position) hit = view.indexOf(raw.needle, position);
      if (hit < 0 || hit >= end) continue;
      yield* this.#inBatch(new RecordCursor(bytes, position, chunk.codecs), chunk, view);
    }
  }

  /** `view`: of the cursor's source; null: the records have to be looked at one by one. */
  *#inBatch(
    cursor: RecordCursor,
    chunk: FetchedChunk,
    view: Buffer | null,
  ): Generator<RecordCursor | null> {
    const { text } = this.query;
    const needle = text?.raw?.needle ?? "";
    let hit = view === null ? 0 : view.indexOf(needle);
    let left = TURN_RECORDS;
    while (hit >= 0 && cursor.next()) {
      if (--left === 0) {
        left = TURN_RECORDS;
        yield null;
      }
      if (view !== null) {
        if (hit < cursor.recordStart) hit = view.indexOf(needle, cursor.recordStart);
        if (hit < 0) return;
        if (hit >= cursor.recordEnd) continue;
      }
      if (text !== null && !this.#holds(cursor, text)) continue;
      if (this.#passes(cursor, chunk)) yield cursor;
    }
  }

  /** Whether the text is in a part that is asked for, and not across the borders of parts. */
  #holds(cursor: RecordCursor, text: TextFinder): boolean {
    const { parts } = this.query;
    const has = (part: Uint8Array | null) => part !== null && text.isIn(part);
    if (parts.has("value") && has(cursor.value())) return true;
    if (parts.has("key") && has(cursor.key())) return true;
    return parts.has("headers") && cursor.headerCount > 0 &&
      cursor.headers().some(([name, value]) => text.isIn(encoder.encode(name)) || has(value));
  }

  #passes(cursor: RecordCursor, chunk: FetchedChunk): boolean {
    const { where } = this.query;
    if (where === null) return true;
    this.#scope.set(cursor, chunk);
    try {
      return where.test(this.#scope);
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      // A record that the expression cannot take is none that it holds for; it is counted.
      this.failed++;
      return false;
    }
  }
}
