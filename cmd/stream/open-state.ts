/** The state directory of an application, as its settings have it. */
import { rmSync } from "node:fs";
import { resolve } from "node:path";
import { BunDisk } from "../../core/io/bun/disk.ts";
import { DiskError } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { StreamsConfig } from "../../stream/runtime/streams-config.ts";
import { StateDirectory } from "../../stream/stores/state-directory.ts";
import { clientIo } from "../client.ts";
import { reasonOf } from "../reason.ts";
import { stagingOf } from "./open-snapshots.ts";

/** Of all stores of all threads together, for blocks that were read. */
const BLOCK_CACHE_BYTES = 64 * 1024 * 1024;

/** What of an application's settings says where its state is. */
type StateConfig = Pick<StreamsConfig, "stateDir" | "applicationId" | "threads">;

/** For the process. Throws an `OperatorError` where another one has it. */
export function openState(config: StateConfig, logger: Logger): StateDirectory {
  const directory = inWords(config, () => StateDirectory.open(ioOf(logger), optionsOf(config)));
  try {
    rmSync(stagingOf(config), { recursive: true, force: true });
  } catch (error) {
    logger.warn("files of snapshots that were on their way are left", { error: reasonOf(error) });
  }
  return directory;
}

/** For one of its threads, while the process has it open. */
export function openStateBeside(config: StateConfig, logger: Logger): StateDirectory {
  return inWords(config, () => StateDirectory.openBeside(ioOf(logger), optionsOf(config)));
}

/** Now and then removes state of tasks that have been others' for long; not at once, before it has its own. */
export function cleanState(
  directory: StateDirectory,
  { stateCleanupDelayMs }: Pick<StreamsConfig, "stateCleanupDelayMs">,
  logger: Logger,
): void {
  clientIo.clock.setTimer(stateCleanupDelayMs, () => {
    directory.removeUnused(stateCleanupDelayMs).then((tasks) => {
      if (tasks.length === 0) return;
      logger.info("state of others' tasks removed", { tasks: tasks.join(",") });
    }, (error: unknown) => logger.warn("state is not cleaned", { error: reasonOf(error) }));
    cleanState(directory, { stateCleanupDelayMs }, logger);
  });
}

function ioOf(logger: Logger) {
  return { disk: new BunDisk(null), ...clientIo, logger };
}

function optionsOf({ stateDir, applicationId, threads }: StateConfig) {
  const blockCacheBytes = Math.floor(BLOCK_CACHE_BYTES / threads);
  return { dir: resolve(stateDir), applicationId, blockCacheBytes };
}

function inWords({ stateDir }: StateConfig, open: () => StateDirectory): StateDirectory {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    const what = `cannot keep state in ${stateDir}`;
    throw new OperatorError(what, error.message, "set state.dir to a folder that can be written");
  }
}
