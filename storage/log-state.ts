/**
 * What the parts of one open log share: its configuration, its segments, what was learnt from its
 * batches, and where it begins and ends. Each field has one part that changes it.
 */
import type { LogConfig } from "./log-config.ts";
import type { LogIdentity } from "./log-files.ts";
import { LeaderEpochs } from "./leader-epochs.ts";
import { partitionDirName } from "./names.ts";
import { ProducerStates } from "./producer-state.ts";
import type { RecoveredLog } from "./recovery.ts";
import { SegmentList } from "./segment-list.ts";

/** See the head of this file. */
export class LogState {
  readonly segments: SegmentList;
  readonly epochs: LeaderEpochs;
  producers: ProducerStates;
  /** The first offset that may be read. */
  startOffset: number;
  /** The next offset to be assigned. */
  endOffset: number;
  /** Up to where the log has been cleaned; null if it never was. */
  cleanedTo: number | null;
  /** Below it everything is on all replicas that count; null: there is one, or nobody has said. */
  highWatermark: number | null = null;
  /** Offsets from here on were written by this process. */
  trustedEnd: number;
  /** Counts truncations and the removal: what began before one does not speak of what came after. */
  generation = 0;
  /** Whether it is being copied: the cleaner then leaves it alone. */
  isMoving = false;
  /** Is given each batch when it has been written. */
  mirror: ((batch: Uint8Array) => void) | null = null;
  /** A removed log is closed, too. */
  phase: "open" | "cutting" | "closed" | "removed" = "open";

  /** As recovery has found the log; with `null` it is a new one. */
  constructor(
    public identity: LogIdentity,
    public config: LogConfig,
    recovered: RecoveredLog | null,
  ) {
    this.segments = new SegmentList(recovered?.segments ?? []);
    this.epochs = recovered?.epochs ?? new LeaderEpochs([]);
    this.producers = recovered?.producers ?? new ProducerStates();
    this.startOffset = recovered?.logStartOffset ?? 0;
    this.endOffset = recovered?.logEndOffset ?? 0;
    this.cleanedTo = recovered?.cleanedTo ?? null;
    this.trustedEnd = this.endOffset;
  }

  /** `topic-partition`, as the folder is named. */
  get name(): string {
    return partitionDirName(this.identity.topic, this.identity.partition);
  }

  /** Whether offsets may be missing: not in a log that neither is nor was compacted. */
  get hasGaps(): boolean {
    return this.cleanedTo !== null || this.config.cleanupPolicy.compact;
  }

  get isClosed(): boolean {
    return this.phase === "closed" || this.phase === "removed";
  }
}
