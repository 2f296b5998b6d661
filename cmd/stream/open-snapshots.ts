/** Where an application's snapshots are, as its settings have it. */
import { join, resolve, sep } from "node:path";
import type { Logger } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { StreamsConfig } from "../../stream/runtime/streams-config.ts";
import { FolderSnapshots } from "../../stream/stores/snapshots/folder-snapshots.ts";
import type { SnapshotStore } from "../../stream/stores/snapshots/snapshot-store.ts";

/** Null: it has none. */
export function snapshotsOf(
  { snapshotDir, applicationId }: Pick<StreamsConfig, "snapshotDir" | "applicationId">,
): SnapshotStore | null {
  return snapshotDir === null
    ? null
    : new FolderSnapshots(join(resolve(snapshotDir), applicationId));
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
  const [snapshots, state] = [snapshotDir, stateDir].map((dir) => resolve(dir, applicationId));
  if (snapshots !== state && !`${snapshots}`.startsWith(`${state}${sep}`)) return;
  throw new OperatorError(
    `snapshots cannot be in ${snapshotDir}`,
    `the stores themselves are in ${stateDir}, state.dir`,
    "set state.snapshot.dir to a folder that outlives this machine",
    2,
  );
}
