/**
 * A consumer of share groups (KIP-932): several members read from the same partitions, each record is
 * locked for who gets it, and is done when it is acknowledged. What is not comes again, to anybody.
 * Records are fetched when somebody waits for them, so that none lies locked and idle for long.
 */
import { asError } from "../core/as-error.ts";
import { Cluster } from "./cluster.ts";
import { WakeUp } from "./wake-up.ts";
import type { Codecs } from "../core/compression/codec.ts";
import { CorruptRecordError } from "../core/records/corrupt-record-error.ts";
import { Errors } from "../core/errors.ts";
import type { ConsumerRecord } from "./consumer/chunk.ts";
import { isRetriableError, KafkaError, UnsupportedError } from "./errors.ts";
import { partitionKey } from "./group-protocol.ts";
import type { ClientIo, ClientOptions } from "./options.ts";
import { bytesSerde, type Serde, SerdeError, type SerdeOptions } from "./serde.ts";
import type { AcknowledgeType, IdPartition } from "./share/acknowledgements.ts";
import { type AcquiredRecord, acquiredRecords } from "./share/acquired.ts";
import { ShareMembership } from "./share/share-membership.ts";
import {
  type AcknowledgeOutcome,
  type ShareFetchResponse,
  type ShareFetchSettings,
  ShareSession,
} from "./share/share-session.ts";

export type { AcknowledgeType } from "./share/acknowledgements.ts";

/** Settings of a share consumer. */
export interface ShareConsumerOptions extends ClientOptions {
  readonly groupId: string;
  /**
   * `implicit`, the default: a record is accepted when the next is asked for, unless something else
   * was said of it. `explicit`: nothing is said but by `acknowledge`.
   */
  readonly acknowledgement?: "implicit" | "explicit";
  /** At most so many records at a time, but whole batches. Default 500. */
  readonly maxRecords?: number;
  /** Never more than `maxRecords`, where the broker can do that. Default false. */
  readonly strictMaxRecords?: boolean;
  /** How long a broker may wait for records. Default 500 ms. */
  readonly maxWaitMs?: number;
  /** Default 1. */
  readonly minBytes?: number;
  /** Of one answer. Default 16 MiB. */
  readonly maxBytes?: number;
  readonly rackId?: string;
  /** Codecs of compressed batches. */
  readonly codecs?: Codecs;
}

/** A record that this member has a lock on. */
export interface ShareRecord<K = Uint8Array, V = Uint8Array> extends ConsumerRecord<K, V> {
  /** How often it was given to a member, this time included. */
  readonly deliveryCount: number;
}

/** A record of which something was said that the broker did not take: it may come again. */
export interface AcknowledgeFailure {
  readonly topic: string;
  readonly partition: number;
  readonly offsets: readonly number[];
  readonly error: Error;
}

/** A record that was handed out and of which nothing final was said. */
interface InHand extends IdPartition {
  readonly session: ShareSession;
  readonly offset: number;
}

const FAILURES_KEPT = 1000;
const IN_HAND_MAX = 100_000;
const CLOSE_TIMEOUT_MS = 5000;

/** See the head of the file. `close` it. */
export class ShareConsumer<K = Uint8Array, V = Uint8Array> {
  readonly cluster: Cluster;
  readonly #options: ShareConsumerOptions;
  readonly #settings: ShareFetchSettings;
  readonly #key: Serde<K>;
  readonly #value: Serde<V>;
  readonly #sessions = new Map<number, ShareSession>();
  readonly #inHand = new Map<string, InHand>();
  readonly #names = new Map<string, string>();
  readonly #pumping: WakeUp;
  #membership: ShareMembership | null = null;
  #assigned: readonly IdPartition[] = [];
  #buffer: { readonly record: AcquiredRecord; readonly session: ShareSession }[] = [];
  #failures: AcknowledgeFailure[] = [];
  #waiters: (() => void)[] = [];
  /** How many wait for records. */
  #hungry = 0;
  #lockTimeoutMs: number | null = null;
  #error: Error | null = null;
  #refreshing = false;
  #hasFetched = false;
  #hasJoined = false;
  #closed = false;

