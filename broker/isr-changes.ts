/**
 * Brings what leaders on this broker want of their ISRs to the controller: one AlterPartition at a time,
 * with all that wait, sent again until there is an answer. Kafka's `AlterPartitionManager`.
 */
import type { IsrProposal } from "../cluster/replication/leader-replicas.ts";
import { Errors } from "../core/errors.ts";
import { type Clock, sleep } from "../core/io.ts";
import type { Logger } from "../core/logger.ts";
import type { alterPartition } from "../core/protocol/56-alter-partition.ts";
import type { EncodableRequest, ResponseOf } from "../core/protocol/schema.ts";
import { groupBy } from "../core/group-by.ts";
import type { Partition } from "./partition.ts";

/** What it is built from. */
export interface IsrChangesOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nodeId: number;
  /** Of this broker's registration. */
  brokerEpoch(): number;
  /** Asks the controller, whoever that is. Rejects where it cannot be reached in time. */
  send(
    request: EncodableRequest<typeof alterPartition>,
    signal: AbortSignal,
  ): Promise<ResponseOf<typeof alterPartition>>;
  /** Partitions that this broker may lead. */
  partitions(): Iterable<Partition>;
  /** `replica.lag.time.max.ms`. */
  lagTimeMaxMs(): number;
  /** Between tries. */
  readonly retryMs: number;
}

/** Done, refused, or out of date: then there are news, if not here yet. */
const DECISIONS: readonly number[] = [
  Errors.NONE,
  Errors.NEW_LEADER_ELECTED,
  Errors.INELIGIBLE_REPLICA,
  Errors.INVALID_UPDATE_VERSION,
  Errors.FENCED_LEADER_EPOCH,
  Errors.UNKNOWN_TOPIC_ID,
  Errors.UNKNOWN_TOPIC_OR_PARTITION,
];

interface Waiting {
  readonly partition: Partition;
  readonly proposal: IsrProposal;
}

/** See the head of the file. `close` it. */
export class IsrChanges {
  readonly #options: IsrChangesOptions;
  readonly #waiting = new Map<Partition, Waiting>();
  readonly #closed = new AbortController();
  readonly #checking: Promise<void>;
  #sending: Promise<void> | null = null;

  constructor(options: IsrChangesOptions) {
    this.#options = options;
    this.#checking = this.#checkAgainAndAgain();
  }

  /** Sends the proposal, in place of an earlier one of the partition. */
  submit(partition: Partition, proposal: IsrProposal): void {
    this.#waiting.set(partition, { partition, proposal });
    if (this.#closed.signal.aborted) return;
    this.#sending ??= this.#sendAll().finally(() => this.#sending = null);
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error("the broker stops"));
    await this.#checking;
    await this.#sending;
  }

  /** Who falls behind says nothing: it is looked for. */
  async #checkAgainAndAgain(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#closed;
    while (!signal.aborted) {
      await sleep(clock, this.#options.lagTimeMaxMs() / 2, signal).catch(() => {});
      if (signal.aborted) return;
      for (const partition of this.#options.partitions()) partition.checkIsr();
    }
  }

  async #sendAll(): Promise<void> {
    const { clock, logger, retryMs } = this.#options;
    const { signal } = this.#closed;
    // What is submitted in this turn goes along.
    await Promise.resolve();
    while (this.#waiting.size > 0 && !signal.aborted) {
      const batch = [...this.#waiting.values()];
      try {
        this.#take(batch, await this.#options.send(this.#request(batch), signal));
      } catch (error) {
        if (signal.aborted) return;
        const reason = error instanceof Error ? error.message : String(error);
        logger.warn("the controller cannot be asked for another ISR", { reason });
      }
      if (this.#waiting.size > 0) await sleep(clock, retryMs, signal).catch(() => {});
    }
  }

  #request(batch: readonly Waiting[]): EncodableRequest<typeof alterPartition> {
    const { nodeId } = this.#options;
    return {
      brokerId: nodeId,
      brokerEpoch: BigInt(this.#options.brokerEpoch()),
      topics: [...groupBy(batch, ({ partition }) => partition.topicId)].map(([topicId, list]) => ({
        topicId,
        partitions: list.map(({ partition, proposal }) => ({
          partitionIndex: partition.index,
          leaderEpoch: proposal.leaderEpoch,
          partitionEpoch: proposal.partitionEpoch,
          leaderRecoveryState: 0,
          newIsrWithEpochs: proposal.isr.map(({ brokerId, brokerEpoch }) => ({
            brokerId,
            brokerEpoch: BigInt(brokerId === nodeId ? this.#options.brokerEpoch() : brokerEpoch),
          })),
        })),
      })),
    };
  }

  /** What comes of a decision the metadata tell; other answers are as good as none. */
  #take(batch: readonly Waiting[], response: ResponseOf<typeof alterPartition>): void {
    if (response.errorCode !== Errors.NONE) return;
    const answered = new Set(
      response.topics.flatMap(({ topicId, partitions }) =>
        partitions.filter(({ errorCode }) => DECISIONS.includes(errorCode))
          .map(({ partitionIndex }) => `${topicId}:${partitionIndex}`)
      ),
    );
    for (const waiting of batch) {
      const { partition } = waiting;
      if (!answered.has(`${partition.topicId}:${partition.index}`)) continue;
      if (this.#waiting.get(partition) === waiting) this.#waiting.delete(partition);
    }
  }
}
