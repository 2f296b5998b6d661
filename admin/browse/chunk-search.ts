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

/** Records between two looks at the clock. */
const TURN_RECORDS = 256;

/** See the head of the file. */
export class ChunkSearch {
  /** Records that an expression has failed of. */
  failed = 0;
  readonly #text: Buffer | null;
  readonly #scope = new RecordScope();

  constructor(readonly query: Pick<SearchQuery, "text" | "parts" | "where">) {
    this.#text = query.text === null ? null : Buffer.from(query.text);
  }

  /**
   * A cursor on each record that is found; null now and then, where work may be interrupted. Throws
   * `CorruptRecordError`.
   */
  *found(chunk: FetchedChunk): Generator<RecordCursor | null> {
    const text = this.#text;
    const bytes = asBuffer(chunk.bytes);
    let hit = text === null ? -1 : bytes.indexOf(text);
    for (const position of chunk.batches()) {
      chunk.batchStart = position;
      if (text === null || compressionId(bytes, position) !== 0) {
        yield* this.#inBatch(new RecordCursor(bytes, position, chunk.codecs), chunk);
        continue;
      }
      const end = position + batchSizeBytes(bytes, position);
      if (hit >= 0 && hit < position) hit = bytes.indexOf(text, position);
      if (hit < 0 || hit >= end) continue;
      yield* this.#inBatch(new RecordCursor(bytes, position, chunk.codecs), chunk);
    }
  }

  *#inBatch(cursor: RecordCursor, chunk: FetchedChunk): Generator<RecordCursor | null> {
    const text = this.#text;
    const source = asBuffer(cursor.source);
    let hit = text === null ? 0 : source.indexOf(text, 0);
    let left = TURN_RECORDS;
    while (hit >= 0 && cursor.next()) {
      if (--left === 0) {
        left = TURN_RECORDS;
        yield null;
      }
      if (text !== null) {
        if (hit < cursor.recordStart) hit = source.indexOf(text, cursor.recordStart);
        if (hit < 0) return;
        if (hit >= cursor.recordEnd || !this.#holds(cursor, source, text)) continue;
      }
      if (this.#passes(cursor, chunk)) yield cursor;
    }
  }

  /** Whether the text is in a part that is asked for, and not across the borders of parts. */
  #holds(cursor: RecordCursor, source: Buffer, text: Buffer): boolean {
    const { parts } = this.query;
    const has = (start: number, end: number) =>
      start >= 0 && end - start >= text.length && source.subarray(start, end).includes(text);
    if (parts.has("value") && has(cursor.valueStart, cursor.valueEnd)) return true;
    if (parts.has("key") && has(cursor.keyStart, cursor.keyEnd)) return true;
    return parts.has("headers") && cursor.headerCount > 0 &&
      cursor.headers().some(([name, value]) =>
        Buffer.from(name).includes(text) || (value !== null && asBuffer(value).includes(text))
      );
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

function asBuffer({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}
