/**
 * Snapshots in etcd: chunks under names that are never used again, and one key that points to them.
 * Whoever publishes one removes what it makes useless: only keys of lower positions, and only while
 * the pointer is still his. So nobody's chunks go while they are written or valid.
 */
import { inTurns } from "../../core/steps.ts";
import { decodeSnapshot, encodeSnapshotSteps } from "../metadata-batches.ts";
import { type MetadataSnapshot, MetadataUnavailableError } from "../metadata-log.ts";
import { MetadataFormatError } from "../metadata-records.ts";
import {
  chunkKey,
  decodeSnapshotPointer,
  encodeSnapshotPointer,
  type SnapshotPointer,
} from "./etcd-layout.ts";
import { entryAt, type EtcdSession } from "./etcd-session.ts";
import type { EtcdCompare, EtcdEntry } from "./etcd-store.ts";

/** Well below what etcd takes at once (1.5 MB). */
export const CHUNK_BYTES = 512 * 1024;
/** A snapshot that goes while it is read gives way to a newer one; this often at most. */
const READS_MAX = 10;

/** Cuts bytes into chunks; views, no copies. */
export function chunksOf(bytes: Uint8Array, chunkBytes = CHUNK_BYTES): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    chunks.push(bytes.subarray(at, at + chunkBytes));
  }
  return chunks;
}

/** The pointer in its entry, or null. */
export function pointerOf(entry: EtcdEntry | null): SnapshotPointer | null {
  return entry === null ? null : decodeSnapshotPointer(entry.value);
}

/** The last snapshot, or null. */
export async function readSnapshot(session: EtcdSession): Promise<MetadataSnapshot | null> {
  const { keys } = session;
  for (let attempt = 0; attempt < READS_MAX; attempt++) {
    const pointer = pointerOf(await readPointer(session));
    if (pointer === null) return null;
    const folder = keys.snapshotChunks(pointer.position, pointer.id);
    const bytes = await session.chunks(pointer.chunks, (index) => chunkKey(folder, index));
    if (bytes !== null) {
      const { position, records } = decodeSnapshot(bytes);
      if (position === pointer.position) return { position, records };
      throw new MetadataFormatError("a snapshot in etcd is another one than its pointer says");
    }
  }
  throw new MetadataFormatError("parts of the snapshot in etcd are missing");
}

/**
 * Writes a snapshot; one that is not newer than what is there is passed over. `compare` must hold
 * besides when it is published.
 */
export async function writeSnapshot(
  session: EtcdSession,
  snapshot: MetadataSnapshot,
  compare: readonly EtcdCompare[],
): Promise<void> {
  const { clock, keys } = session;
  const { position } = snapshot;
  const before = await readPointer(session);
  const present = pointerOf(before);
  if (present !== null && present.position >= position) return;
  const bytes = await inTurns(
    clock,
    encodeSnapshotSteps(position, snapshot.records, clock.wallMs()),
  );
  const chunks = chunksOf(bytes);
  const pointer = { position, id: session.nextId(), chunks: chunks.length };
  const folder = keys.snapshotChunks(position, pointer.id);
  const put = await session.putChunks(chunks, (index) => chunkKey(folder, index));
  if (!put.ok) throw new MetadataUnavailableError(put.failure.message);
  const revision = before?.modRevision ?? 0;
  const published = await publish(session, pointer, [
    { target: "mod", key: keys.snapshot, revision },
    ...compare,
  ]);
  if (published !== null) await removeOlder(session, position, published);
}

/** The revision of the pointer, or null if somebody else's is there. */
async function publish(
  session: EtcdSession,
  pointer: SnapshotPointer,
  compare: readonly EtcdCompare[],
): Promise<number | null> {
  const key = session.keys.snapshot;
  const answer = await session.repeated({
    compare,
    then: [{ type: "put", key, value: encodeSnapshotPointer(pointer) }],
    otherwise: [{ type: "range", key }],
  });
  if (!answer.ok) throw new MetadataUnavailableError(answer.failure.message);
  if (answer.value.succeeded) return answer.value.revision;
  // An earlier attempt may have done it, whose answer was lost.
  const entry = entryAt(answer.value, 0);
  if (entry !== null && pointerOf(entry)?.id === pointer.id) return entry.modRevision;
  return null;
}

async function removeOlder(
  session: EtcdSession,
  position: number,
  pointerRevision: number,
): Promise<void> {
  const { keys } = session;
  const answer = await session.repeated({
    compare: [{ target: "mod", key: keys.snapshot, revision: pointerRevision }],
    then: keys.before(position).map((range) => ({ type: "delete", ...range })),
    otherwise: [],
  });
  // What stays goes with the next snapshot.
  if (!answer.ok) throw new MetadataUnavailableError(answer.failure.message);
}

async function readPointer(session: EtcdSession): Promise<EtcdEntry | null> {
  const answer = await session.ranges([{ type: "range", key: session.keys.snapshot }]);
  if (answer === "too-large") throw new MetadataFormatError("the snapshot's key is too large");
  return entryAt(answer, 0);
}