  constructor(io: ClientIo, options: ShareConsumerOptions & SerdeOptions<K, V>) {
    this.cluster = new Cluster(io, options);
    this.#options = options;
    // Without serdes the types are what they are by default: bytes.
    const bytes = bytesSerde as unknown as Serde<K> & Serde<V>;
    this.#key = options.key ?? bytes;
    this.#value = options.value ?? bytes;
    this.#settings = {
      maxWaitMs: options.maxWaitMs ?? 500,
      minBytes: options.minBytes ?? 1,
      maxBytes: options.maxBytes ?? 16 * 1024 * 1024,
      maxRecords: options.maxRecords ?? 500,
      strictMaxRecords: options.strictMaxRecords ?? false,
    };
    this.#pumping = new WakeUp(io.clock, () => this.#pump());
    this.cluster.onMetadata(() => this.#pumping.soon());
  }

  /** How many records are fetched, locked and not handed out yet. */
  get buffered(): number {
    return this.#buffer.length;
  }

  /**
   * Whether what is there to be read would have begun to come: a broker has answered a fetch, or the
   * group has given this member nothing to fetch. Before that, silence says nothing.
   */
  get isReading(): boolean {
    return this.#hasFetched || (this.#hasJoined && this.#assigned.length === 0);
  }

  /** How long the broker locks a record for this member; null until it has given one. */
  get lockTimeoutMs(): number | null {
    return this.#lockTimeoutMs;
  }

