/** `kstream cluster migrate`. */
import { resolve } from "node:path";
import { etcdStoreAt, parseEtcdUrl } from "../../cluster/etcd/etcd-url.ts";
import { type Migrated, migrateToEtcd } from "../../cluster/etcd/migrate.ts";
import { openEtcdMetadataLog } from "../../cluster/etcd/open-etcd.ts";
import type { EtcdWorld } from "../../cluster/etcd/open-etcd.ts";
import {
  LocalMetadataLog,
  METADATA_LOG_CONFIG,
  METADATA_LOG_ID,
  MOVED_SUFFIX,
} from "../../cluster/local-metadata-log.ts";
import { bunCodecs } from "../../core/compression/bun.ts";
import { bunIo } from "../../core/io/bun/index.ts";
import type { Io } from "../../core/io.ts";
import { createLogger } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { DataDirs } from "../../storage/data-dirs.ts";
import { readMetaProperties } from "../../storage/meta-properties.ts";
import { count, print, printJson } from "../output.ts";
import { textOf } from "../serve/cluster-member.ts";
import { say } from "../terminal.ts";

/** Options of the command. */
export interface MigrateOptions {
  readonly cluster: string;
  readonly metadata: string;
  readonly data: string;
  readonly json?: boolean | undefined;
}

/** `kstream cluster migrate`. */
export async function migrate(options: MigrateOptions): Promise<void> {
  const io = bunIo();
  const store = etcdStoreAt(
    parseEtcdUrl(options.metadata),
    (path) => textOf(path, "--metadata"),
  );
  const logger = createLogger({
    level: "warn",
    format: "text",
    wallMs: () => io.clock.wallMs(),
    write: say,
  });
  const world: EtcdWorld = { clock: io.clock, random: io.random, logger, store };
  const dirs = await openDirs(io, options.data.split(",").map((path) => resolve(path)), world);
  let folder: string;
  let moved: Migrated & { readonly earlier: boolean };
  try {
    const log = dirs.getOrCreate(METADATA_LOG_ID, METADATA_LOG_CONFIG);
    folder = `${dirs.dirOf(log)?.path}/${log.name}`;
    const from = new LocalMetadataLog(io.clock, io.disk, log, folder);
    moved = await moveOnce(from, world, { cluster: options.cluster, clusterId: dirs.clusterId });
  } finally {
    await dirs.close();
  }
  // Or the broker could go on alone, and the cluster would be two.
  io.disk.rename(folder, folder + MOVED_SUFFIX);
  await io.disk.syncDir(resolve(folder, ".."));
  const { clusterId, nodeId } = dirs;
  const done = { cluster: options.cluster, clusterId, nodeId, ...moved };
  if (options.json) return await printJson(done);
  await print(
    `moved the metadata of node ${nodeId} to etcd: ${count(moved.records, "record")}\n` +
      `start it with: kstream serve --data ${options.data} --cluster ${options.cluster} ` +
      `--metadata …\n`,
  );
}

async function openDirs(io: Io, paths: string[], { logger }: EtcdWorld): Promise<DataDirs> {
  const meta = paths.map((path) => readMetaProperties(io.disk, path)).find((each) => each !== null);
  const folder = `${METADATA_LOG_ID.topic}-${METADATA_LOG_ID.partition}`;
  if (meta === undefined || !paths.some((path) => io.disk.stat(`${path}/${folder}`) !== null)) {
    const isMoved = paths.some((path) => io.disk.stat(`${path}/${folder}${MOVED_SUFFIX}`) !== null);
    throw new OperatorError(
      `there are no metadata in ${paths.join(", ")}`,
      isMoved ? "they have been moved to etcd before" : "no broker of its own has run there",
      isMoved ? "start it with: kstream serve --cluster" : "name the directory with --data",
    );
  }
  return await DataDirs.open(io, logger, {
    paths,
    vitalTopic: METADATA_LOG_ID.topic,
    nodeId: meta.nodeId,
    // Whatever the topics' configs are: nothing is removed while this goes on.
    logConfig: () => METADATA_LOG_CONFIG,
    codecs: bunCodecs,
  });
}

/** Moves them; where they are in etcd already since an earlier attempt got that far, that is fine. */
async function moveOnce(
  from: LocalMetadataLog,
  world: EtcdWorld,
  to: { readonly cluster: string; readonly clusterId: string },
): Promise<Migrated & { readonly earlier: boolean }> {
  try {
    return { ...await migrateToEtcd(from, world, to), earlier: false };
  } catch (error) {
    if (!(error instanceof OperatorError) || error.exitCode !== 1) throw error;
    const position = await earlierPosition(world, to);
    if (position === null || position < from.endPosition) throw error;
    return { position, records: 0, earlier: true };
  }
}

/** Where the log of this very cluster ends in etcd; null if the keys are of another one. */
async function earlierPosition(
  world: EtcdWorld,
  to: { readonly cluster: string; readonly clusterId: string },
): Promise<number | null> {
  try {
    const { log } = await openEtcdMetadataLog(world, { ...to, newClusterId: to.clusterId });
    const { endPosition } = log;
    await log.close();
    return endPosition;
  } catch (error) {
    if (error instanceof OperatorError) return null;
    throw error;
  }
}
