/** Brings a snapshot into a store that has nothing, or nothing of use. */
import { asError } from "../../../core/as-error.ts";
import { DiskError } from "../../../core/io.ts";
import type { IncomingStore } from "./incoming-store.ts";
import { snapshotsIn } from "./read-records.ts";
import { SnapshotError, type SnapshotRecord } from "./snapshot-record.ts";
import type { SnapshotStore, StoredObject } from "./snapshot-store.ts";

/** Which snapshot would do. */
export interface SnapshotWish {
  readonly kind: string;
  readonly topicId: string;
  /** Of the changelog. */
  readonly earliest: number;
  readonly latest: number;
  readonly nowMs: number;
  /** What is older misses that keys are gone: brokers have compacted that away. */
  readonly ageMaxMs: number;
}

/** The store that it is for. */
export interface SnapshotTarget {
  incoming(): Promise<IncomingStore>;
  /**
   * Has the store be what was brought in, which is at this offset. Throws `CorruptStoreError` where it is
   * not; the store has nothing then. Throws `DiskError` where the store is to be opened again.
   */
  adopt(incoming: IncomingStore, changelogOffset: bigint): void;
}

/** What happens on the way. */
export interface LoadEvents {
  /** The task may be closed after each step. */
  readonly signal: AbortSignal;
  /** A snapshot is left, since it cannot be used. */
  refused(name: string, why: string): void;
}

/**
 * See the head of the file: the newest that will do, of `objects`, which are all in the folder. Null: none
 * does. Throws `DiskError` where the store is to be opened again, and what the place says.
 */
export async function loadSnapshot(
  store: SnapshotStore,
  folder: string,
  objects: readonly StoredObject[],
  wish: SnapshotWish,
  target: SnapshotTarget,
  events: LoadEvents,
): Promise<SnapshotRecord | null> {
  for await (const { name, record, why } of snapshotsIn(store, folder, objects)) {
    events.signal.throwIfAborted();
    const reason = record === null ? why : whyNot(record, wish);
    if (record === null || reason !== null) {
      events.refused(name, reason ?? why);
      continue;
    }
    const incoming = await bringIn(store, folder, record, target, events, name);
    if (incoming === null) continue;
    // Nothing may come between these two: a task that is closed may be another thread's.
    events.signal.throwIfAborted();
    try {
      target.adopt(incoming, record.changelogOffset);
      return record;
    } catch (error) {
      if (error instanceof DiskError) throw error;
      events.refused(name, asError(error).message);
    }
  }
  return null;
}

/** Null: it goes. */
export function whyNot(record: SnapshotRecord, wish: SnapshotWish): string | null {
  const { kind, topicId, changelogOffset: offset, takenMs } = record;
  if (kind !== wish.kind) return `its store is kept as ${kind}, this one as ${wish.kind}`;
  if (topicId !== wish.topicId) return "the changelog was made again since";
  if (offset > BigInt(wish.latest)) {
    return `the changelog ends at ${wish.latest}, it is at ${offset}`;
  }
  if (offset < BigInt(wish.earliest)) {
    return `the changelog begins at ${wish.earliest} by now, it is at ${offset}`;
  }
  if (wish.nowMs - takenMs > wish.ageMaxMs) {
    return "it is so old that the changelog may have forgotten keys that are gone";
  }
  return null;
}

/** Null: it was refused. */
async function bringIn(
  store: SnapshotStore,
  folder: string,
  { files }: SnapshotRecord,
  target: SnapshotTarget,
  { signal, refused }: LoadEvents,
  name: string,
): Promise<IncomingStore | null> {
  const incoming = await target.incoming();
  try {
    for (const file of files) {
      signal.throwIfAborted();
      await incoming.write(file, store.get(folder + file.digest));
    }
    await incoming.finish();
    return incoming;
  } catch (error) {
    await incoming.discard();
    // This disk's: the store that is open is none the worse.
    if (error instanceof DiskError) throw new Error(error.message);
    if (signal.aborted || !(error instanceof SnapshotError || isMissing(error))) throw error;
    refused(name, asError(error).message);
    return null;
  }
}

/** Somebody has removed what was of no more use: there is a newer one. */
function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error &&
    (error.code === "ENOENT" || error.code === "NoSuchKey");
}
