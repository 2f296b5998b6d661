/** How far groups are behind: committed offsets against the ends of their partitions. */
import type { Admin } from "../admin.ts";
import { KafkaError, TimeoutError } from "../errors.ts";
import type { Position } from "./positions.ts";

/** The ends of partitions by `topic/partition`; what could not be learnt is missing. */
export type EndOffsets = ReadonlyMap<string, number>;

/** Asks for the ends of these partitions; topics that are gone are left out. */
export async function readEndOffsets(
  admin: Admin,
  wanted: readonly { readonly topic: string; readonly partition: number }[],
): Promise<EndOffsets> {
  const topics = [...new Set(wanted.map(({ topic }) => topic))];
  if (topics.length === 0) return new Map();
  const described = await admin.describeTopics(topics);
  const led = new Set(described.flatMap(({ topic }) =>
    topic === null ? [] : topic.partitions
      .filter(({ leader }) => leader >= 0)
      .map(({ partition }) => `${topic.name}/${partition}`)
  ));
  const keys = new Set(wanted.map(({ topic, partition }) => `${topic}/${partition}`));
  const queries = [...keys].filter((key) => led.has(key)).map((key) => {
    const [topic = "", partition = ""] = key.split("/");
    return { topic, partition: Number(partition), at: "latest" as const };
  });
  const found = new Map<string, number>();
  try {
    for (const { topic, partition, offset, error } of await admin.listOffsets(queries)) {
      if (error === null) found.set(`${topic}/${partition}`, Number(offset));
    }
  } catch (error) {
    // Without ends the rest is still worth showing.
    if (!(error instanceof KafkaError || error instanceof TimeoutError)) throw error;
  }
  return found;
}

/**
 * Records after a committed offset; null where the end is not known. Never below 0. In a share group
 * records after the start offset may be done with, so there the broker counts.
 */
export function lagOf(position: Position, groupType: string, ends: EndOffsets): number | null {
  if (groupType === "share" || position.offset === null) return position.lag;
  const end = ends.get(`${position.topic}/${position.partition}`);
  return end === undefined ? null : Math.max(0, end - position.offset);
}

/** The sum of what is known; null if nothing is. */
export function totalLag(lags: readonly (number | null)[]): number | null {
  const known = lags.filter((lag) => lag !== null);
  return known.length === 0 ? null : known.reduce((sum, lag) => sum + lag, 0);
}
