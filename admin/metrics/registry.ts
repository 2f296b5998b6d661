/** All metrics of `/metrics`, in the order in which they are shown. Documented in `docs/metrics.md`. */
import type { MetricFamily } from "./family.ts";
import { clusterFamilies } from "./families/cluster.ts";
import { clientFamilies, groupFamilies } from "./families/groups.ts";
import { processFamilies } from "./families/process.ts";
import { networkFamilies, requestFamilies } from "./families/requests.ts";
import { telemetryFamilies } from "./families/telemetry.ts";
import { logFamilies, topicFamilies } from "./families/topics.ts";

/** A part of the registry, with what it is about. */
export interface MetricSection {
  readonly title: string;
  readonly families: readonly MetricFamily[];
}

export const METRIC_SECTIONS: readonly MetricSection[] = [
  { title: "Requests", families: requestFamilies },
  { title: "Connections and memory of requests", families: networkFamilies },
  { title: "Records and bytes", families: topicFamilies },
  { title: "Logs and disks", families: logFamilies },
  { title: "Partitions, brokers, metadata", families: clusterFamilies },
  { title: "Groups and transactions", families: groupFamilies },
  { title: "Clients", families: clientFamilies },
  { title: "What goes to a collector", families: telemetryFamilies },
  { title: "The process", families: processFamilies },
];

export const METRICS: readonly MetricFamily[] = METRIC_SECTIONS.flatMap(({ families }) => families);
