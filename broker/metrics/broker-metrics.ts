/**
 * What a broker counts, where it happens: plain numbers that `admin/metrics` shows. What can be read off
 * the broker's state (logs, groups, metadata) is not counted here but read when somebody asks.
 */
import type { MetadataDelta } from "../../cluster/metadata-image.ts";
import { ApisMetrics } from "./api-metrics.ts";
import { NetworkMetrics } from "./network-metrics.ts";
import { ProcessWatch } from "./process-watch.ts";

/** See the head of the file. */
export class BrokerMetrics {
  readonly apis = new ApisMetrics();
  readonly network = new NetworkMetrics();
  /** Started by the program, or by who first asks for metrics. */
  readonly process = new ProcessWatch();
  /** ISRs of partitions that are led here, which have lost or got back a replica. */
  isrShrinks = 0;
  isrExpands = 0;
  /** Partitions that this broker began to lead. */
  leaderElections = 0;

  /** A change of the metadata is in force. */
  noteChange({ changedTopics }: MetadataDelta, nodeId: number): void {
    for (const { before, after } of changedTopics) {
      if (before.partitions === after.partitions) continue;
      after.partitions.forEach((partition, index) => {
        const was = before.partitions[index];
        if (was === undefined || was === partition || partition.leader !== nodeId) return;
        if (was.leader !== nodeId) this.leaderElections++;
        else if (partition.isr.length < was.isr.length) this.isrShrinks++;
        else if (partition.isr.length > was.isr.length) this.isrExpands++;
      });
    }
  }
}
