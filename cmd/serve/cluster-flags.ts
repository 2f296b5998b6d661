/** The flags of `serve` about clusters; what they mean to a member is in `cluster-member.ts`. */
import { InvalidArgumentError } from "@commander-js/extra-typings";
import type { TimingsName } from "../../cluster/gossip/timings.ts";
import type { Disk } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { readMetaProperties } from "../../storage/meta-properties.ts";

/** The flags, as they are given. */
export interface ClusterFlags {
  readonly cluster?: string | undefined;
  readonly metadata?: string | undefined;
  readonly nodeId?: string | undefined;
  readonly host?: string | undefined;
  readonly join: readonly string[];
  readonly gossipPort?: string | undefined;
  readonly secretFile?: string | undefined;
  readonly clusterSecret?: string | undefined;
  readonly timings?: TimingsName | undefined;
  readonly memory?: boolean | undefined;
}

export const NODE_ID_MAX = 2_147_483_647;
/** As many as have a name for each of the processors of a large machine. */
const SHARDS_MAX = 64;

/** A refusal of a command line. */
export function refuse(what: string, why: string, whatToDo: string): OperatorError {
  return new OperatorError(what, why, whatToDo, 2);
}

/** A parser for an option that may be given once: of two values one would be lost. */
export function once(name: string): (value: string, before: string | undefined) => string {
  let given = false;
  // Commander counts the parameters: an option that takes what was before is one that may repeat.
  return (...[value]) => {
    if (given) throw new InvalidArgumentError(`--${name} is there twice.`);
    given = true;
    return value;
  };
}

/** Whether the broker is to be a member of a cluster; refuses flags that only a member can have. */
export function isMember(flags: ClusterFlags): boolean {
  if (flags.cluster !== undefined) {
    if (flags.memory === true) {
      throw refuse(
        "a member of a cluster cannot keep everything in memory",
        "it would come back as a node that has lost what it acknowledged",
        "leave out --memory, or --cluster",
      );
    }
    return true;
  }
  const { metadata, host, join, gossipPort, secretFile, clusterSecret, timings } = flags;
  const stray = Object.entries({ metadata, host, gossipPort, secretFile, clusterSecret, timings })
    .find(([, value]) => value !== undefined)?.[0] ?? (join.length > 0 ? "join" : undefined);
  if (stray === undefined) return false;
  const flag = stray.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw refuse(
    `--${flag} is for members of a cluster`,
    "no cluster is named",
    "say --cluster NAME --metadata etcd://host:2379, or leave it out",
  );
}

/** What `--timings lan` is for sessions: a third of Kafka's. Gossip and the lease in etcd have theirs. */
const LAN_TIMES = [
  ["broker.session.timeout.ms", "3000"],
  ["broker.heartbeat.interval.ms", "600"],
] as const;

/** Adds the configs that `--timings` stands for to those that are set; these win. */
export function presetTimes(timings: TimingsName | undefined, texts: Map<string, string>): void {
  if (timings !== "lan") return;
  for (const [name, value] of LAN_TIMES) if (!texts.has(name)) texts.set(name, value);
}

/** The value of `--node-id`, or null if it is not given. */
export function parseNodeId(text: string | undefined): number | null {
  if (text === undefined) return null;
  const nodeId = Number(text);
  if (/^\d+$/.test(text) && nodeId <= NODE_ID_MAX) return nodeId;
  throw refuse(
    `--node-id cannot be "${text}"`,
    "",
    `it is a whole number from 0 to ${NODE_ID_MAX}`,
  );
}

/** The value of `--shards`. */
export function parseShards(text: string | undefined): number {
  if (text === undefined) return 1;
  const shards = Number(text);
  if (/^\d+$/.test(text) && shards >= 1 && shards <= SHARDS_MAX) return shards;
  throw refuse(`--shards cannot be "${text}"`, "", `it is a whole number from 1 to ${SHARDS_MAX}`);
}

/** The node id of which a member's data directories speak. Throws where there is none. */
export function nodeIdOnDisk(disk: Disk, dataDirs: readonly string[]): number {
  for (const path of dataDirs) {
    const meta = readMetaProperties(disk, path);
    if (meta !== null) return meta.nodeId;
  }
  throw refuse(
    "this member of a cluster has no node id",
    "its data directory is new",
    "give it a number of its own: --node-id 1",
  );
}
