/**
 * The same figures under names that dashboards know: those of Prometheus' JMX exporter with the example
 * configuration for Kafka, and those of kafka_exporter. Only with `?aliases=1`.
 */
import { metric, type MetricFamily } from "./family.ts";
import type { PartitionLag } from "./group-lag.ts";
import type { Scrape } from "./scrape.ts";
import type { TopicSums } from "./topics.ts";

/** One series without a topic for all of them, as Kafka's BrokerTopicMetrics has it. */
function topicMeter(name: string, like: string, value: (topic: TopicSums) => number): MetricFamily {
  return metric.counter(
    `kafka_server_brokertopicmetrics_${name}`,
    `As ${like}.`,
    ["topic"],
    ({ topics }, sink) => {
      sink.value(value(topics.all), "");
      for (const topic of topics.shown) sink.value(value(topic), topic.name);
    },
  );
}

function gauge(name: string, like: string, value: (scrape: Scrape) => number): MetricFamily {
  return metric.gauge(name, `As ${like}.`, [], (scrape, sink) => sink.value(value(scrape)));
}

/** Of `/metrics?aliases=1`. */
export const ALIASES: readonly MetricFamily[] = [
  topicMeter(
    "messagesin",
    "kstream_topic_produced_records",
    ({ traffic }) => traffic.appendedRecords,
  ),
  topicMeter("bytesin", "kstream_topic_produced_bytes", ({ traffic }) => traffic.appendedBytes),
  topicMeter("bytesout", "kstream_topic_fetched_bytes", ({ traffic }) => traffic.fetchedBytes),
  topicMeter(
    "replicationbytesin",
    "kstream_replication_received_bytes",
    ({ traffic }) => traffic.followedBytes,
  ),
  topicMeter(
    "replicationbytesout",
    "kstream_replication_sent_bytes",
    ({ traffic }) => traffic.servedBytes,
  ),
  metric.counter(
    "kafka_network_requestmetrics_requests",
    "As the count of kstream_request_duration_seconds.",
    ["request"],
    ({ broker }, sink) => {
      for (const { name, finished } of broker.metrics.apis) sink.value(finished, name);
    },
  ),
  gauge(
    "kafka_server_replicamanager_partitioncount",
    "kstream_replicas",
    ({ cluster }) => cluster.replicasHere,
  ),
  gauge(
    "kafka_server_replicamanager_leadercount",
    "kstream_partitions_led",
    ({ cluster }) => cluster.ledHere,
  ),
  gauge(
    "kafka_server_replicamanager_underreplicatedpartitions",
    "kstream_partitions_under_replicated",
    ({ cluster }) => cluster.underReplicated,
  ),
  gauge(
    "kafka_server_replicamanager_underminisrpartitioncount",
    "kstream_partitions_under_min_isr",
    ({ cluster }) => cluster.underMinIsr,
  ),
  gauge(
    "kafka_controller_kafkacontroller_activecontrollercount",
    "kstream_controller",
    ({ broker }) => broker.controllerId === broker.nodeId ? 1 : 0,
  ),
  gauge(
    "kafka_controller_kafkacontroller_offlinepartitionscount",
    "kstream_cluster_partitions_offline",
    ({ cluster }) => cluster.offline,
  ),
  gauge("kafka_brokers", "kstream_cluster_brokers", ({ cluster }) => cluster.brokers),
  metric.gauge(
    "kafka_consumergroup_lag_sum",
    "As kstream_group_lag_records.",
    ["consumergroup", "topic"],
    ({ groups }, sink) => {
      for (const { group, topic, records } of groups.lags) sink.value(records, group, topic);
    },
  ),
];

function ofGroups(
  name: string,
  like: string,
  value: (lag: PartitionLag) => number,
): MetricFamily {
  return metric.gauge(
    name,
    `As ${like}.`,
    ["consumergroup", "topic", "partition"],
    ({ groups }, sink) => {
      for (const lag of groups.partitions) {
        sink.value(value(lag), lag.group, lag.topic, String(lag.partition));
      }
    },
  );
}

/** Of `/metrics/detail?aliases=1`. */
export const DETAIL_ALIASES: readonly MetricFamily[] = [
  metric.gauge(
    "kafka_topic_partition_current_offset",
    "As kstream_partition_high_watermark.",
    ["topic", "partition"],
    ({ broker }, sink) => {
      for (const { topic, index, highWatermark } of broker.partitions.opened()) {
        sink.value(highWatermark, topic, String(index));
      }
    },
  ),
  metric.gauge(
    "kafka_topic_partition_oldest_offset",
    "As kstream_partition_start_offset.",
    ["topic", "partition"],
    ({ broker }, sink) => {
      for (const { topic, index, logStartOffset } of broker.partitions.opened()) {
        sink.value(logStartOffset, topic, String(index));
      }
    },
  ),
  ofGroups(
    "kafka_consumergroup_current_offset",
    "kstream_group_partition_committed_offset",
    ({ committed }) => committed,
  ),
  ofGroups("kafka_consumergroup_lag", "kstream_group_partition_lag_records", ({ lag }) => lag),
];
