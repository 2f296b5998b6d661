/** The state of partitions, brokers and metadata. */
import { metric, type MetricFamily } from "../family.ts";
import type { ClusterState } from "../cluster-state.ts";

function state(value: (state: ClusterState) => number): MetricFamily["collect"] {
  return ({ cluster }, sink) => sink.value(value(cluster));
}

export const clusterFamilies: readonly MetricFamily[] = [
  metric.gauge(
    "kstream_partitions_led",
    "Partitions that this broker leads.",
    [],
    state(({ ledHere }) => ledHere),
  ),
  metric.gauge(
    "kstream_replicas",
    "Partitions of which this broker has a replica.",
    [],
    state(({ replicasHere }) => replicasHere),
  ),
  metric.gauge(
    "kstream_partitions_under_replicated",
    "Partitions led by this broker that have replicas out of sync.",
    [],
    state(({ underReplicated }) => underReplicated),
  ),
  metric.gauge(
    "kstream_partitions_under_min_isr",
    "Partitions led by this broker with fewer replicas in sync than min.insync.replicas.",
    [],
    state(({ underMinIsr }) => underMinIsr),
  ),
  metric.gauge(
    "kstream_partitions_at_min_isr",
    "Replicated partitions led by this broker with just as many replicas in sync as " +
      "min.insync.replicas.",
    [],
    state(({ atMinIsr }) => atMinIsr),
  ),
  metric.gauge(
    "kstream_cluster_partitions_offline",
    "Partitions of the cluster without a leader, as this broker knows.",
    [],
    state(({ offline }) => offline),
  ),
  metric.gauge(
    "kstream_cluster_partitions_not_preferred",
    "Partitions of the cluster that another replica leads than the first in their list.",
    [],
    state(({ notPreferred }) => notPreferred),
  ),
  metric.gauge(
    "kstream_cluster_topics",
    "Topics of the cluster, as this broker knows.",
    [],
    state(({ topics }) => topics),
  ),
  metric.gauge(
    "kstream_cluster_partitions",
    "Partitions of the cluster, as this broker knows.",
    [],
    state(({ partitions }) => partitions),
  ),
  metric.gauge(
    "kstream_cluster_brokers",
    "Brokers that are registered, fenced ones included.",
    [],
    state(({ brokers }) => brokers),
  ),
  metric.gauge(
    "kstream_cluster_brokers_fenced",
    "Brokers that are registered and were not heard of for too long.",
    [],
    state(({ fencedBrokers }) => fencedBrokers),
  ),
  metric.gauge(
    "kstream_controller",
    "Whether this broker is the controller: 1 or 0.",
    [],
    ({ broker }, sink) => sink.value(broker.controllerId === broker.nodeId ? 1 : 0),
  ),
  metric.gauge(
    "kstream_metadata_position",
    "Up to where this broker has the cluster's metadata: brokers that differ for long are behind.",
    [],
    ({ broker }, sink) => sink.value(broker.metadata.image.position),
  ),
  metric.counter(
    "kstream_isr_shrinks",
    "Replicas that have left an ISR of a partition led by this broker.",
    [],
    ({ broker }, sink) => sink.value(broker.metrics.isrShrinks),
  ),
  metric.counter(
    "kstream_isr_expands",
    "Replicas that have come back to an ISR of a partition led by this broker.",
    [],
    ({ broker }, sink) => sink.value(broker.metrics.isrExpands),
  ),
  metric.counter(
    "kstream_leader_elections",
    "Partitions that this broker began to lead after another one.",
    [],
    ({ broker }, sink) => sink.value(broker.metrics.leaderElections),
  ),
];
