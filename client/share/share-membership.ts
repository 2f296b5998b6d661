/**
 * Membership in a share group (KIP-932; Kafka's `ShareMembershipManager`): a heartbeat says what is
 * wanted and hears what to fetch. Nothing is handed over, so each assignment holds at once.
 */
import { asError } from "../../core/as-error.ts";
import type { Connection } from "../../core/connection.ts";
import { Errors } from "../../core/errors.ts";
import { sleep } from "../../core/io.ts";
import { shareGroupHeartbeat } from "../../core/protocol/76-share-group-heartbeat.ts";
import type { Cluster } from "../cluster.ts";
import { memberIdOf } from "../consumer/member-id.ts";
import { isPassing, Patience } from "../consumer/membership.ts";
import { ConnectionError, KafkaError, throwOnError, UnsupportedError } from "../errors.ts";
import type { IdPartition } from "./acknowledgements.ts";

const JOINING_EPOCH = 0;
const LEAVING_EPOCH = -1;
const LEAVE_TIMEOUT_MS = 3000;

/** What a member hears. */
export interface ShareMembershipEvents {
  /** All that it is to fetch from now on. */
  assigned(partitions: readonly IdPartition[]): void;
  /** Trouble that lasts; `fatal` ends the membership. */
  failed(error: Error, fatal: boolean): void;
}

/** See the head of the file. */
export class ShareMembership {
  readonly memberId: string;
  #epoch = JOINING_EPOCH;
  #topics: readonly string[];
  /** What the coordinator has not heard of yet. */
  #news = true;
  /** Aborted to say something before the next heartbeat is due. */
  #pause = new AbortController();
  #running: Promise<void> | null = null;
  readonly #patience: Patience;
  readonly #stop = new AbortController();

  constructor(
    readonly cluster: Cluster,
    readonly groupId: string,
    topics: readonly string[],
    readonly rackId: string | null,
    readonly events: ShareMembershipEvents,
  ) {
    this.#topics = topics;
    this.memberId = memberIdOf(cluster.io.random);
    this.#patience = new Patience(cluster);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Other topics from now on. */
  subscribe(topics: readonly string[]): void {
    this.#topics = topics;
    this.#news = true;
    this.#pause.abort();
  }

  /** Leaves the group. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    if (this.#epoch === JOINING_EPOCH) return;
    try {
      const connection = await this.#connection({ timeoutMs: LEAVE_TIMEOUT_MS });
      await connection.request(shareGroupHeartbeat, {
        groupId: this.groupId,
        memberId: this.memberId,
        memberEpoch: LEAVING_EPOCH,
      }, { timeoutMs: LEAVE_TIMEOUT_MS });
    } catch (error) {
      // The session's end does the same, later.
      if (!(error instanceof ConnectionError || error instanceof KafkaError)) throw error;
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { clock } = this.cluster.io;
    while (!signal.aborted) {
      try {
        const intervalMs = await this.#beat(await this.#connection({ signal }));
        this.#patience.reset();
        this.#pause = new AbortController();
        if (this.#news) continue;
        await sleep(clock, intervalMs, AbortSignal.any([signal, this.#pause.signal])).catch(
          () => {},
        );
      } catch (error) {
        if (signal.aborted) return;
        if (!isPassing(error)) return this.events.failed(asError(error), true);
        this.#news = true;
        this.cluster.forgetCoordinator("group", this.groupId);
        const pauseMs = this.#patience.failed();
        if (this.#patience.isExhausted) this.events.failed(asError(error), false);
        await sleep(clock, pauseMs, signal).catch(() => {});
      }
    }
  }

  async #connection(
    options: { readonly timeoutMs?: number; readonly signal?: AbortSignal },
  ): Promise<Connection> {
    const node = await this.cluster.coordinator("group", this.groupId, options);
    const connection = await this.cluster.connect(node, "coordinator");
    if (connection.versionOf(shareGroupHeartbeat) === null) {
      throw new UnsupportedError("the broker has no share groups: Kafka 4.1 and later have them");
    }
    return connection;
  }

  /** One heartbeat; when the next is due. */
  async #beat(connection: Connection): Promise<number> {
    const joins = this.#epoch === JOINING_EPOCH;
    const tellsTopics = joins || this.#news;
    this.#news = false;
    const response = await connection.request(shareGroupHeartbeat, {
      groupId: this.groupId,
      memberId: this.memberId,
      memberEpoch: this.#epoch,
      ...(tellsTopics ? { subscribedTopicNames: [...this.#topics] } : {}),
      ...(joins && this.rackId !== null ? { rackId: this.rackId } : {}),
    }, { signal: this.#stop.signal });
    const { errorCode } = response;
    if (errorCode === Errors.FENCED_MEMBER_EPOCH || errorCode === Errors.UNKNOWN_MEMBER_ID) {
      this.#epoch = JOINING_EPOCH;
      this.events.assigned([]);
      return 0;
    }
    throwOnError(errorCode, `heartbeat of share group "${this.groupId}"`, response.errorMessage);
    this.#epoch = response.memberEpoch;
    if (response.assignment !== null) {
      this.events.assigned(response.assignment.topicPartitions.flatMap(
        ({ topicId, partitions }) => partitions.map((partition) => ({ topicId, partition })),
      ));
    }
    return response.heartbeatIntervalMs;
  }
}
