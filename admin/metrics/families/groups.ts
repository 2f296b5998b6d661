/** Groups and how far they are behind, transactions, share groups, clients and what they push. */
import { metric, type MetricFamily } from "../family.ts";
import type { GroupLag } from "../group-lag.ts";

const PAIR = ["group", "topic"];

function lag(value: (lag: GroupLag) => number): MetricFamily["collect"] {
  return ({ groups }, sink) => {
    for (const each of groups.lags) sink.value(value(each), each.group, each.topic);
  };
}

export const groupFamilies: readonly MetricFamily[] = [
  metric.gauge(
    "kstream_groups",
    "Groups that this broker coordinates.",
    ["type", "state"],
    ({ groups }, sink) => {
      for (const [key, count] of groups.counts) sink.value(count, ...key.split("\t"));
    },
  ),
  metric.gauge(
    "kstream_group_lag_records",
    "Records between what a group has committed and what can be consumed, over the partitions of a " +
      "topic. Groups are shown by their coordinator; beyond kstream.metrics.groups.max as other.",
    PAIR,
    lag(({ records }) => records),
  ),
  metric.gauge(
    "kstream_group_lag_seconds",
    "How long ago the record was written that the group reads next, of the partition that is " +
      "furthest behind; 0 if there is none, NaN as long as it is not known.",
    PAIR,
    lag(({ seconds }) => seconds),
  ),
  metric.gauge(
    "kstream_group_committed_partitions",
    "Partitions of a topic for which a group has committed an offset.",
    PAIR,
    lag(({ partitions }) => partitions),
  ),
  metric.gauge(
    "kstream_transactional_ids",
    "Transactional ids that this broker coordinates, by the state of their transactions.",
    ["state"],
    ({ broker }, sink) => {
      for (const [state, count] of broker.transactions.countByState()) sink.value(count, state);
    },
  ),
  metric.gauge(
    "kstream_share_sessions",
    "Sessions of members of share groups.",
    [],
    ({ broker }, sink) => sink.value(broker.shares.sessions.size),
  ),
  metric.gauge(
    "kstream_share_partitions",
    "Partitions that share groups consume here.",
    [],
    ({ broker }, sink) => sink.value(broker.shares.partitions.size),
  ),
];

export const clientFamilies: readonly MetricFamily[] = [
  metric.gauge(
    "kstream_clients",
    "Connections by the software of the client (KIP-511): 50 versions, then other.",
    ["software", "version"],
    ({ software }, sink) => {
      for (const [key, count] of software) sink.value(count, ...key.split("\t"));
    },
  ),
  metric.gauge(
    "kstream_telemetry_clients",
    "Clients that are known to client telemetry (KIP-714).",
    [],
    ({ broker }, sink) => sink.value(broker.telemetry.clientCount),
  ),
  metric.counter(
    "kstream_telemetry_pushes",
    "Pushes of clients that were taken.",
    [],
    ({ broker }, sink) => sink.value(broker.telemetry.pushCount),
  ),
  metric.counter(
    "kstream_telemetry_pushes_malformed",
    "Pushes of clients that were no metrics, or unpacked to too much.",
    [],
    ({ broker }, sink) => sink.value(broker.telemetry.malformedCount),
  ),
];
