/** Rules for Prometheus: what somebody has to look at, by the metrics of `admin/metrics`. */
import { stringify } from "yaml";

/** A rule as people think of it. */
export interface Alert {
  readonly name: string;
  /** `JOB` stands for the matcher of the job. */
  readonly expr: string;
  /** How long it has to hold. */
  readonly for: string;
  readonly severity: "critical" | "warning";
  readonly summary: string;
  /** What it means, and what to do. */
  readonly description: string;
}

/** All alerts. */
export const ALERTS: readonly Alert[] = [
  {
    name: "KstreamDown",
    expr: "up{JOB} == 0",
    for: "1m",
    severity: "critical",
    summary: "A broker cannot be scraped",
    description:
      "{{ $labels.instance }} has not answered for a minute: see whether it runs, and its log.",
  },
  {
    name: "KstreamOfflinePartitions",
    expr: "max by (job) (kstream_cluster_partitions_offline{JOB}) > 0",
    for: "1m",
    severity: "critical",
    summary: "Partitions have no leader",
    description:
      "{{ $value }} partitions can be neither written nor read: bring back the brokers " +
      "with their replicas (kstream cluster status).",
  },
  {
    name: "KstreamUnderMinIsr",
    expr: "sum by (job) (kstream_partitions_under_min_isr{JOB}) > 0",
    for: "1m",
    severity: "critical",
    summary: "Partitions refuse acks=all",
    description: "{{ $value }} partitions have fewer replicas in sync than min.insync.replicas.",
  },
  {
    name: "KstreamUnderReplicated",
    expr: "sum by (job) (kstream_partitions_under_replicated{JOB}) > 0",
    for: "10m",
    severity: "warning",
    summary: "Partitions lack replicas in sync",
    description: "{{ $value }} partitions have had replicas out of sync for ten minutes.",
  },
  {
    name: "KstreamControllers",
    expr: "sum by (job) (kstream_controller{JOB}) > 1",
    for: "2m",
    severity: "critical",
    summary: "More than one broker believes to be the controller",
    description:
      "{{ $value }} brokers say that they are the controller: one of them is cut off, or " +
      "several clusters have one job in Prometheus (they need --job each).",
  },
  {
    name: "KstreamBrokerFenced",
    expr: "max by (job) (kstream_cluster_brokers_fenced{JOB}) > 0",
    for: "5m",
    severity: "warning",
    summary: "Registered brokers are away",
    description:
      "{{ $value }} brokers have not been heard of: restart them, or take them out with " +
      "kstream cluster drain.",
  },
  {
    name: "KstreamDataDirectoryFailed",
    expr: "kstream_data_directory_failed{JOB} > 0",
    for: "0m",
    severity: "critical",
    summary: "A data directory has failed",
    description:
      "{{ $labels.directory }} of {{ $labels.instance }} refused to write: see its log and the disk.",
  },
  {
    name: "KstreamDiskFilling",
    expr: "kstream_data_directory_free_bytes{JOB} < 1e9 or " +
      "predict_linear(kstream_data_directory_free_bytes{JOB}[6h], 24 * 3600) < 0",
    for: "30m",
    severity: "warning",
    summary: "A disk will be full within a day",
    description:
      "{{ $labels.directory }} of {{ $labels.instance }}: shorten retention, or add room.",
  },
  {
    name: "KstreamGroupBehind",
    expr: "max by (job, group, topic) (kstream_group_lag_seconds{JOB}) > 600",
    for: "10m",
    severity: "warning",
    summary: "A group is ten minutes behind",
    description: "{{ $labels.group }} reads records of {{ $labels.topic }} that are " +
      "{{ $value | humanizeDuration }} old.",
  },
  {
    name: "KstreamProduceSlow",
    expr: "histogram_quantile(0.99, sum by (job, instance, le) " +
      '(rate(kstream_request_duration_seconds_bucket{JOB, api="Produce"}[5m]))) > 1',
    for: "10m",
    severity: "warning",
    summary: "Produce takes more than a second",
    description: "On {{ $labels.instance }} one of a hundred requests takes " +
      "{{ $value | humanizeDuration }}: compare kstream_log_sync_seconds and the followers.",
  },
  {
    name: "KstreamSyncSlow",
    expr: "histogram_quantile(0.99, sum by (job, instance, directory, le) " +
      "(rate(kstream_log_sync_seconds_bucket{JOB}[5m]))) > 1",
    for: "10m",
    severity: "warning",
    summary: "The disk takes more than a second to sync",
    description: "{{ $labels.directory }} of {{ $labels.instance }}: the disk is slow or shared.",
  },
  {
    name: "KstreamInternalErrors",
    expr: "sum by (job, instance, api) " +
      '(rate(kstream_request_errors_total{JOB, error="UNKNOWN_SERVER_ERROR"}[5m])) > 0',
    for: "1m",
    severity: "warning",
    summary: "Requests fail by bugs of the broker",
    description:
      "{{ $labels.api }} on {{ $labels.instance }}: the log has the stack, please report it.",
  },
  {
    name: "KstreamConnectionsRefused",
    expr: "sum by (job, instance, listener) (rate(kstream_connections_refused_total{JOB}[5m])) > 0",
    for: "5m",
    severity: "warning",
    summary: "Connections are turned away",
    description:
      "{{ $labels.listener }} of {{ $labels.instance }} is at a limit, which its log names.",
  },
  {
    name: "KstreamRequestMemoryFull",
    expr: "kstream_request_memory_used_bytes{JOB} / kstream_request_memory_limit_bytes{JOB} > 0.9",
    for: "5m",
    severity: "warning",
    summary: "Clients wait for the broker's memory",
    description:
      "Raise queued.max.request.bytes of {{ $labels.instance }}, or see what it waits for.",
  },
  {
    name: "KstreamEventLoopLate",
    expr: "histogram_quantile(0.99, sum by (job, instance, le) " +
      "(rate(kstream_event_loop_delay_seconds_bucket{JOB}[5m]))) > 0.25",
    for: "10m",
    severity: "warning",
    summary: "The broker is late with everything",
    description:
      "The event loop of {{ $labels.instance }} is late by {{ $value | humanizeDuration }}: " +
      "give it a processor, or more shards.",
  },
  {
    name: "KstreamConnectTaskFailed",
    expr: 'kstream_connect_tasks{JOB, state="failed"} > 0',
    for: "2m",
    severity: "critical",
    summary: "Tasks of connectors have failed",
    description:
      "{{ $value }} tasks of the worker {{ $labels.instance }} do nothing: kstream connect list " +
      "names them, kstream connect status says why.",
  },
  {
    name: "KstreamConnectRestarting",
    expr: "increase(kstream_connect_restarts_total{JOB}[15m]) > 3",
    for: "0m",
    severity: "warning",
    summary: "Connectors fail again and again",
    description:
      "What has failed on the worker {{ $labels.instance }} was begun again {{ $value }} " +
      "times in 15 minutes: see its log.",
  },
  {
    name: "KstreamConnectRecordsLeftOut",
    expr: "increase(kafka_connect_task_error_metrics_total_records_skipped{JOB}[10m]) > 0",
    for: "0m",
    severity: "warning",
    summary: "A connector leaves records out",
    description:
      "{{ $labels.connector }} has left out {{ $value }} records in ten minutes: see its " +
      "dead letters.",
  },
];

/** A rule file of Prometheus for the brokers of one job. */
export function alertRules(job: string): string {
  const matcher = `job=${JSON.stringify(job)}`;
  const rules = ALERTS.map(({ name, expr, severity, summary, description, ...rest }) => ({
    alert: name,
    expr: expr.replaceAll("JOB", matcher),
    for: rest.for,
    labels: { severity },
    annotations: { summary, description },
  }));
  return stringify({ groups: [{ name: "kstream", rules }] }, { lineWidth: 0 });
}
