/**
 * Deletes from repartition topics what is processed and committed: nobody reads it again, and they keep it
 * for ever otherwise (`repartition.purge.interval.ms`).
 */
import type { Admin } from "../../client/admin.ts";
import type { PartitionPosition } from "../../client/consumer.ts";
import { isRetriableError, TimeoutError } from "../../client/errors.ts";
import { partitionKey } from "../../client/group-protocol.ts";
import { asError } from "../../core/as-error.ts";
import type { Clock } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";

/** See the head of the file. */
export class RepartitionPurger {
  #committed = new Map<string, PartitionPosition>();
  #nextMs: number;
  #isPurging = false;
  #isTold = false;

  /** `topics`: names in the cluster. */
  constructor(
    private readonly admin: Admin,
    private readonly clock: Clock,
    private readonly topics: ReadonlySet<string>,
    private readonly intervalMs: number,
    private readonly logger: Logger,
  ) {
    this.#nextMs = clock.monotonicMs() + intervalMs;
  }

  /** Hears of what is committed; deletes now and then, beside all else. */
  committed(positions: readonly PartitionPosition[]): void {
    for (const position of positions) {
      const { topic, partition } = position;
      if (this.topics.has(topic)) this.#committed.set(partitionKey(topic, partition), position);
    }
    if (this.#isPurging || this.#committed.size === 0) return;
    if (this.clock.monotonicMs() < this.#nextMs) return;
    void this.#purge();
  }

  async #purge(): Promise<void> {
    this.#isPurging = true;
    const positions = [...this.#committed.values()];
    this.#committed = new Map();
    try {
      const results = await this.admin.deleteRecords(
        positions.map(({ topic, partition, offset }) => ({ topic, partition, before: offset })),
      );
      const failed = results.find(({ error }) => error !== null)?.error;
      if (failed != null) this.#tell(failed);
      else this.#isTold = false;
    } catch (error) {
      this.#tell(asError(error));
    } finally {
      this.#isPurging = false;
      this.#nextMs = this.clock.monotonicMs() + this.intervalMs;
    }
  }

  /** What was not deleted goes with what comes after it; where nothing ever goes they fill disks. */
  #tell(error: Error): void {
    const isWorthIt = !isRetriableError(error) && !(error instanceof TimeoutError) && !this.#isTold;
    if (isWorthIt) this.#isTold = true;
    this.logger[isWorthIt ? "warn" : "debug"](
      "repartition topics grow: what is processed is not deleted",
      { error: error.message },
    );
  }
}
