/** What `/metrics/detail` shows: each partition that is here, each partition of each group. */
import type { Partition } from "../../broker/partition.ts";
import { metric, type MetricFamily } from "./family.ts";
import type { PartitionLag } from "./group-lag.ts";

const PARTITION = ["topic", "partition"];
const GROUP_PARTITION = ["group", "topic", "partition"];

function each(value: (partition: Partition) => number): MetricFamily["collect"] {
  return ({ broker }, sink) => {
    for (const partition of broker.partitions.opened()) {
      sink.value(value(partition), partition.topic, String(partition.index));
    }
  };
}

function eachOfGroups(value: (lag: PartitionLag) => number): MetricFamily["collect"] {
  return ({ groups }, sink) => {
    for (const lag of groups.partitions) {
      sink.value(value(lag), lag.group, lag.topic, String(lag.partition));
    }
  };
}

/** Partitions without logs, which nobody has used since they were made, are left out. */
export const DETAIL_METRICS: readonly MetricFamily[] = [
  metric.gauge(
    "kstream_partition_leader",
    "Whether this broker leads the partition: 1 or 0.",
    PARTITION,
    each(({ isLeader }) => isLeader ? 1 : 0),
  ),
  metric.gauge(
    "kstream_partition_in_sync_replicas",
    "Replicas in the ISR.",
    PARTITION,
    each(({ isr }) => isr.length),
  ),
  metric.gauge(
    "kstream_partition_start_offset",
    "The first offset that can be consumed.",
    PARTITION,
    each(({ logStartOffset }) => logStartOffset),
  ),
  metric.gauge(
    "kstream_partition_high_watermark",
    "The end of what can be consumed.",
    PARTITION,
    each(({ highWatermark }) => highWatermark),
  ),
  metric.gauge(
    "kstream_partition_end_offset",
    "The end of the log.",
    PARTITION,
    each(({ logEndOffset }) => logEndOffset),
  ),
  metric.gauge(
    "kstream_partition_size_bytes",
    "Bytes of record batches.",
    PARTITION,
    each(({ log }) => log.sizeBytes),
  ),
  metric.gauge(
    "kstream_partition_segments",
    "Segments of the log.",
    PARTITION,
    each(({ log }) => log.segmentCount),
  ),
  metric.counter(
    "kstream_partition_produced_records",
    "Records that were appended as the leader, since the log was opened.",
    PARTITION,
    each(({ traffic }) => traffic.appendedRecords),
  ),
  metric.counter(
    "kstream_partition_produced_bytes",
    "Bytes of batches that were appended as the leader, since the log was opened.",
    PARTITION,
    each(({ traffic }) => traffic.appendedBytes),
  ),
  metric.counter(
    "kstream_partition_fetched_bytes",
    "Bytes of batches that consumers were given, since the log was opened.",
    PARTITION,
    each(({ traffic }) => traffic.fetchedBytes),
  ),
  metric.gauge(
    "kstream_group_partition_committed_offset",
    "The offset that a group has committed.",
    GROUP_PARTITION,
    eachOfGroups(({ committed }) => committed),
  ),
  metric.gauge(
    "kstream_group_partition_lag_records",
    "Records between that and what can be consumed; −1: not known.",
    GROUP_PARTITION,
    eachOfGroups(({ lag }) => lag),
  ),
  metric.gauge(
    "kstream_group_partition_lag_seconds",
    "How long ago the record was written that is to be read next; 0 if there is none.",
    GROUP_PARTITION,
    eachOfGroups(({ seconds }) => seconds),
  ),
];
