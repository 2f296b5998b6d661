/** When a query has read, and given on, all that its topics have now: what `--exit-at-end` waits for. */
import { Admin } from "../../client/admin.ts";
import { sleep } from "../../core/io.ts";
import type { StreamsConfig } from "../../stream/runtime/streams-config.ts";
import { internalName, outerSourceTopics } from "../../stream/runtime/topic-plan.ts";
import type { Topology } from "../../stream/topology/topology.ts";
import { clientIo, clientOptions } from "../client.ts";
import type { SecurityFlags } from "../security.ts";

/** How often is looked. */
const LOOK_EVERY_MS = 100;

type ClusterFlags = SecurityFlags & { readonly brokers: string; readonly timeout: number };

/** Ends by `topic/partition`. */
type Ends = ReadonlyMap<string, bigint>;

/**
 * Resolves when the group has committed the ends that the topics had at the beginning, and then those of
 * topics between: caches are given on and topics between are written before offsets are committed, so
 * once there is nothing new in those, all rows are out. Rejects where the cluster does not answer.
 */
export async function presentEnd(
  topology: Topology,
  config: StreamsConfig,
  options: ClusterFlags,
  signal: AbortSignal,
): Promise<void> {
  const admin = new Admin(clientIo, clientOptions(options));
  const { applicationId } = config;
  const between = [...topology.repartitionTopics.keys()].map((name) =>
    internalName(applicationId, name)
  );
  const isolationLevel = config.isExactlyOnce ? "read_committed" : "read_uncommitted";
  const endsOf = (topics: readonly string[]) => readEnds(admin, topics, { isolationLevel, signal });
  const reached = async (ends: Ends) => {
    while (!isReached(ends, await committed(admin, applicationId, signal))) {
      await sleep(clientIo.clock, LOOK_EVERY_MS, signal);
    }
  };
  try {
    await reached(await endsOf(outerSourceTopics(topology)));
    let ends: Ends = new Map();
    for (let next = await endsOf(between); isBehind(ends, next); next = await endsOf(between)) {
      ends = next;
      await reached(ends);
    }
  } finally {
    admin.close();
  }
}

/** Of partitions in which there is anything. */
async function readEnds(
  admin: Admin,
  topics: readonly string[],
  options: { readonly isolationLevel: "read_uncommitted" | "read_committed"; signal: AbortSignal },
): Promise<Ends> {
  if (topics.length === 0) return new Map();
  const described = await admin.describeTopics(topics, { signal: options.signal });
  const partitions = described.flatMap(({ name, topic }) =>
    (topic?.partitions ?? []).map(({ partition }) => ({ topic: name, partition }))
  );
  const ask = async (at: "earliest" | "latest") => {
    const found = await admin.listOffsets(partitions.map((each) => ({ ...each, at })), options);
    return found.map(({ offset, error }) => {
      if (error !== null) throw error;
      return offset;
    });
  };
  const [starts, ends] = [await ask("earliest"), await ask("latest")];
  return new Map(partitions.flatMap(({ topic, partition }, at) => {
    return ends[at]! > starts[at]! ? [[`${topic}/${partition}`, ends[at]!] as const] : [];
  }));
}

async function committed(admin: Admin, groupId: string, signal: AbortSignal): Promise<Ends> {
  const offsets = await admin.groups.listOffsets(groupId, { signal });
  return new Map(offsets.map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset]));
}

function isReached(ends: Ends, at: Ends): boolean {
  return [...ends].every(([partition, end]) => (at.get(partition) ?? 0n) >= end);
}

function isBehind(before: Ends, now: Ends): boolean {
  return [...now].some(([partition, end]) => (before.get(partition) ?? 0n) < end);
}
