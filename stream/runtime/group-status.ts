/**
 * What a broker says of a streams group besides tasks, and what Kafka Streams makes of it (KIP-1071,
 * `StreamThread.handleStreamsRebalanceData`): some of it is waited for, some ends the application.
 */
import type { Clock } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { GroupSelf } from "./group-membership.ts";
import { shutdownRequested } from "./group-refusals.ts";

/** Codes of `StreamsGroupHeartbeatResponse.Status`. */
export const StatusCodes = {
  STALE_TOPOLOGY: 0,
  MISSING_SOURCE_TOPICS: 1,
  INCORRECTLY_PARTITIONED_TOPICS: 2,
  MISSING_INTERNAL_TOPICS: 3,
  SHUTDOWN_APPLICATION: 4,
  ASSIGNMENT_DELAYED: 5,
} as const;

export interface Status {
  readonly statusCode: number;
  readonly statusDetail: string;
}

/** See the head of the file. */
export class GroupStatus {
  /** What was said last. */
  #told = "";
  /** Since when source topics are missing. */
  #missingSinceMs: number | null = null;

  constructor(
    private readonly clock: Clock,
    private readonly self: Pick<GroupSelf, "config" | "logger">,
  ) {}

  /** Tells what is new. Throws an `OperatorError` for what ends the application. */
  hear(all: readonly Status[]): void {
    const of = (code: number) => all.find(({ statusCode }) => statusCode === code);
    if (of(StatusCodes.SHUTDOWN_APPLICATION) !== undefined) throw shutdownRequested();
    const wrong = of(StatusCodes.INCORRECTLY_PARTITIONED_TOPICS);
    if (wrong !== undefined) {
      const { applicationId } = this.self.config;
      throw new OperatorError(
        "the topics do not fit the application",
        wrong.statusDetail,
        `make counts of partitions equal, or reset it: kstream stream reset ${applicationId}`,
      );
    }
    this.#tell(all);
    const missing = of(StatusCodes.MISSING_SOURCE_TOPICS);
    if (missing === undefined) this.#missingSinceMs = null;
    else this.#wait(missing);
  }

  #tell(all: readonly Status[]): void {
    // It passes by itself.
    const lasting = all.filter(({ statusCode }) => statusCode !== StatusCodes.ASSIGNMENT_DELAYED);
    const text = lasting.map(({ statusDetail }) => statusDetail).join(" ");
    if (text === this.#told) return;
    this.#told = text;
    const { logger } = this.self;
    if (text === "") logger.info("the group has what it needs");
    else logger.warn("the group is not as it has to be", { why: text });
  }

  /** As long as a rebalance may take. */
  #wait({ statusDetail }: Status): void {
    const nowMs = this.clock.monotonicMs();
    this.#missingSinceMs ??= nowMs;
    const { maxPollIntervalMs } = this.self.config;
    if (nowMs - this.#missingSinceMs < maxPollIntervalMs) return;
    throw new OperatorError(
      "topics that the application reads are missing",
      `${statusDetail} This was waited for max.poll.interval.ms, ${maxPollIntervalMs}`,
      "create them with: kstream topic create",
    );
  }
}
