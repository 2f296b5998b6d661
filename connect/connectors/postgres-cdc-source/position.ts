/**
 * Where the source has come to, as offsets have it.
 *
 * In the stream: a transaction, by where its commit lies, and how many changes of it are done. They
 * come again in the same order, so what is done is left out.
 *
 * Of a snapshot: its parts. The tables are read in the order of their names, each in the order of its
 * primary key. Where a snapshot is interrupted, the rest is read of a later one: so each part says up
 * to which row it goes, and which transactions its rows have seen: those before `lsn`. A change of a
 * row by a transaction that the row has seen already is left out of the stream.
 *
 *     orders 1 … 500        as of 0/1500000     a change of row 7 at 0/1600000 is given on
 *     orders 501 … , users  as of 0/1700000     one of row 600 at 0/1600000 is in its snapshot
 */
import type { SourceMap } from "../../index.ts";
import { formatLsn, parseLsn } from "./lsn.ts";

/** Rows that were read at one moment: those behind the part before, up to `table` and `key`. */
export interface SnapshotPart {
  readonly lsn: bigint;
  /** `schema.table` of the last row. */
  readonly table: string;
  /** Primary key of the last row; null: all of the table. */
  readonly key: readonly string[] | null;
}

export interface Position {
  /** Of the server (`IDENTIFY_SYSTEM`): places in the log of another one mean nothing. */
  readonly system: string;
  /** The rows that are there are being read. */
  readonly isSnapshot: boolean;
  readonly parts: readonly SnapshotPart[];
  /** Of the transaction that is being read, or was last: all before are done. */
  readonly lsn: bigint;
  /** How many of its changes are done. */
  readonly changes: number;
}

/** As a source's offset. */
export function offsetOf({ system, isSnapshot, parts, lsn, changes }: Position): SourceMap {
  const shown = parts.map((part) => ({ ...part, lsn: formatLsn(part.lsn) }));
  return {
    system,
    lsn: formatLsn(lsn),
    changes,
    ...(isSnapshot ? { snapshot: true } : {}),
    ...(parts.length === 0 ? {} : { parts: JSON.stringify(shown) }),
  };
}

/** Throws where an offset is none of ours. */
export function positionOf(offset: SourceMap): Position {
  const { system, lsn, changes, snapshot, parts } = offset;
  if (typeof system !== "string" || typeof lsn !== "string" || typeof changes !== "number") {
    throw new Error('an offset has "system" and "lsn" as text and "changes" as a number');
  }
  return {
    system,
    isSnapshot: snapshot === true,
    parts: typeof parts === "string" ? partsOf(JSON.parse(parts)) : [],
    lsn: parseLsn(lsn),
    changes,
  };
}

function partsOf(json: unknown): SnapshotPart[] {
  if (!Array.isArray(json)) throw new Error('"parts" of an offset is a list');
  return json.map((part: { lsn?: unknown; table?: unknown; key?: unknown }) => {
    const { lsn, table, key } = part;
    if (typeof lsn !== "string" || typeof table !== "string") {
      throw new Error('"parts" of an offset have "lsn" and "table"');
    }
    return { lsn: parseLsn(lsn), table, key: Array.isArray(key) ? key.map(String) : null };
  });
}

/** Whether `a` is at or before `b` in the stream. */
export function isUpTo(
  a: { readonly lsn: bigint; readonly changes: number },
  b: { readonly lsn: bigint; readonly changes: number },
): boolean {
  return a.lsn < b.lsn || (a.lsn === b.lsn && a.changes <= b.changes);
}
