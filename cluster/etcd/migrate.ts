/**
 * Moves a cluster's metadata from another log, as a rule the local one of a single node, into etcd.
 * The state at the log's end goes there as a snapshot of the same position, so that what is counted
 * by positions goes on. It is put in chunks first; one transaction then makes the cluster: until it
 * is done there is none, and an attempt that was interrupted is begun anew.
 */
import { OperatorError } from "../../core/operator-error.ts";
import { inTurns } from "../../core/steps.ts";
import { MetadataImage } from "../metadata-image.ts";
import { encodeSnapshotSteps } from "../metadata-batches.ts";
import type { MetadataLog } from "../metadata-log.ts";
import { MetadataFormatError } from "../metadata-records.ts";
import { chunkKey, encodeHead, encodeIdentity, encodeSnapshotPointer } from "./etcd-layout.ts";
import { entryAt, type EtcdSession } from "./etcd-session.ts";
import { chunksOf, pointerOf, readSnapshot } from "./etcd-snapshots.ts";
import { prefixEnd } from "./etcd-store.ts";
import { etcdSession, type EtcdWorld } from "./open-etcd.ts";

/** What was moved: the state at this position, and how many records it is. */
export interface Migrated {
  readonly position: number;
  readonly records: number;
}

/**
 * Copies the state of `from`, to which nobody may append meanwhile, to the keys of a cluster, and
 * reads it back. Throws an `OperatorError` if there are keys already, or if etcd cannot be asked
 * (exit code 3); then nothing was moved, unless it says so.
 */
export async function migrateToEtcd(
  from: MetadataLog,
  world: EtcdWorld,
  to: { readonly cluster: string; readonly clusterId: string },
): Promise<Migrated> {
  const session = etcdSession(world, to.cluster);
  try {
    await makeRoom(session);
    const image = await imageOf(from, session);
    const records = await inTurns(world.clock, image.toRecordsSteps());
    await publish(session, to, image.position, await encode(session, image.position, records));
    const moved = await readSnapshot(session);
    if (JSON.stringify(moved?.records) !== JSON.stringify(records)) {
      throw new MetadataFormatError("what was moved to etcd reads otherwise than what was written");
    }
    return { position: image.position, records: records.length };
  } finally {
    session.close();
  }
}

/** Refuses keys that are there, and removes what an interrupted attempt has left. */
async function makeRoom(session: EtcdSession): Promise<void> {
  const { keys } = session;
  const chunks = keys.snapshotFolder;
  const others = [
    { target: "absent", key: keys.prefix, rangeEnd: chunks },
    { target: "absent", key: prefixEnd(chunks), rangeEnd: prefixEnd(keys.prefix) },
  ] as const;
  const answer = await session.repeated({
    compare: others,
    then: [{ type: "delete", key: chunks, rangeEnd: prefixEnd(chunks) }],
    otherwise: [],
  });
  if (!answer.ok) throw cannotMove(answer.failure.message);
  if (!answer.value.succeeded) throw notEmpty(keys.prefix);
}

function notEmpty(prefix: string): OperatorError {
  return new OperatorError(
    "cannot move the metadata to etcd",
    `there are keys under ${prefix} already`,
    "give the cluster another name, or remove those keys if nobody needs them",
  );
}

function cannotMove(message: string): OperatorError {
  return new OperatorError(
    "cannot move the metadata to etcd",
    message,
    "put that right and repeat the command: nothing was moved",
    3,
  );
}

async function imageOf(from: MetadataLog, session: EtcdSession): Promise<MetadataImage> {
  const { clock } = session;
  const snapshot = await from.readSnapshot();
  let image = MetadataImage.EMPTY;
  if (snapshot !== null) {
    image = (await inTurns(clock, image.applySteps(snapshot.records, snapshot.position))).image;
  }
  for (;;) {
    const read = await from.read(image.position);
    if (read.kind === "gone") {
      throw new MetadataFormatError("the changes after the last snapshot are missing");
    }
    if (read.changes.length === 0) return image;
    for (const { records, position } of read.changes) {
      image = (await inTurns(clock, image.applySteps(records, position))).image;
    }
  }
}

async function encode(
  session: EtcdSession,
  position: number,
  records: Parameters<typeof encodeSnapshotSteps>[1],
): Promise<Uint8Array[]> {
  const { clock } = session;
  return chunksOf(await inTurns(clock, encodeSnapshotSteps(position, records, clock.wallMs())));
}

async function publish(
  session: EtcdSession,
  to: { readonly cluster: string; readonly clusterId: string },
  position: number,
  chunks: readonly Uint8Array[],
): Promise<void> {
  const { keys } = session;
  const id = session.nextId();
  const folder = keys.snapshotChunks(position, id);
  const put = await session.putChunks(chunks, (index) => chunkKey(folder, index));
  if (!put.ok) throw cannotMove(put.failure.message);
  const pointer = encodeSnapshotPointer({ position, id, chunks: chunks.length });
  const identity = encodeIdentity({ cluster: to.cluster, clusterId: to.clusterId });
  const answer = await session.repeated({
    compare: [keys.identity, keys.head, keys.snapshot].map((key) => ({
      target: "create",
      key,
      revision: 0,
    })),
    then: [
      { type: "put", key: keys.identity, value: identity },
      { type: "put", key: keys.snapshot, value: pointer },
      { type: "put", key: keys.head, value: encodeHead({ position, id: "", term: 0 }) },
    ],
    otherwise: [{ type: "range", key: keys.snapshot }],
  });
  if (!answer.ok) {
    throw new OperatorError(
      "it is not known whether the metadata was moved to etcd",
      answer.failure.message,
      "repeat the command: if it says that there are keys, it was moved",
      3,
    );
  }
  // An earlier attempt of ours may have done it, whose answer was lost.
  const isOurs = answer.value.succeeded || pointerOf(entryAt(answer.value, 0))?.id === id;
  if (!isOurs) throw notEmpty(keys.prefix);
}