  /**
   * Joins the group, or later says which topics it is from now on. Where a group begins, its config
   * `share.auto.offset.reset` says.
   */
  subscribe(topics: readonly string[]): void {
    if (this.#membership !== null) return this.#membership.subscribe(topics);
    const { groupId, rackId = null } = this.#options;
    this.#membership = new ShareMembership(this.cluster, groupId, topics, rackId, {
      assigned: (partitions) => {
        this.#assigned = partitions;
        this.#hasJoined = true;
        this.#pumping.soon();
      },
      failed: (error) => this.#fail(error),
    });
    this.#membership.start();
  }

  /**
   * The next record; null once the consumer is closed. Rejects when reading fails for good, with the
   * signal's reason, and with a `SerdeError`, whose record others get.
   */
  async next(signal?: AbortSignal): Promise<ShareRecord<K, V> | null> {
    for (;;) {
      signal?.throwIfAborted();
      if (this.#closed) return null;
      const taken = this.#buffer.shift();
      if (taken !== undefined) return this.#handOut(taken.record, taken.session);
      if (this.#error !== null) {
        const error = this.#error;
        this.#error = null;
        throw error;
      }
      this.#hungry++;
      this.#pumping.soon();
      await this.#changed(signal);
      this.#hungry--;
    }
  }

  /**
   * Records until `close`. In implicit mode one is accepted when the next is asked for; the record at
   * hand when the loop is left, by `break` or by an error, is released unless it was acknowledged.
   */
  async *records(
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<ShareRecord<K, V>, void, undefined> {
    const isImplicit = this.#options.acknowledgement !== "explicit";
    for (;;) {
      const record = await this.next(options.signal);
      if (record === null) return;
      let isDone = false;
      try {
        yield record;
        isDone = true;
      } finally {
        if (isImplicit) this.acknowledgeIfHeld(record, isDone ? "accept" : "release");
      }
    }
  }

  /** [Symbol.asyncIterator] of `records`. */
  [Symbol.asyncIterator](): AsyncGenerator<ShareRecord<K, V>, void, undefined> {
    return this.records();
  }

  /**
   * Says what has become of a record; it reaches the broker soon, or with `commit`. `renew` begins
   * its lock anew and may be said often. Throws if the record is not this member's any more.
   */
  acknowledge(
    record: Pick<ShareRecord, "topic" | "partition" | "offset">,
    type: AcknowledgeType = "accept",
  ): void {
    const key = recordKey(record);
    const inHand = this.#inHand.get(key);
    if (inHand === undefined) {
      throw new UnsupportedError(
        `record ${record.topic}-${record.partition} at ${record.offset} is not in hand: it was ` +
          "acknowledged, or its session with the broker has ended",
      );
    }
    const { session, offset } = inHand;
    if (type === "renew") session.renewals.set(inHand, offset, type);
    else {
      this.#inHand.delete(key);
      session.pending.set(inHand, offset, type);
    }
    this.#pumping.soon();
  }

  /** As `acknowledge`, but of a record that is not in hand any more nothing is said; false then. */
  acknowledgeIfHeld(
    record: Pick<ShareRecord, "topic" | "partition" | "offset">,
    type: AcknowledgeType = "accept",
  ): boolean {
    if (!this.#inHand.has(recordKey(record))) return false;
    this.acknowledge(record, type);
    return true;
  }

  /**
   * Resolves when brokers have heard all that was said so far, with what they did not take since the
   * last call (the first 1,000): these records come again, as a lock has expired or a broker went.
   */
  async commit(signal?: AbortSignal): Promise<readonly AcknowledgeFailure[]> {
    const isSaying = () =>
      [...this.#sessions.values()].some(({ isBusy, pending, renewals }) =>
        isBusy || !pending.isEmpty || !renewals.isEmpty
      );
    this.#pumping.soon();
    while (!this.#closed && isSaying()) {
      await this.#changed(signal);
      signal?.throwIfAborted();
    }
    return this.#failures.splice(0);
  }

  /**
   * Tells brokers what was said, gives back what was not worked off, leaves the group. Resolves to
   * what brokers did not take, as `commit`.
   */
  async close(): Promise<readonly AcknowledgeFailure[]> {
    if (this.#closed) return [];
    this.#closed = true;
    this.#pumping.close();
    this.#buffer = [];
    this.#wake();
    await Promise.all([...this.#sessions.values()].map((session) => this.#closeSession(session)));
    await this.#membership?.stop();
    this.cluster.close();
    return this.#failures.splice(0);
  }

  async #closeSession(session: ShareSession): Promise<void> {
    while (session.isBusy) await this.#changed(undefined);
    if (!session.isOpen) return;
    try {
      const connection = await this.cluster.broker(session.nodeId, "fetch");
      this.#judge(await session.close(connection, CLOSE_TIMEOUT_MS));
    } catch (error) {
      this.#judge(session.forget(asError(error)));
    }
  }

  #handOut(acquired: AcquiredRecord, session: ShareSession): ShareRecord<K, V> {
    const { topicId, topic, partition, timestampMs, headers, deliveryCount } = acquired;
    const offset = BigInt(acquired.offset);
    const read = <T>(part: "key" | "value", serde: Serde<T>): T | null => {
      const bytes = acquired[part];
      try {
        return bytes === null ? null : serde.deserialize(bytes, { topic, part });
      } catch (error) {
        session.pending.set(acquired, acquired.offset, "release");
        this.#pumping.soon();
        throw new SerdeError(topic, partition, offset, part, error);
      }
    };
    const key = read("key", this.#key);
    const value = read("value", this.#value);
    const record = { topic, partition, offset, timestampMs, key, value, headers, deliveryCount };
    const id = recordKey(record);
    this.#inHand.delete(id);
    this.#inHand.set(id, { topicId, partition, offset: acquired.offset, session });
    if (this.#inHand.size > IN_HAND_MAX) {
      // Nobody has said anything of it for so long that its lock is gone.
      for (const oldest of this.#inHand.keys()) {
        this.#inHand.delete(oldest);
        break;
      }
    }
    return record;
  }

  #pump(): void {
    const wanted = this.#wantedByNode();
    const nowMs = this.cluster.io.clock.monotonicMs();
    const fetches = this.#hungry > 0 && this.#buffer.length === 0;
    for (const nodeId of new Set([...wanted.keys(), ...this.#sessions.keys()])) {
      const session = this.#session(nodeId);
      if (session.isBusy) continue;
      if (session.retryAtMs > nowMs) {
        this.#pumping.at(session.retryAtMs);
        continue;
      }
      const partitions = wanted.get(nodeId);
      // Renewing goes by itself, and first: it is urgent.
      if (!session.renewals.isEmpty) void this.#exchange(session, null);
      else if (fetches && partitions !== undefined) void this.#exchange(session, partitions);
      else if (!session.pending.isEmpty) void this.#exchange(session, null);
    }
  }

  #session(nodeId: number): ShareSession {
    const known = this.#sessions.get(nodeId);
    if (known !== undefined) return known;
    const { groupId } = this.#options;
    const memberId = this.#membership?.memberId ?? "";
    const session = new ShareSession(nodeId, { groupId, memberId });
    this.#sessions.set(nodeId, session);
    return session;
  }

  /** What to fetch, by the leader; asks where something is not known. */
  #wantedByNode(): Map<number, IdPartition[]> {
    const byNode = new Map<number, IdPartition[]>();
    for (const each of this.#assigned) {
      const leader = this.#leaderOf(each);
      if (leader < 0) this.#refresh();
      else byNode.set(leader, [...byNode.get(leader) ?? [], each]);
    }
    return byNode;
  }

  /** −1: not known. */
  #leaderOf({ topicId, partition }: IdPartition): number {
    const topic = this.#names.get(topicId);
    return topic === undefined ? -1 : this.cluster.leaderOf(topic, partition);
  }

  #refresh(): void {
    if (this.#refreshing || this.#closed) return;
    this.#refreshing = true;
    const learn = async () => {
      for (const topicId of new Set(this.#assigned.map((each) => each.topicId))) {
        const name = this.#names.get(topicId) ?? await this.cluster.topicName(topicId);
        if (name !== null) this.#names.set(topicId, name);
      }
      if (this.#names.size > 0) await this.cluster.refresh([...this.#names.values()]);
    };
    // No broker answered, or it knows no more: it is asked again after a pause.
    learn().catch(() => {}).finally(() => {
      const { clock } = this.cluster.io;
      clock.setTimer(this.cluster.backoffMs(0), () => {
        this.#refreshing = false;
        this.#pumping.soon();
      });
      this.#pumping.soon();
    });
  }

  /** One request: a fetch from these partitions, or only what is to be said. */
  async #exchange(session: ShareSession, partitions: readonly IdPartition[] | null): Promise<void> {
    session.isBusy = true;
    const { requestTimeoutMs } = this.cluster.options;
    try {
      const connection = await this.cluster.broker(session.nodeId, "fetch");
      if (partitions === null) {
        this.#heard(session, await session.acknowledge(connection, requestTimeoutMs));
      } else {
        const fetched = await session.fetch(
          connection,
          partitions,
          this.#settings,
          requestTimeoutMs,
          () => partitions.every((each) => this.#leaderOf(each) !== session.nodeId),
        );
        this.#hasFetched = true;
        this.#heard(session, fetched.outcomes);
        this.#arrived(session, fetched.response);
      }
      session.failures = 0;
    } catch (error) {
      this.#exchangeFailed(session, asError(error));
    } finally {
      session.isBusy = false;
      this.#wake();
      this.#pumping.soon();
    }
  }

  /** The broker has given all back that this session had, or will. */
  #exchangeFailed(session: ShareSession, error: Error): void {
    this.#judge(session.forget(error));
    this.#buffer = this.#buffer.filter((each) => each.session !== session);
    for (const [key, inHand] of this.#inHand) {
      if (inHand.session === session) this.#inHand.delete(key);
    }
    this.#pause(session);
    if (isRetriableError(error)) return this.#refresh();
    const isSession = error instanceof KafkaError &&
      (error.code === Errors.SHARE_SESSION_NOT_FOUND ||
        error.code === Errors.INVALID_SHARE_SESSION_EPOCH);
    if (!isSession) this.#fail(error);
  }

  #pause(session: ShareSession): void {
    const nowMs = this.cluster.io.clock.monotonicMs();
    session.retryAtMs = nowMs + this.cluster.backoffMs(session.failures++);
  }

  #arrived(session: ShareSession, response: ShareFetchResponse): void {
    if (response.acquisitionLockTimeoutMs > 0) {
      this.#lockTimeoutMs = response.acquisitionLockTimeoutMs;
    }
    for (const { topicId, partitions } of response.responses) {
      const topic = this.#names.get(topicId);
      for (const answer of partitions) {
        const at = { topicId, topic: topic ?? topicId, partition: answer.partitionIndex };
        if (answer.errorCode === Errors.NONE) this.#acquired(session, at, answer);
        else this.#partitionFailed(session, at, answer.errorCode);
      }
    }
  }

  #partitionFailed(
    session: ShareSession,
    { topic, partition }: { readonly topic: string; readonly partition: number },
    code: number,
  ): void {
    const error = new KafkaError(code, `fetch from partition ${topic}-${partition}`);
    this.#pause(session);
    if (error.retriable) this.#refresh();
    else this.#fail(error);
  }

  #acquired(
    session: ShareSession,
    at: IdPartition & { readonly topic: string },
    answer: ShareFetchResponse["responses"][number]["partitions"][number],
  ): void {
    if (answer.acquiredRecords.length === 0) return;
    const { codecs = {} } = this.#options;
    try {
      const bytes = answer.records ?? new Uint8Array(0);
      const { records, gaps } = acquiredRecords(at, bytes, answer.acquiredRecords, codecs);
      for (const offset of gaps) session.pending.set(at, offset, "gap");
      for (const record of records) this.#buffer.push({ record, session });
    } catch (error) {
      if (!(error instanceof CorruptRecordError)) throw error;
      // Nobody can read them, so nobody shall get them again (as Java's consumer decides).
      for (const { firstOffset, lastOffset } of answer.acquiredRecords) {
        for (let offset = Number(firstOffset); offset <= Number(lastOffset); offset++) {
          session.pending.set(at, offset, "reject");
        }
      }
      this.#fail(error);
    }
  }

  /** What a broker said to what it was told. Where it has no locks left, nor has what waits here. */
  #heard(session: ShareSession, outcomes: readonly AcknowledgeOutcome[]): void {
    this.#judge(outcomes);
    for (const { topicId, partition, error } of outcomes) {
      if (!(error instanceof KafkaError) || !isLockless(error.code)) continue;
      this.#buffer = this.#buffer.filter((each) =>
        each.session !== session || each.record.topicId !== topicId ||
        each.record.partition !== partition
      );
    }
  }

  #judge(outcomes: readonly AcknowledgeOutcome[]): void {
    for (const { topicId, partition, offsets, error } of outcomes) {
      if (error === null || offsets.length === 0) continue;
      if (this.#failures.length >= FAILURES_KEPT) return;
      const topic = this.#names.get(topicId) ?? topicId;
      this.#failures.push({ topic, partition, offsets, error });
    }
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#wake();
  }

  #changed(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        signal?.removeEventListener("abort", done);
        resolve();
      };
      signal?.addEventListener("abort", done, { once: true });
      this.#waiters.push(done);
    });
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }
}

/** Whether a broker that says so leads no more, or leads anew: others get what was locked there. */
function isLockless(code: number): boolean {
  return code === Errors.NOT_LEADER_OR_FOLLOWER || code === Errors.UNKNOWN_TOPIC_OR_PARTITION;
}

function recordKey(
  { topic, partition, offset }: { topic: string; partition: number; offset: bigint },
): string {
  return `${partitionKey(topic, partition)}/${offset}`;
}
