/** Where an application's snapshots are, as its settings have it. */
import { join, resolve, sep } from "node:path";
import type { Logger } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { StreamsConfig } from "../../stream/runtime/streams-config.ts";
import { FolderSnapshots } from "../../stream/stores/snapshots/folder-snapshots.ts";
import { S3Snapshots } from "./s3-snapshots.ts";
import type { SnapshotStore } from "../../stream/stores/snapshots/snapshot-store.ts";

const S3 = /^s3:\/\/([^/]+)\/*(.*?)\/*$/;
const S3_SCHEME = "s3://";
/** In the folder of the application's state. */
const STAGING = ".snapshot-staging";

/** Null: it has none. */
export function snapshotsOf(
  { snapshotDir, applicationId, stateDir }: Pick<
    StreamsConfig,
    "snapshotDir" | "applicationId" | "stateDir"
  >,
): SnapshotStore | null {
  if (snapshotDir === null) return null;
  if (!snapshotDir.startsWith(S3_SCHEME)) {
    return new FolderSnapshots(join(resolve(snapshotDir), applicationId));
  }
  const [, bucket, prefix] = S3.exec(snapshotDir) ?? [];
  if (bucket === undefined) throw noBucket(snapshotDir);
  return new S3Snapshots({
    bucket,
    prefix: prefix === "" ? `${applicationId}/` : `${prefix}/${applicationId}/`,
    staging: stagingOf({ stateDir, applicationId }),
  });
}

/** Where files are on their way to a bucket; what a process that was killed has left there is of no use. */
export function stagingOf(
  { stateDir, applicationId }: Pick<StreamsConfig, "stateDir" | "applicationId">,
): string {
  return join(resolve(stateDir), applicationId, STAGING);
}

function noBucket(snapshotDir: string): OperatorError {
  const why = "it names no bucket";
  return new OperatorError(
    `snapshots cannot be in ${snapshotDir}`,
    why,
    "write s3://BUCKET/PREFIX",
    2,
  );
}

type SnapshotConfig = Pick<
  StreamsConfig,
  "snapshotDir" | "stateDir" | "applicationId" | "isStateInMemory"
>;

/** Throws an `OperatorError` where snapshots would be among the stores themselves. */
export function checkSnapshots(config: SnapshotConfig, logger: Logger): void {
  const { snapshotDir, stateDir, applicationId, isStateInMemory } = config;
  if (snapshotDir === null) return;
  if (isStateInMemory) {
    const why = "default.dsl.store=in_memory: stores in memory have no snapshots";
    return logger.warn("state.snapshot.dir is not heeded", { why });
  }
  if (snapshotDir.startsWith(S3_SCHEME)) {
    if (!S3.test(snapshotDir)) throw noBucket(snapshotDir);
    return;
  }
  const [snapshots, state] = [snapshotDir, stateDir].map((dir) => resolve(dir, applicationId));
  if (snapshots !== state && !`${snapshots}`.startsWith(`${state}${sep}`)) return;
  throw new OperatorError(
    `snapshots cannot be in ${snapshotDir}`,
    `the stores themselves are in ${stateDir}, state.dir`,
    "set state.snapshot.dir to a folder that outlives this machine",
    2,
  );
}
