/**
 * The transactions of one producer (KIP-98, KIP-447, KIP-890): one at a time, records of all
 * partitions and offsets of groups together.
 *
 *     init ─▶ ready ──begin──▶ open ──commit, abort──▶ ready …
 *                               └─ a record is lost: only abort is possible ─┘
 *
 * There are two protocols. In the second (`transaction.version` 2 in the cluster) partitions join by
 * being written to and every end gives a new epoch; in the first they are added before, and the
 * epoch changes only after a failure.
 */
import { asError } from "../../core/as-error.ts";
import { groupBy } from "../../core/group-by.ts";
import { Errors } from "../../core/errors.ts";
import { initProducerId } from "../../core/protocol/22-init-producer-id.ts";
import { addPartitionsToTxn } from "../../core/protocol/24-add-partitions-to-txn.ts";
import { addOffsetsToTxn } from "../../core/protocol/25-add-offsets-to-txn.ts";
import { endTxn } from "../../core/protocol/26-end-txn.ts";
import { txnOffsetCommit } from "../../core/protocol/28-txn-offset-commit.ts";
import type { Connection } from "../../core/connection.ts";
import type { Cluster } from "../cluster.ts";
import type { PartitionPosition } from "../consumer/options.ts";
import { KafkaError, throwOnError, UnsupportedError } from "../errors.ts";
import type { ProducerIdentity } from "./batch.ts";

/** Whose offsets are committed, and as which member of the group, so that a zombie is refused. */
export interface TransactionGroup {
  readonly groupId: string;
  readonly generation?: number;
  readonly memberId?: string;
  readonly groupInstanceId?: string | null;
}

/** What the transactions need of the producer. */
export interface TransactionHooks {
  /** Batches are numbered in this identity from now on. */
  identify(identity: ProducerIdentity): void;
  /** A partition has joined: its batches may be sent. */
  wake(): void;
  /** Sends everything; resolves when all of it is acknowledged or given up. */
  flush(): Promise<void>;
  /** Gives up what has not been sent. */
  drop(error: Error): void;
}

/** Features, and the level from which on the second protocol is spoken. */
const FEATURE = "transaction.version";
const BUMP_LEVEL = 2;
/** The last versions of the first protocol. */
const FIRST_PROTOCOL = { produce: 11, endTxn: 4, txnOffsetCommit: 4, addPartitions: 3 };
/** Version 6 names topics by id. */
const OFFSETS_BY_NAME = 5;

type State = "fresh" | "ready" | "open";

/** See the head of the file. */
export class ProducerTransactions {
  #state: State = "fresh";
  #identity: ProducerIdentity | null = null;
  #bumps = false;
  /** Whether the coordinator knows of the transaction. */
  #hasBegun = false;
  /** Why the transaction can only be aborted. */
  #failure: Error | null = null;
  readonly #added = new Set<string>();
  readonly #adding = new Map<string, { readonly topic: string; readonly partition: number }>();
  #isAdding = false;

  constructor(
    readonly cluster: Cluster,
    readonly transactionalId: string,
    readonly timeoutMs: number,
    readonly hooks: TransactionHooks,
  ) {}

  /** The newest version of Produce that may be used. */
  get produceMaxVersion(): number {
    return this.#bumps ? Infinity : FIRST_PROTOCOL.produce;
  }

