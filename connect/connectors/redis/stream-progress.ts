/**
 * Where reading of a stream has come to, and what was taken away before it was read: trimmed or
 * deleted entries leave no trace but in the count of all that were ever added (`entries-added` of
 * XINFO, from Redis 7 on), which is compared with the count of those read.
 */
import type { SourceMap } from "../../index.ts";
import type { Reply } from "./connection.ts";

/** What XINFO STREAM says of a stream; null: there is none. */
export interface StreamState {
  readonly lastId: string;
  readonly length: number;
  /** How many were ever added; null: this server does not count. */
  readonly added: number | null;
}

/** Something that a source cannot make up for. */
export interface StreamGap {
  /** How many entries are missing; null: the stream is another one, or has lost its end. */
  readonly count: number | null;
  /** The entry up to which nothing is missing. */
  readonly after: string;
  /** The last entry that the gap may lie before. */
  readonly before: string;
}

export function streamState(reply: Reply): StreamState {
  const fields = new Map<string, Reply>();
  if (Array.isArray(reply)) {
    for (let i = 0; i + 1 < reply.length; i += 2) fields.set(String(reply[i]), reply[i + 1]);
  }
  const added = fields.get("entries-added");
  return {
    lastId: String(fields.get("last-generated-id") ?? "0-0"),
    length: Number(fields.get("length") ?? 0),
    added: typeof added === "number" ? added : null,
  };
}

/** Negative where `a` comes before `b`. */
export function compareIds(a: string, b: string): number {
  const [left, right] = [sortable(a), sortable(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function sortable(id: string): string {
  const [ms = "0", sequence = "0"] = id.split("-");
  return ms.padStart(20, "0") + sequence.padStart(20, "0");
}

/** Whether it is an entry's id, as it goes into commands: `1526919030474-55`. */
export function isEntryId(text: string): boolean {
  return /^\d{1,20}-\d{1,20}$/.test(text);
}

/** One stream that is read. */
export class StreamProgress {
  /** The entry read last. */
  id: string;
  /** How many were ever added up to that one; null: not known. */
  #read: number | null;
  /** The entry up to which that count was right. */
  #sureId: string;
  /** A state of before, whose last entry has not been read yet. */
  #ahead: StreamState | null = null;

  private constructor(id: string, read: number | null) {
    this.id = id;
    this.#sureId = id;
    this.#read = read;
  }

  /** Goes on where `offset` says. */
  static after(offset: SourceMap): StreamProgress {
    const id = String(offset["id"] ?? "");
    if (!isEntryId(id)) throw new Error(`the stored offset has no id of an entry: "${id}"`);
    return new StreamProgress(id, typeof offset["read"] === "number" ? offset["read"] : null);
  }

  /** Begins: with what is there (`0-0`), behind it (`$`), or behind an entry. */
  static from(start: string, state: StreamState | null): StreamProgress {
    if (state === null) return new StreamProgress(isEntryId(start) ? start : "0-0", 0);
    if (start === "$") return new StreamProgress(state.lastId, state.added);
    if (start !== "0-0") return new StreamProgress(start, null);
    return new StreamProgress(start, state.added === null ? null : state.added - state.length);
  }

  offset(): SourceMap {
    return this.#read === null ? { id: this.id } : { id: this.id, read: this.#read };
  }

  /** Goes on behind an entry that was read. */
  took(id: string): StreamGap | null {
    // What was there when it was looked at has all been read, or is gone.
    const gap = this.#ahead !== null && compareIds(id, this.#ahead.lastId) > 0
      ? this.#settle(this.#ahead)
      : null;
    this.id = id;
    if (this.#read !== null) this.#read++;
    return gap;
  }

  /** Hears of the stream's state, which is that of some moment since the last answer. */
  saw(state: StreamState): StreamGap | null {
    const order = compareIds(state.lastId, this.id);
    if (order < 0) {
      const gap = { count: null, after: state.lastId, before: this.id };
      this.id = this.#sureId = state.lastId;
      this.#read = state.added;
      this.#ahead = null;
      return gap;
    }
    if (order === 0) return this.#settle(state);
    this.#ahead ??= state;
    return null;
  }

  /** Nothing came, though something waits behind what was read last, if `saw` has said so: it is gone. */
  foundNothing(): StreamGap | null {
    const ahead = this.#ahead;
    if (ahead === null || compareIds(ahead.lastId, this.id) < 0) return null;
    this.id = ahead.lastId;
    return this.#settle(ahead);
  }

  #settle({ added }: StreamState): StreamGap | null {
    const missing = added === null || this.#read === null ? 0 : added - this.#read;
    this.#read = added;
    this.#ahead = null;
    const gap = { after: this.#sureId, before: this.id };
    this.#sureId = this.id;
    if (missing === 0) return null;
    return { ...gap, count: missing > 0 ? missing : null };
  }
}
