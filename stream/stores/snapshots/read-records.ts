/** Finds what snapshots of a store there are. */
import { asError } from "../../../core/as-error.ts";
import {
  decodeRecord,
  isRecordName,
  RECORD_BYTES_MAX,
  SnapshotError,
  type SnapshotRecord,
} from "./snapshot-record.ts";
import type { SnapshotStore, StoredObject } from "./snapshot-store.ts";

/** A snapshot, or what looks like one. */
export interface FoundSnapshot {
  /** Of its record, with the folder. */
  readonly name: string;
  readonly modifiedMs: number;
  /** Null: it cannot be read. */
  readonly record: SnapshotRecord | null;
  /** Why it cannot. */
  readonly why: string;
}

/** Those of a folder, of which `objects` are all: the highest offset first. */
export async function* snapshotsIn(
  store: SnapshotStore,
  folder: string,
  objects: readonly StoredObject[],
): AsyncGenerator<FoundSnapshot> {
  const records = objects.filter(({ name }) => isRecordName(name.slice(folder.length)));
  const sorted = records.toSorted((one, other) => one.name < other.name ? 1 : -1);
  for (const { name, modifiedMs } of sorted) {
    try {
      const record = decodeRecord(await bytesOf(store, name));
      yield { name, modifiedMs, record, why: "" };
    } catch (error) {
      yield { name, modifiedMs, record: null, why: asError(error).message };
    }
  }
}

async function bytesOf(store: SnapshotStore, name: string): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of store.get(name)) {
    pieces.push(piece);
    length += piece.length;
    if (length > RECORD_BYTES_MAX) throw new SnapshotError("it is longer than any of ours");
  }
  return Buffer.concat(pieces);
}
