/** A worker in a group of Kafka's type `connect`; the leader shares out the work (`assignor.ts`). */
import { Cluster } from "../../client/cluster.ts";
import { ClassicMember } from "../../client/consumer/classic-member.ts";
import type { ClassicRole, JoinResponse } from "../../client/consumer/classic-member.ts";
import { KafkaError } from "../../client/errors.ts";
import type { ClientIo, ClientOptions } from "../../client/options.ts";
import { Errors } from "../../core/errors.ts";
import type { Timer } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { assign, type AssignorMemory, NO_MEMORY } from "./assignor.ts";
import type { MembershipEvents, Peer, WorkerMembership } from "./membership.ts";
import {
  decodeAssignment,
  decodeMetadata,
  encodeAssignment,
  encodeMetadata,
  PROTOCOL_NAME,
  PROTOCOL_TYPE,
  type WorkerAssignment,
} from "./messages.ts";
import type { Work } from "./work.ts";

/** Settings of a worker in a group; names and meanings are Connect's. */
export interface GroupSettings {
  readonly groupId: string;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly rebalanceTimeoutMs: number;
  /** How long work waits for a worker that is gone (`scheduled.rebalance.max.delay.ms`). */
  readonly rebalanceMaxDelayMs: number;
}

/** Changes of the work that come within this time are one rebalance. */
const LINGER_MS = 50;
/**
 * This part of the session is left for tasks to stop in when the worker has not heard of its group: so
 * they have ended when the group takes it for dead and gives them to others.
 */
const STOPPING_PART = 1 / 3;

/** See the head of the file. */
export class GroupMembership implements WorkerMembership, ClassicRole {
  readonly #io: ClientIo;
  readonly #cluster: Cluster;
  readonly #member: ClassicMember;
  #memory: AssignorMemory = NO_MEMORY;
  #assignment: WorkerAssignment | null = null;
  /** As leader: who got what at the last rebalance. */
  #owners = new Map<Work, Peer>();
  /** As leader: all that was shared out at the last rebalance. */
  #shared: ReadonlySet<Work> = new Set();
  #linger: Timer | null = null;
  #delay: Timer | null = null;

  constructor(
    io: ClientIo,
    client: ClientOptions,
    private readonly self: Peer,
    private readonly settings: GroupSettings,
    private readonly events: MembershipEvents,
  ) {
    this.#io = io;
    this.#cluster = new Cluster(io, client);
    this.#member = new ClassicMember(this.#cluster, settings.groupId, {
      protocolType: PROTOCOL_TYPE,
      sessionTimeoutMs: settings.sessionTimeoutMs,
      heartbeatIntervalMs: settings.heartbeatIntervalMs,
      rebalanceTimeoutMs: settings.rebalanceTimeoutMs,
      groupInstanceId: null,
      sessionMarginMs: settings.sessionTimeoutMs * STOPPING_PART,
    }, this);
  }

  start(): void {
    this.#member.start();
  }

  async stop(): Promise<void> {
    this.#linger?.cancel();
    this.#delay?.cancel();
    await this.#member.stop();
    this.#cluster.close();
  }

  workChanged(): void {
    if (!this.isLeader || this.#linger !== null) return;
    this.#linger = this.#io.clock.setTimer(LINGER_MS, () => {
      this.#linger = null;
      const work = this.events.work();
      const isSame = work.length === this.#shared.size &&
        work.every((piece) => this.#shared.has(piece));
      if (!isSame) this.#member.rejoin();
    });
  }

  rejoin(): void {
    this.#member.rejoin();
  }

  get isLeader(): boolean {
    return this.#assignment !== null && this.#assignment.leader === this.#member.memberId;
  }

  get leader(): Peer | null {
    if (this.#assignment === null) return null;
    const { leaderUrl: url } = this.#assignment;
    return { workerId: workerIdOf(url), url };
  }

  get generation(): number {
    return this.#member.generation;
  }

  get isStable(): boolean {
    return this.#assignment !== null;
  }

  ownerOf(work: Work): Peer | null {
    return this.isLeader ? this.#owners.get(work) ?? null : null;
  }

  // What follows is the role in the group.

  hasSomething(): boolean {
    return this.events.held().length > 0;
  }

  beforeJoin(): Promise<void> {
    return Promise.resolve();
  }

  protocols(): Promise<{ name: string; metadata: Uint8Array }[]> {
    const { workerId, url } = this.self;
    const metadata = encodeMetadata({ workerId, url, held: this.events.held() });
    return Promise.resolve([{ name: PROTOCOL_NAME, metadata }]);
  }

  assign({ members }: JoinResponse): Promise<{ memberId: string; assignment: Uint8Array }[]> {
    const said = members.flatMap(({ memberId, metadata }) => {
      const decoded = decodeMetadata(metadata);
      return decoded === null ? [] : [{ memberId, ...decoded }];
    });
    const nowMs = this.#io.clock.monotonicMs();
    const times = { nowMs, maxDelayMs: this.settings.rebalanceMaxDelayMs };
    // Who has not led in between knows nothing of what was given out in between.
    const memory = this.isLeader ? this.#memory : NO_MEMORY;
    const work = this.events.work();
    const { parts, memory: next } = assign(said, work, memory, times);
    this.#shared = new Set(work);
    this.#memory = next;
    this.#owners = new Map(said.flatMap(({ memberId, workerId, url }) => {
      return (parts.get(memberId)?.assigned ?? []).map((piece) => [piece, { workerId, url }]);
    }));
    this.#comeBackAt(next.lostUntilMs);
    const delayMs = next.lostUntilMs === null ? 0 : next.lostUntilMs - nowMs;
    const leader = this.#member.memberId;
    return Promise.resolve([...parts].map(([memberId, part]) => ({
      memberId,
      assignment: encodeAssignment({ leader, leaderUrl: this.self.url, ...part, delayMs }),
    })));
  }

  async settle(bytes: Uint8Array): Promise<boolean> {
    const assignment = decodeAssignment(bytes);
    // The leader has not known of this member: it joins again.
    if (assignment === null) return true;
    this.#assignment = assignment;
    if (!this.isLeader) this.#comeBackAt(null);
    this.events.assigned(assignment.assigned);
    if (assignment.revoked.length === 0) return false;
    await this.events.revoked(assignment.revoked);
    return true;
  }

  check(): Promise<void> {
    return Promise.resolve();
  }

  async lose(): Promise<void> {
    this.#assignment = null;
    this.#comeBackAt(null);
    await this.events.lost();
  }

  failed(error: Error, fatal: boolean): void {
    this.events.failed(this.#inWords(error), fatal);
  }

  #inWords(error: Error): Error {
    if (!(error instanceof KafkaError)) return error;
    if (error.code !== Errors.INCONSISTENT_GROUP_PROTOCOL) return error;
    return new OperatorError(
      `no worker of ours can join group "${this.settings.groupId}"`,
      "its members are Java workers of Kafka Connect, or no workers at all",
      "stop those first, or take another group with --group",
    );
  }

  /** As leader, has the work shared out again when it has waited long enough. */
  #comeBackAt(atMs: number | null): void {
    this.#delay?.cancel();
    this.#delay = null;
    if (atMs === null) return;
    const { clock } = this.#io;
    this.#delay = clock.setTimer(Math.max(0, atMs - clock.monotonicMs()), () => {
      this.#member.rejoin();
    });
  }
}

function workerIdOf(url: string): string {
  return URL.parse(url)?.host ?? "";
}
