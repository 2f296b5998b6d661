/** What `kstream top` asks for, and what it makes of two answers. */
import type { Admin, GroupListing } from "../../client/admin.ts";
import { KafkaError } from "../../client/errors.ts";
import { lagOf, readEndOffsets, totalLag } from "../../client/admin/group-lag.ts";
import { readPositions } from "../../client/admin/positions.ts";
import type { Position } from "../../client/admin/positions.ts";

/** The cluster at a moment. */
export interface Sample {
  /** On the monotonic clock. */
  readonly atMs: number;
  readonly brokers: number;
  readonly underReplicated: number;
  readonly topics: readonly { topic: string; partitions: number; endOffset: number }[];
  readonly groups: readonly {
    group: string;
    state: string;
    lag: number | null;
    committed: number;
  }[];
}

/** What is shown; rates are records a second. */
export interface View {
  readonly brokers: number;
  readonly underReplicated: number;
  readonly topics: readonly (Sample["topics"][number] & { readonly rate: number })[];
  readonly groups: readonly (Omit<Sample["groups"][number], "committed"> & {
    readonly rate: number;
  })[];
}

/** Asks the cluster. */
export async function takeSample(admin: Admin, nowMs: () => number): Promise<Sample> {
  const topics = await admin.listTopics();
  const ends = await admin.listOffsets(
    topics.flatMap(({ name, partitions }) =>
      partitions.filter(({ leader }) => leader >= 0)
        .map(({ partition }) => ({ topic: name, partition, at: "latest" as const }))
    ),
  );
  const endOf = new Map<string, number>();
  for (const { topic, offset, error } of ends) {
    if (error === null) endOf.set(topic, (endOf.get(topic) ?? 0) + Number(offset));
  }
  const partitions = topics.flatMap((topic) => topic.partitions);
  return {
    atMs: nowMs(),
    brokers: admin.cluster.brokers.size,
    underReplicated: partitions.filter(({ isr, replicas }) => isr.length < replicas.length).length,
    topics: topics.map(({ name, partitions: { length } }) => ({
      topic: name,
      partitions: length,
      endOffset: endOf.get(name) ?? 0,
    })),
    groups: await sampleGroups(admin),
  };
}

async function sampleGroups(admin: Admin): Promise<Sample["groups"]> {
  const groups = await admin.groups.list();
  const all = await Promise.all(groups.map(async (group) => ({
    group,
    positions: await positionsOf(admin, group),
  })));
  const ends = await readEndOffsets(admin, all.flatMap(({ positions }) => positions));
  return all.map(({ group: { groupId, state, type }, positions }) => ({
    group: groupId,
    state,
    lag: totalLag(positions.map((position) => lagOf(position, type, ends))),
    committed: positions.reduce((sum, { offset }) => sum + (offset ?? 0), 0),
  }));
}

async function positionsOf(admin: Admin, { groupId, type }: GroupListing): Promise<Position[]> {
  try {
    return await readPositions(admin, groupId, type);
  } catch (error) {
    // It may have gone since it was listed.
    if (error instanceof KafkaError) return [];
    throw error;
  }
}

/** The later sample, with rates since the earlier one; the busiest first. */
export function compare(before: Sample, now: Sample): View {
  const seconds = Math.max(1, now.atMs - before.atMs) / 1000;
  const rate = (from: number | undefined, to: number) =>
    from === undefined ? 0 : Math.max(0, (to - from) / seconds);
  const ends = new Map(before.topics.map(({ topic, endOffset }) => [topic, endOffset]));
  const commits = new Map(before.groups.map(({ group, committed }) => [group, committed]));
  return {
    brokers: now.brokers,
    underReplicated: now.underReplicated,
    topics: now.topics
      .map((topic) => ({ ...topic, rate: rate(ends.get(topic.topic), topic.endOffset) }))
      .sort((a, b) => b.rate - a.rate || (a.topic < b.topic ? -1 : 1)),
    groups: now.groups
      .map(({ committed, ...group }) => ({
        ...group,
        rate: rate(commits.get(group.group), committed),
      }))
      .sort((a, b) => (b.lag ?? -1) - (a.lag ?? -1) || (a.group < b.group ? -1 : 1)),
  };
}