  /** Takes over the transactional id: producers before this one are fenced, their records aborted. */
  async init(): Promise<void> {
    if (this.#state !== "fresh") throw new UnsupportedError("the transactions have begun already");
    await this.#initIdentity(null);
    this.#state = "ready";
  }

  begin(): void {
    if (this.#state !== "ready") {
      throw new UnsupportedError(
        this.#state === "fresh"
          ? "initTransactions comes before the first transaction"
          : "there is a transaction already",
      );
    }
    this.#state = "open";
    this.#hasBegun = false;
    this.#failure = null;
    this.#added.clear();
  }

  /** Throws unless records may be added. */
  requireOpen(): void {
    if (this.#state !== "open") throw new UnsupportedError("there is no transaction");
    if (this.#failure !== null) throw this.#failure;
  }

  /** Whether batches of the partition may be sent now; if not, it is being added. */
  admits(topic: string, partition: number): boolean {
    const key = `${topic}/${partition}`;
    this.#hasBegun ||= this.#bumps;
    if (this.#bumps || this.#added.has(key)) return true;
    this.#adding.set(key, { topic, partition });
    if (!this.#isAdding) void this.#addPartitions();
    return false;
  }

  /** A record of the transaction is lost: it can only be aborted. */
  failed(error: Error): void {
    this.#failure ??= error;
  }

  /** Commits offsets of a group with the transaction. */
  async sendOffsets(
    offsets: readonly PartitionPosition[],
    group: TransactionGroup,
  ): Promise<void> {
    this.requireOpen();
    if (offsets.length === 0) return;
    try {
      const identity = { ...this.#wire(), groupId: group.groupId };
      if (!this.#bumps) {
        await this.#ask("add offsets to the transaction", async (connection, timeoutMs) => {
          const options = { timeoutMs, maxVersion: 3 };
          return (await connection.request(addOffsetsToTxn, identity, options)).errorCode;
        });
      }
      this.#hasBegun = true;
      await this.#commitOffsets(identity, offsets, group);
    } catch (error) {
      this.failed(asError(error));
      throw error;
    }
  }

  /** Sends all records and commits; throws if one of them is lost: then `abort`. */
  async commit(): Promise<void> {
    this.requireOpen();
    await this.hooks.flush();
    this.requireOpen();
    await this.#end(true);
    this.#state = "ready";
  }

  /** Gives up the transaction: nobody who reads what is committed ever sees its records. */
  async abort(): Promise<void> {
    if (this.#state !== "open") throw new UnsupportedError("there is no transaction");
    this.hooks.drop(new UnsupportedError("the transaction is aborted"));
    await this.hooks.flush();
    await this.#end(false);
    // In the first protocol only another epoch begins the sequences anew.
    if (this.#failure !== null && !this.#bumps) await this.#initIdentity(this.#identity);
    this.#failure = null;
    this.#state = "ready";
  }

  async #end(committed: boolean): Promise<void> {
    if (!this.#hasBegun) return;
    const subject = committed ? "commit the transaction" : "abort the transaction";
    const maxVersion = this.#bumps ? endTxn.maxVersion : FIRST_PROTOCOL.endTxn;
    await this.#ask(subject, async (connection, timeoutMs) => {
      const request = { ...this.#wire(), committed };
      const answer = await connection.request(endTxn, request, { timeoutMs, maxVersion });
      if (this.#bumps && answer.errorCode === Errors.NONE) {
        this.#identify(Number(answer.producerId), answer.producerEpoch);
      }
      return answer.errorCode;
    });
  }

  async #initIdentity(expected: ProducerIdentity | null): Promise<void> {
    const { transactionalId, timeoutMs: transactionTimeoutMs } = this;
    await this.#ask("begin transactions", async (connection, timeoutMs) => {
      const answer = await connection.request(initProducerId, {
        transactionalId,
        transactionTimeoutMs,
        ...(expected === null
          ? {}
          : { producerId: BigInt(expected.producerId), producerEpoch: expected.epoch }),
      }, { timeoutMs });
      if (answer.errorCode !== Errors.NONE) return answer.errorCode;
      this.#bumps = (connection.features.get(FEATURE) ?? 0) >= BUMP_LEVEL &&
        connection.versionOf(endTxn) === endTxn.maxVersion;
      this.#identify(Number(answer.producerId), answer.producerEpoch);
      return Errors.NONE;
    });
  }

  #identify(producerId: number, epoch: number): void {
    this.#identity = { producerId, epoch };
    this.hooks.identify(this.#identity);
  }

  #wire() {
    const { producerId, epoch } = this.#identity ?? { producerId: -1, epoch: -1 };
    const { transactionalId } = this;
    return { transactionalId, producerId: BigInt(producerId), producerEpoch: epoch };
  }

  async #addPartitions(): Promise<void> {
    this.#isAdding = true;
    try {
      while (this.#adding.size > 0) {
        const keys = [...this.#adding.keys()];
        const byTopic = groupBy(this.#adding.values(), ({ topic }) => topic);
        this.#adding.clear();
        await this.#ask(
          "add partitions to the transaction",
          (connection, timeoutMs) => this.#addOnce(connection, timeoutMs, byTopic),
        );
        for (const key of keys) this.#added.add(key);
        this.#hasBegun = true;
        this.hooks.wake();
      }
    } catch (error) {
      const failure = asError(error);
      this.#adding.clear();
      this.failed(failure);
      this.hooks.drop(failure);
    } finally {
      this.#isAdding = false;
    }
  }

  async #addOnce(
    connection: Connection,
    timeoutMs: number,
    byTopic: ReadonlyMap<string, readonly { readonly partition: number }[]>,
  ): Promise<number> {
    const { transactionalId, producerId, producerEpoch } = this.#wire();
    const answer = await connection.request(addPartitionsToTxn, {
      v3AndBelowTransactionalId: transactionalId,
      v3AndBelowProducerId: producerId,
      v3AndBelowProducerEpoch: producerEpoch,
      v3AndBelowTopics: [...byTopic].map(([name, list]) => ({
        name,
        partitions: list.map(({ partition }) => partition),
      })),
    }, { timeoutMs, maxVersion: FIRST_PROTOCOL.addPartitions });
    const codes = answer.resultsByTopicV3AndBelow
      .flatMap(({ resultsByPartition }) => resultsByPartition)
      .map(({ partitionErrorCode }) => partitionErrorCode)
      .filter((code) => code !== Errors.NONE);
    // The others were not tried because of one of them.
    return codes.find((code) => code !== Errors.OPERATION_NOT_ATTEMPTED) ?? codes[0] ?? Errors.NONE;
  }

