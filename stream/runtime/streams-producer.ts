/**
 * The producer of a member, and how what its tasks have done is committed: all at once, under
 * exactly-once in one transaction with the offsets behind it (KIP-447).
 */
import type { ClientIo } from "../../client/options.ts";
import { commitOffsets, type CommittingMember } from "../../client/commit-offsets.ts";
import { Cluster } from "../../client/cluster.ts";
import type { PartitionPosition } from "../../client/consumer.ts";
import { Producer, type ProducerOptions } from "../../client/producer.ts";
import { type EndOf, RecordOutput, type Refusals } from "./record-output.ts";

/** Of which group, and as which member. */
export interface CommittingGroup {
  readonly groupId: string;
  readonly member: CommittingMember;
}

export interface StreamsProducerOptions {
  readonly producer: ProducerOptions;
  readonly refusals: Refusals;
}

/** See the head of the file. */
export class StreamsProducer {
  readonly output: RecordOutput;
  readonly #producer: Producer;
  readonly #cluster: Cluster;
  readonly #isTransactional: boolean;
  /** When the open transaction began to have something in it; null: it has nothing. */
  #openSinceMs: number | null = null;

  constructor(
    private readonly io: ClientIo,
    options: StreamsProducerOptions,
  ) {
    const onBatch: ProducerOptions["onBatch"] = (report) => this.output.onBatch(report);
    this.#producer = new Producer(io, { ...options.producer, onBatch });
    this.#isTransactional = options.producer.transactionalId !== undefined;
    this.#cluster = new Cluster(io, options.producer);
    this.output = new RecordOutput(this.#producer, options.refusals);
  }

  /** Fences those before it that had its name: what they have left open is aborted. */
  async start(): Promise<void> {
    if (!this.#isTransactional) return;
    await this.#producer.transactions.init();
    this.#producer.transactions.begin();
  }

  /** How long a transaction has had something in it; 0: it has nothing. */
  get openForMs(): number {
    const since = this.#openSinceMs;
    return since === null ? 0 : this.io.clock.monotonicMs() - since;
  }

  /** Something is processed from now on. */
  used(): void {
    this.#openSinceMs ??= this.io.clock.monotonicMs();
  }

  /**
   * Gives the ends of changelogs, up to which their stores can be kept now. Throws what has gone wrong;
   * under exactly-once `abort` is all that can follow then.
   */
  async commit(
    offsets: readonly PartitionPosition[],
    { groupId, member }: CommittingGroup,
  ): Promise<EndOf> {
    await this.output.settle();
    if (this.#isTransactional) {
      const { transactions } = this.#producer;
      await transactions.sendOffsets(offsets, { groupId, ...member });
      await transactions.commit();
      this.output.throwFailure();
      transactions.begin();
    } else {
      await commitOffsets(this.#cluster, groupId, offsets, member);
    }
    this.#openSinceMs = null;
    return this.output.takeEnds();
  }

  /**
   * What was written since the last commit is no more there for those who read what is committed; without
   * transactions it stays. Throws where this producer is of no use any more.
   */
  async abort(): Promise<void> {
    this.output.reset();
    if (this.#isTransactional) {
      await this.#producer.transactions.abort();
      this.#producer.transactions.begin();
    } else {
      await this.#producer.flush();
    }
    this.output.reset();
    this.#openSinceMs = null;
  }

  /** Ends in good order: what is not committed is aborted. */
  async close(): Promise<void> {
    this.#cluster.close();
    await this.#producer.close();
  }

  /** Ends at once, and with it what waits for it. */
  kill(reason: Error): void {
    this.output.giveUp(reason);
    this.#cluster.abort();
    this.#producer.abort(reason);
  }
}
