/** What the brokers know of partitions that a group is to be moved in. */
import type { Admin, OffsetSpec, TopicPartition } from "../admin.ts";
import type { Position } from "./positions.ts";
import type { Destination, SeekFacts } from "./seek-plan.ts";

/** An offset that is asked for by itself. */
export type PartitionOffsetWish = TopicPartition & { readonly offset: number };

/**
 * Bounds of the targets, with the offsets of the time that is asked for. Throws the `KafkaError` of the
 * first that is refused.
 */
export async function readSeekFacts(
  admin: Admin,
  targets: readonly TopicPartition[],
  positions: readonly Position[],
  wanted: readonly PartitionOffsetWish[] | null,
  destination: Destination,
): Promise<SeekFacts[]> {
  const keyOf = ({ topic, partition }: TopicPartition) => `${topic}:${partition}`;
  const current = new Map(positions.map((each) => [keyOf(each), each.offset]));
  const fromFile = new Map(wanted?.map((each) => [keyOf(each), each.offset]));
  const ask = async (at: OffsetSpec) => {
    const found = new Map<string, number>();
    for (const each of await admin.listOffsets(targets.map((target) => ({ ...target, at })))) {
      if (each.error !== null) throw each.error;
      found.set(keyOf(each), Number(each.offset));
    }
    return found;
  };
  const [starts, ends, times] = await Promise.all([
    ask("earliest"),
    ask("latest"),
    destination.kind === "time" ? ask(destination.timestampMs) : new Map<string, number>(),
  ]);
  return targets.map((target) => {
    const key = keyOf(target);
    const atTime = times.get(key) ?? -1;
    return {
      ...target,
      currentOffset: current.get(key) ?? null,
      startOffset: starts.get(key) ?? 0,
      endOffset: ends.get(key) ?? 0,
      timeOffset: atTime < 0 ? null : atTime,
      fileOffset: fromFile.get(key) ?? null,
    };
  });
}
