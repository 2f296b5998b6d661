/**
 * Where shards have their data, below each data directory DIR of `serve --shards N`: `DIR/shard-0`,
 * `DIR/shard-1`, … for the brokers; in the first DIR `controller` for the metadata log, unless that is in
 * etcd.
 */
import type { Disk } from "../../../core/io.ts";
import { OperatorError } from "../../../core/operator-error.ts";
import { META_PROPERTIES_FILE } from "../../../storage/names.ts";
import { readMetaProperties } from "../../../storage/meta-properties.ts";

/** What a shard is called, in logs and on disk; the first is 0. */
export function shardName(index: number): string {
  return `shard-${index}`;
}

/** The data directory of a shard in one of those that all share. */
export function shardDir(dir: string, index: number): string {
  return `${dir}/${shardName(index)}`;
}

/** The directory of the metadata log. */
export function controllerDir(dir: string): string {
  return `${dir}/controller`;
}

const isUsed = (disk: Disk, dir: string) => disk.stat(`${dir}/${META_PROPERTIES_FILE}`) !== null;

/** Refuses to start one broker where there are shards. */
export function refuseShards(disk: Disk, dir: string): void {
  if (isUsed(disk, dir) || !isUsed(disk, shardDir(dir, 0))) return;
  throw new OperatorError(
    `cannot open the data directory ${dir}`,
    "it has the data of shards",
    `start it with --shards ${shardsIn(disk, dir)}, or use another --data directory`,
  );
}

/** Refuses to start so many shards where one broker's data are, or those of more shards. */
export function checkLayout(
  disk: Disk,
  dirs: readonly string[],
  shards: number,
  hasController: boolean,
): void {
  const alone = dirs.find((dir) => isUsed(disk, dir));
  if (alone !== undefined) {
    throw new OperatorError(
      `cannot open the data directory ${alone} with --shards`,
      "it has the data of one broker",
      "leave out --shards, or use another --data directory and copy the topics (kstream topic clone)",
    );
  }
  const there = Math.max(...dirs.map((dir) => shardsIn(disk, dir)));
  if (there > shards) {
    throw new OperatorError(
      `cannot start ${shards} shards`,
      `the data directory has those of ${there}, which would be lost`,
      `say --shards ${there}; to have fewer, move off the last one what it has (kstream cluster ` +
        `drain), stop, and move its directory ${shardName(there - 1)} away`,
    );
  }
  const [first = ""] = dirs;
  if (there > 0 && hasController !== isUsed(disk, controllerDir(first))) {
    throw new OperatorError(
      `cannot open the data directory ${first}`,
      hasController
        ? "the metadata of its shards are in etcd"
        : "its shards have metadata of their own",
      hasController ? "start it with --cluster and --metadata" : "start it without --cluster",
    );
  }
}

/** The node id of the first shard, as its directory says; null if that is fresh. */
export function firstNodeId(disk: Disk, dirs: readonly string[]): number | null {
  for (const dir of dirs) {
    const meta = readMetaProperties(disk, shardDir(dir, 0));
    if (meta !== null) return meta.nodeId;
  }
  return null;
}

/** How many there have been, by their directories. */
function shardsIn(disk: Disk, dir: string): number {
  let count = 0;
  while (isUsed(disk, shardDir(dir, count))) count++;
  return count;
}
