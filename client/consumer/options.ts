import type { Codecs } from "../../core/compression/codec.ts";
import type { AssignorName } from "../group-protocol.ts";
import type { ClientOptions } from "../options.ts";

/** A partition and an offset in it. */
export interface PartitionPosition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /**
   * Under which leader the record before `offset` was written (KIP-320), so that it is noticed if
   * that is no more there. Left out or −1: not known.
   */
  readonly leaderEpoch?: number;
  /** What whoever commits keeps with the offset. Left out: nothing. */
  readonly metadata?: string;
}

/** Where to begin without a valid offset; `none` makes that an error. */
export type OffsetReset = "earliest" | "latest" | "none";

/** Who assigns: the members' leader or the broker. */
export type GroupProtocol = "classic" | "consumer";

/** Settings of a consumer. */
export interface ConsumerOptions extends ClientOptions {
  /** Needed for `subscribe` and `commit`. */
  readonly groupId?: string;
  /**
   * `consumer` (KIP-848, Kafka 4.0 and later): the broker assigns, step by step. Default `classic`,
   * which every broker has.
   */
  readonly groupProtocol?: GroupProtocol;
  /**
   * Of the classic protocol, the favourite first; the group takes one that all its members have.
   * With `cooperative-sticky` alone a rebalance stops only partitions that move (KIP-429). Default
   * range, round-robin.
   */
  readonly assignors?: readonly AssignorName[];
  /** Of the consumer protocol: `uniform`, `range` or another that the broker has. */
  readonly serverAssignor?: string;
  /** Where this consumer is: it is sent to the replica that is closest (KIP-392). */
  readonly rackId?: string;
  /** A member of this name keeps its partitions over restarts (static membership, KIP-345). */
  readonly groupInstanceId?: string;
  /** Default `earliest`. */
  readonly autoOffsetReset?: OffsetReset;
  /** Default `read_uncommitted`, as in Java. */
  readonly isolationLevel?: "read_uncommitted" | "read_committed";
  /** How long a broker may wait for `minBytes`. Default 500 ms. */
  readonly maxWaitMs?: number;
  /** Default 1. */
  readonly minBytes?: number;
  /** Of one answer; a larger first batch comes nevertheless. Default 32 MiB. */
  readonly maxBytes?: number;
  /**
   * Of one partition in one answer; likewise. Default 16 MiB. It begins with 4 MiB, and finds by itself
   * what the link is quick with.
   */
  readonly partitionMaxBytes?: number;
  /** Fetched and not yet taken; beyond it nothing more is fetched. Default 64 MiB. */
  readonly queuedBytes?: number;
  /** The coordinator takes the member for dead after it. Default 45 s. */
  readonly sessionTimeoutMs?: number;
  /** Default 3 s. */
  readonly heartbeatIntervalMs?: number;
  /** How long a rebalance waits for its members. Default 60 s. */
  readonly rebalanceTimeoutMs?: number;
  /**
   * Commits so often what is worked off, and before partitions are given up; Java's is 5 s. Default
   * null: nothing is committed but by `commit`.
   */
  readonly autoCommitIntervalMs?: number | null;
  /** How long a rebalance waits for who works on a record of a partition that goes. Default 10 s. */
  readonly revokePatienceMs?: number;
  /** Codecs of compressed batches; `core/compression/bun.ts` has them. */
  readonly codecs?: Codecs;
}

/** The options with their defaults filled in. */
export interface ResolvedConsumerOptions {
  readonly groupId: string | null;
  readonly groupInstanceId: string | null;
  readonly groupProtocol: GroupProtocol;
  readonly assignors: readonly AssignorName[];
  readonly serverAssignor: string | null;
  readonly rackId: string | null;
  readonly autoOffsetReset: OffsetReset;
  readonly isolationLevel: "read_uncommitted" | "read_committed";
  readonly maxWaitMs: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly partitionMaxBytes: number;
  readonly queuedBytes: number;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly autoCommitIntervalMs: number | null;
  readonly revokePatienceMs: number;
  readonly codecs: Codecs;
}

/** Fills in the defaults. */
export function resolveConsumerOptions(options: ConsumerOptions): ResolvedConsumerOptions {
  return {
    groupId: options.groupId ?? null,
    groupInstanceId: options.groupInstanceId ?? null,
    groupProtocol: options.groupProtocol ?? "classic",
    assignors: options.assignors ?? ["range", "roundrobin"],
    serverAssignor: options.serverAssignor ?? null,
    rackId: options.rackId ?? null,
    autoOffsetReset: options.autoOffsetReset ?? "earliest",
    isolationLevel: options.isolationLevel ?? "read_uncommitted",
    maxWaitMs: options.maxWaitMs ?? 500,
    minBytes: options.minBytes ?? 1,
    maxBytes: options.maxBytes ?? 32 * 1024 * 1024,
    partitionMaxBytes: options.partitionMaxBytes ?? 16 * 1024 * 1024,
    queuedBytes: options.queuedBytes ?? 64 * 1024 * 1024,
    sessionTimeoutMs: options.sessionTimeoutMs ?? 45_000,
    heartbeatIntervalMs: options.heartbeatIntervalMs ?? 3000,
    rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? 60_000,
    autoCommitIntervalMs: options.autoCommitIntervalMs ?? null,
    revokePatienceMs: options.revokePatienceMs ?? 10_000,
    codecs: options.codecs ?? {},
  };
}
