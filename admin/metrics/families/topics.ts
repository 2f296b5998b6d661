/** Records, bytes and logs: by topic up to `kstream.metrics.topics.max`, the rest as `other`. */
import { metric, type MetricFamily } from "../family.ts";
import type { Scrape } from "../scrape.ts";
import type { TopicSums } from "../topics.ts";

const TOPIC = ["topic"];

function byTopic(value: (topic: TopicSums) => number): MetricFamily["collect"] {
  return ({ topics }, sink) => {
    for (const topic of topics.shown) sink.value(value(topic), topic.name);
  };
}

function overAll(value: (all: TopicSums) => number): MetricFamily["collect"] {
  return ({ topics }: Scrape, sink) => sink.value(value(topics.all));
}

export const topicFamilies: readonly MetricFamily[] = [
  metric.counter(
    "kstream_topic_produced_records",
    "Records that were appended as the leader.",
    TOPIC,
    byTopic(({ traffic }) => traffic.appendedRecords),
  ),
  metric.counter(
    "kstream_topic_produced_bytes",
    "Bytes of batches that were appended as the leader.",
    TOPIC,
    byTopic(({ traffic }) => traffic.appendedBytes),
  ),
  metric.counter(
    "kstream_topic_fetched_bytes",
    "Bytes of batches that consumers were given.",
    TOPIC,
    byTopic(({ traffic }) => traffic.fetchedBytes),
  ),
  metric.gauge(
    "kstream_topic_size_bytes",
    "Bytes of the logs on this broker.",
    TOPIC,
    byTopic(({ sizeBytes }) => sizeBytes),
  ),
  metric.counter(
    "kstream_produced_records",
    "Records that were appended as the leader, of all topics, those that are gone included.",
    [],
    overAll(({ traffic }) => traffic.appendedRecords),
  ),
  metric.counter(
    "kstream_produced_bytes",
    "Bytes of batches that were appended as the leader, of all topics.",
    [],
    overAll(({ traffic }) => traffic.appendedBytes),
  ),
  metric.counter(
    "kstream_fetched_bytes",
    "Bytes of batches that consumers were given, of all topics.",
    [],
    overAll(({ traffic }) => traffic.fetchedBytes),
  ),
  metric.counter(
    "kstream_replication_received_bytes",
    "Bytes of batches that were copied from leaders.",
    [],
    overAll(({ traffic }) => traffic.followedBytes),
  ),
  metric.counter(
    "kstream_replication_sent_bytes",
    "Bytes of batches that followers were given.",
    [],
    overAll(({ traffic }) => traffic.servedBytes),
  ),
];

export const logFamilies: readonly MetricFamily[] = [
  metric.gauge(
    "kstream_log_size_bytes",
    "Bytes of record batches in all logs of this broker.",
    [],
    overAll(({ sizeBytes }) => sizeBytes),
  ),
  metric.gauge(
    "kstream_log_segments",
    "Segments of all logs.",
    [],
    overAll(({ segments }) => segments),
  ),
  metric.gauge(
    "kstream_log_partitions",
    "Partitions whose logs are open.",
    [],
    overAll(({ partitions }) => partitions),
  ),
  metric.histogram(
    "kstream_log_sync_seconds",
    "How long it takes to make a log durable, its files and its folder.",
    ["directory"],
    ({ broker }, sink) => {
      for (const { path, syncTimes } of broker.dataDirs.all) {
        sink.histogram(syncTimes, 1 / 1000, path);
      }
    },
  ),
  metric.gauge(
    "kstream_data_directory_free_bytes",
    "Bytes that the file system of a data directory has left.",
    ["directory"],
    ({ broker }, sink) => {
      for (const dir of broker.dataDirs.all) {
        const freeBytes = dir.failure === null ? dir.freeBytes() : null;
        if (freeBytes !== null) sink.value(freeBytes, dir.path);
      }
    },
  ),
  metric.gauge(
    "kstream_data_directory_failed",
    "Whether a data directory has failed: 1 or 0.",
    ["directory"],
    ({ broker }, sink) => {
      for (const { path, failure } of broker.dataDirs.all) {
        sink.value(failure === null ? 0 : 1, path);
      }
    },
  ),
];
