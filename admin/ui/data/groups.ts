/** Groups as the broker's counters show them: who reads which topic, and how far behind it is. */
import type { Metrics, Series } from "./metrics.ts";

/** A group in a topic. */
export interface GroupTopic {
  readonly group: string;
  readonly topic: string;
  readonly lag: number;
  /** How old the record is that it reads next, in milliseconds; null: not known. */
  readonly lagMs: number | null;
  /** Partitions for which it has committed an offset. */
  readonly partitions: number | null;
}

const keyOf = ({ labels }: Series) => JSON.stringify([labels["group"], labels["topic"]]);

/** All that this broker coordinates, as far as its counters have names for them. */
export function groupTopics({ byName }: Metrics): GroupTopic[] {
  const by = (name: string) =>
    new Map(byName.get(name)?.map((series) => [keyOf(series), series.value]));
  const seconds = by("kstream_group_lag_seconds");
  const partitions = by("kstream_group_committed_partitions");
  return (byName.get("kstream_group_lag_records") ?? []).map((series) => {
    const age = seconds.get(keyOf(series));
    return {
      group: series.labels["group"] ?? "",
      topic: series.labels["topic"] ?? "",
      lag: series.value,
      lagMs: age === undefined || age < 0 ? null : age * 1000,
      partitions: partitions.get(keyOf(series)) ?? null,
    };
  });
}
