/**
 * Copies a store that is pinned to where snapshots are kept. What is there already is not copied again.
 * Nobody is kept from doing so at the same time: objects are named by what is in them, records by
 * chance, and what another one has put is removed only when it has been of no use for long.
 */
import { createHash } from "node:crypto";
import type { PinnedFile, PinnedStore } from "./pinned-store.ts";
import { type FoundSnapshot, snapshotsIn } from "./read-records.ts";
import { encodeRecord, recordName, type SnapshotRecord } from "./snapshot-record.ts";
import type { SnapshotStore, StoredObject } from "./snapshot-store.ts";

/** What a snapshot is to say of itself. */
export interface TakeOptions {
  /** Ends in "/". */
  readonly folder: string;
  readonly kind: string;
  readonly topicId: string;
  readonly nowMs: number;
  /** In hex; of this snapshot alone. */
  readonly unique: string;
  readonly signal: AbortSignal;
  /** Called with each piece that has gone its way. */
  onProgress(): void;
}

/** What was done. */
export interface Taken {
  readonly bytes: number;
  /** What was not there yet. */
  readonly copiedBytes: number;
}

/** So many are kept: one that is found to be damaged has one before it. */
const KEPT = 2;
/** What others have left may be of some use to them for so long. */
const OTHERS_KEPT_MS = 86_400_000;

/** See the head of the file. Rejects with what the place says, and `CorruptStoreError`. */
export async function takeSnapshot(
  store: SnapshotStore,
  pinned: PinnedStore,
  options: TakeOptions,
): Promise<Taken> {
  const { folder, kind, topicId, nowMs, unique, signal } = options;
  const objects = await store.list(folder);
  const there = new Map(objects.map(({ name, sizeBytes }) => [name, sizeBytes]));
  const files = [];
  let [bytes, copiedBytes] = [0, 0];
  for (const file of pinned.files) {
    const { name, sizeBytes } = file;
    const digest = file.digest ??= await digestOf(file, options);
    files.push({ name, sizeBytes, digest });
    bytes += sizeBytes;
    const object = folder + digest;
    if (there.get(object) === sizeBytes) continue;
    signal.throwIfAborted();
    await store.put(object, watched(file, options));
    there.set(object, sizeBytes);
    copiedBytes += sizeBytes;
  }
  signal.throwIfAborted();
  const { changelogOffset } = pinned;
  const record = { kind, topicId, changelogOffset, takenMs: nowMs, files };
  await store.put(folder + recordName(record, unique), once(encodeRecord(record)));
  const left = new Set((await clean(store, record, options)).map(({ name }) => name));
  // Another owner may have removed what it has found of no use to anybody.
  const gone = files.find(({ digest }) => !left.has(folder + digest));
  if (gone !== undefined) throw new Error(`file ${gone.name} has been removed meanwhile`);
  return { bytes, copiedBytes };
}

async function digestOf(file: PinnedFile, options: TakeOptions): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of watched(file, options)) hash.update(piece);
  return hash.digest("hex");
}

async function* watched(
  file: PinnedFile,
  { signal, onProgress }: TakeOptions,
): AsyncGenerator<Uint8Array> {
  for await (const piece of file.pieces()) {
    signal.throwIfAborted();
    onProgress();
    yield piece;
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/**
 * Keeps the newest of this changelog, and removes what they do not need: at once where it was part of
 * such a snapshot, after long where it may be somebody's who is at it. Gives what was there before.
 */
async function clean(
  store: SnapshotStore,
  { kind, topicId }: SnapshotRecord,
  { folder, nowMs, signal }: TakeOptions,
): Promise<readonly StoredObject[]> {
  const objects = await store.list(folder);
  const isOld = ({ modifiedMs }: Pick<StoredObject, "modifiedMs">) =>
    nowMs - modifiedMs > OTHERS_KEPT_MS;
  const [kept, over]: [FoundSnapshot[], FoundSnapshot[]] = [[], []];
  let ownCount = 0;
  for await (const found of snapshotsIn(store, folder, objects)) {
    const { record } = found;
    const isOwn = record !== null && record.kind === kind && record.topicId === topicId;
    const isKept = isOwn ? ownCount++ < KEPT : !isOld(found);
    (isKept ? kept : over).push(found);
  }
  const needed = new Set([...kept.map(({ name }) => name), ...namesOf(folder, kept)]);
  // Records first: one that is there has its files.
  for (const { name } of over) {
    signal.throwIfAborted();
    await store.remove(name);
  }
  const unneeded = namesOf(folder, over);
  for (const object of objects) {
    if (needed.has(object.name) || !(unneeded.has(object.name) || isOld(object))) continue;
    signal.throwIfAborted();
    await store.remove(object.name);
  }
  return objects;
}

function namesOf(folder: string, snapshots: readonly FoundSnapshot[]): Set<string> {
  return new Set(
    snapshots.flatMap(({ record }) => (record?.files ?? []).map(({ digest }) => folder + digest)),
  );
}
