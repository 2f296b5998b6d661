/** Turns the points of `--offset` into offsets of each partition. */
import { ListOffsetsQuery } from "../admin/list-offsets.ts";
import type { ListOffsetsOptions, OffsetSpec } from "../admin/list-offsets.ts";
import type { Cluster } from "../cluster.ts";
import type { OffsetPoint, OffsetRange } from "../../core/text/offset-range.ts";

/** What to read of one partition. */
export interface PartitionRange {
  readonly partition: number;
  /** Where to begin to fetch. */
  readonly from: number;
  /** Records below it are not wanted, though fetched: they are yet to come. */
  readonly skipBelow: number;
  /** The first offset not wanted; null for no end. */
  readonly until: number | null;
  /** How many offsets of the range were deleted before we came. */
  readonly gone: number;
  /** How many offsets of the range are not written yet, where they are not waited for. */
  readonly missing: number;
}

interface Bounds {
  readonly start: number;
  readonly end: number;
}

/** The ranges of the partitions; with `exitAtEnd` none goes beyond the present end. */
export async function resolveRanges(
  cluster: Cluster,
  topic: string,
  partitions: readonly number[],
  range: OffsetRange,
  options: ListOffsetsOptions & { exitAtEnd: boolean },
): Promise<PartitionRange[]> {
  const ask = async (at: OffsetSpec) => {
    const queries = partitions.map((partition) => ({ topic, partition, at }));
    const answers = await new ListOffsetsQuery(cluster, options).run(queries);
    return new Map(answers.map(({ partition, offset, error }) => {
      if (error !== null) throw error;
      return [partition, Number(offset)];
    }));
  };
  const timesOf = (point: OffsetPoint | null) =>
    point?.kind === "time" ? ask(Math.max(0, Math.round(point.timestampMs))) : null;
  const [starts, ends, fromTimes, untilTimes] = await Promise.all([
    ask("earliest"),
    ask("latest"),
    timesOf(range.from),
    timesOf(range.until),
  ]);
  return partitions.map((partition) => {
    const bounds = { start: starts.get(partition) ?? 0, end: ends.get(partition) ?? 0 };
    const wanted = offsetOf(range.from, bounds, fromTimes?.get(partition));
    const until = range.until === null
      ? null
      : offsetOf(range.until, bounds, untilTimes?.get(partition));
    return {
      partition,
      from: Math.min(Math.max(wanted, bounds.start), bounds.end),
      skipBelow: wanted,
      until: options.exitAtEnd ? Math.min(until ?? Infinity, bounds.end) : until,
      gone: Math.max(0, Math.min(bounds.start, until ?? Infinity) - wanted),
      missing: options.exitAtEnd ? Math.max(0, (until ?? 0) - Math.max(wanted, bounds.end)) : 0,
    };
  });
}

/** `atTime` is the first offset at or after the point's time, −1 if no record is that young. */
function offsetOf(point: OffsetPoint, { start, end }: Bounds, atTime: number | undefined): number {
  switch (point.kind) {
    case "start":
      return start + Number(point.plus);
    case "end":
      return Math.max(start, end - Number(point.minus));
    case "offset":
      return Number(point.offset);
    case "time":
      return atTime === undefined || atTime < 0 ? end : atTime;
  }
}
