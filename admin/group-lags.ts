/**
 * Where groups are in their partitions and how far behind, in records and in time, as a user may see it.
 * Groups that this broker coordinates and partitions that it leads are read here, others by the client.
 */
import type { Principal } from "../broker/authorizer.ts";
import { lagOf, readEndOffsets } from "../client/admin/group-lag.ts";
import { type Position, readPositions } from "../client/admin/positions.ts";
import { KafkaError } from "../client/errors.ts";
import type { HostPort } from "../core/io.ts";
import { lagTimesOf } from "./metrics/lag-times.ts";
import type { AdminServices } from "./services.ts";

/** Groups whose offsets other brokers are asked for at a time. */
const GROUPS_AT_ONCE = 16;

/** A group that is looked at. */
export interface LaggingGroup {
  readonly groupId: string;
  /** `classic`, `consumer`, `share`, `streams`. */
  readonly type: string;
}

/** A group in a partition. */
export interface GroupPlace extends Position {
  readonly endOffset: number | null;
  /** Since the record was written that it reads next; 0: all is read; null: that is not known. */
  readonly lagSeconds: number | null;
}

/** See the head of the file; of groups that are gone, or that the user may not see, there is nothing. */
export async function readGroupLags(
  services: AdminServices,
  user: { readonly principal: Principal; readonly peer: HostPort },
  groups: readonly LaggingGroup[],
): Promise<ReadonlyMap<string, readonly GroupPlace[]>> {
  const positions = positionsHere(services, user, groups);
  const { admin } = services.client(user.principal, user.peer);
  const elsewhere = groups.filter(({ groupId }) => !positions.has(groupId));
  for (let from = 0; from < elsewhere.length; from += GROUPS_AT_ONCE) {
    await Promise.all(
      elsewhere.slice(from, from + GROUPS_AT_ONCE).map(async (group) => {
        try {
          positions.set(group.groupId, await readPositions(admin, group.groupId, group.type));
        } catch (error) {
          // It may just be deleted.
          if (!(error instanceof KafkaError)) throw error;
        }
      }),
    );
  }
  const places = groups.flatMap((group) =>
    (positions.get(group.groupId) ?? []).map((position) => ({ group, position }))
  );
  const ends = await endsOf(services, admin, places.map(({ position }) => position));
  const measured = await withTimes(services, places, ends);
  return new Map(
    [...positions.keys()].map((groupId) => [groupId, measured.get(groupId) ?? []]),
  );
}

/** The longest of what is known; 0: all is read; null: nothing is known of what is behind. */
export function longestLag(places: readonly GroupPlace[]): number | null {
  const known = places.flatMap(({ lagSeconds }) => lagSeconds === null ? [] : [lagSeconds]);
  const isBehind = places.some(({ lag }) => lag !== 0);
  const longest = known.length === 0 ? null : Math.max(...known);
  return longest === 0 && isBehind ? null : longest;
}

function positionsHere(
  { broker }: AdminServices,
  { principal, peer }: { readonly principal: Principal; readonly peer: HostPort },
  groups: readonly LaggingGroup[],
): Map<string, Position[]> {
  const wanted = new Set(
    groups.filter(({ type }) => type !== "share").map(({ groupId }) => groupId),
  );
  const found = new Map<string, Position[]>();
  broker.groups.visit(({ groupId }, offsets) => {
    if (!wanted.has(groupId)) return;
    const positions: Position[] = [];
    for (const [topic, partitions] of offsets.all(groupId)) {
      const described = { operation: "DESCRIBE", resourceType: "TOPIC", name: topic } as const;
      if (!broker.authorizer.authorize(principal, peer, described)) continue;
      for (const [partition, { offset }] of partitions) {
        positions.push({ topic, partition, offset: Number(offset), lag: null });
      }
    }
    found.set(groupId, positions);
  });
  return found;
}

/** By `topic/partition`. */
async function endsOf(
  { broker }: AdminServices,
  admin: Parameters<typeof readEndOffsets>[0],
  positions: readonly Position[],
): Promise<Map<string, number>> {
  const ends = new Map<string, number>();
  const elsewhere = positions.filter(({ topic, partition }) => {
    const found = broker.partitions.find(topic, partition);
    if (typeof found === "number" || !found.isLeader) return true;
    ends.set(`${topic}/${partition}`, found.highWatermark);
    return false;
  });
  for (const [key, end] of await readEndOffsets(admin, elsewhere)) ends.set(key, end);
  return ends;
}

async function withTimes(
  { broker }: AdminServices,
  places: readonly { readonly group: LaggingGroup; readonly position: Position }[],
  ends: ReadonlyMap<string, number>,
): Promise<Map<string, GroupPlace[]>> {
  const lags = places.map(({ group, position }) => lagOf(position, group.type, ends));
  const committed = places.map(({ group: { groupId: group }, position }) => {
    const { topic, partition, offset } = position;
    return { group, topic, partition, offset: offset ?? 0 };
  });
  // In a share group records behind the offset may be done with: its lag says whether any is not.
  const until = places.map(({ position: { offset } }, index) => {
    const lag = lags[index] ?? null;
    return offset === null || lag === null ? null : offset + lag;
  });
  const seconds = await lagTimesOf(broker).secondsBehind(committed, until);
  const measured = new Map<string, GroupPlace[]>();
  places.forEach(({ group, position }, index) => {
    const place = {
      ...position,
      endOffset: ends.get(`${position.topic}/${position.partition}`) ?? null,
      lag: lags[index] ?? null,
      lagSeconds: Number.isNaN(seconds[index]) ? null : seconds[index] ?? null,
    };
    const known = measured.get(group.groupId);
    if (known === undefined) measured.set(group.groupId, [place]);
    else known.push(place);
  });
  return measured;
}