  async #commitOffsets(
    identity: {
      readonly transactionalId: string;
      readonly producerId: bigint;
      readonly producerEpoch: number;
      readonly groupId: string;
    },
    offsets: readonly PartitionPosition[],
    group: TransactionGroup,
  ): Promise<void> {
    const { cluster } = this;
    const { groupId } = group;
    const subject = `commit offsets of group "${groupId}" in the transaction`;
    const maxVersion = this.#bumps ? OFFSETS_BY_NAME : FIRST_PROTOCOL.txnOffsetCommit;
    await cluster.retry(subject, async ({ timeoutMs }) => {
      const node = await cluster.coordinator("group", groupId);
      const connection = await cluster.connect(node, "coordinator");
      const answer = await connection.request(txnOffsetCommit, {
        ...identity,
        generationIdOrMemberEpoch: group.generation ?? -1,
        memberId: group.memberId ?? "",
        groupInstanceId: group.groupInstanceId ?? null,
        topics: [...groupBy(offsets, ({ topic }) => topic)].map(([name, list]) => ({
          name,
          partitions: list.map(({ partition, offset, leaderEpoch = -1, metadata = "" }) => ({
            partitionIndex: partition,
            committedOffset: offset,
            committedLeaderEpoch: leaderEpoch,
            committedMetadata: metadata,
          })),
        })),
      }, { timeoutMs, maxVersion });
      for (const { name, partitions } of answer.topics) {
        for (const { partitionIndex, errorCode } of partitions) {
          throwOnError(errorCode, `${subject}, ${name}-${partitionIndex}`);
        }
      }
    }, { onRetry: () => cluster.forgetCoordinator("group", groupId) });
  }

  /** Asks the coordinator of the transactional id until it answers NONE or an error for good. */
  async #ask(
    subject: string,
    attempt: (connection: Connection, timeoutMs: number) => Promise<number>,
  ): Promise<void> {
    const { cluster, transactionalId } = this;
    await cluster.retry(subject, async ({ timeoutMs }) => {
      const node = await cluster.coordinator("transaction", transactionalId);
      const connection = await cluster.connect(node, "coordinator");
      throwOnError(await attempt(connection, timeoutMs), subject);
    }, {
      onRetry: (error) => {
        const isBusy = error instanceof KafkaError &&
          error.code === Errors.CONCURRENT_TRANSACTIONS;
        if (!isBusy) cluster.forgetCoordinator("transaction", transactionalId);
      },
    });
  }
}
