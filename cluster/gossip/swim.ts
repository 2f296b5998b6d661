/**
 * The membership protocol as a state machine: SWIM (Das, Gupta, Motivala 2002) with Lifeguard
 * (Dadgar, Phillips, Currey 2017), in the form that HashiCorp's memberlist gave it. Time and events
 * go in, actions come out; it has no clock, no I/O, and chance only from `Random`. Its parts:
 * `membership.ts` (what claims do), `prober.ts` (who is probed), and here what happens when.
 */
import type { HostPort, Random } from "../../core/io.ts";
import type { Action, SwimCounters } from "./action.ts";
import {
  encodeMessage,
  encodePacket,
  type Identity,
  type Message,
  type Packet,
  PACKET_BYTES_MAX,
  PACKET_HEAD_BYTES,
} from "./codec.ts";
import { ENVELOPE_BYTES } from "./envelope.ts";
import { Health } from "./health.ts";
import type { Member, MemberMeta, MemberState } from "./member.ts";
import { bucketOf, type Entry, isPresent, memberOf } from "./member-table.ts";
import { Membership } from "./membership.ts";
import { Prober } from "./prober.ts";
import { retransmitLimit, syncIntervalMs, type Timings } from "./timings.ts";

const PAYLOAD_BYTES_MAX = PACKET_BYTES_MAX - ENVELOPE_BYTES - PACKET_HEAD_BYTES;
const FORGET_INTERVAL_MS = 60_000;
/** So many probe intervals after it has joined, a member compares states a second time. */
const NEWCOMER_SYNC_INTERVALS = 3;

/** A member in a state exchange. */
export interface StateEntry {
  readonly identity: Identity;
  readonly state: MemberState;
  /** For how long it has been so, where it has failed or left; else 0. */
  readonly ageMs: number;
}

/** What the machine is made with; `self.incarnation` should be the wall clock's milliseconds. */
export interface SwimOptions {
  readonly self: Identity;
  readonly timings: Timings;
  readonly membersMax: number;
  readonly random: Random;
}

/** See the head of this file. Times are of the monotonic clock, in milliseconds. */
export class Swim {
  readonly counters: SwimCounters = {
    probes: 0,
    failedProbes: 0,
    suspicions: 0,
    failuresFound: 0,
    refutations: 0,
    tooMany: 0,
    pauses: 0,
  };
  readonly #timings: Timings;
  readonly #random: Random;
  readonly #health = new Health();
  readonly #membership: Membership;
  readonly #prober: Prober;
  readonly #actions: Action[] = [];
  #lastGossipMs = -Infinity;
  #nextSyncMs: number;
  #nextReconnectMs: number;
  #nextForgetMs: number;
  /** When it wanted to be woken, as of the last step. */
  #plannedMs: number;
  #hasToldLeaving = false;
  #hasExchanged = false;

  constructor(options: SwimOptions, nowMs: number) {
    const { timings, random } = options;
    this.#timings = timings;
    this.#random = random;
    const parts = {
      ...options,
      health: this.#health,
      counters: this.counters,
      actions: this.#actions,
    };
    this.#membership = new Membership(options.self, parts);
    this.#prober = new Prober({
      ...parts,
      membership: this.#membership,
      send: (to, messages) => this.#send(to, messages),
    }, nowMs);
    this.#nextSyncMs = nowMs + this.#spread(timings.syncIntervalMs);
    this.#nextReconnectMs = nowMs + this.#spread(timings.reconnectIntervalMs);
    this.#nextForgetMs = nowMs + FORGET_INTERVAL_MS;
    this.#plannedMs = this.#nextWakeMs();
  }

  get self(): Identity {
    return this.#membership.self;
  }

  /** How many members there are, this one included, without those who failed or left. */
  get clusterSize(): number {
    return this.#membership.clusterSize;
  }

  /** Whether it has not compared states with anybody yet, or nobody is left. */
  get isNewcomer(): boolean {
    return !this.#hasExchanged || this.clusterSize === 1;
  }

  /** 0 is healthy (`health.ts`). */
  get healthScore(): number {
    return this.#health.score;
  }

  /** News that are still to be sent. */
  get queuedNews(): number {
    return this.#membership.broadcasts.size;
  }

  /** All members, this one first. */
  members(): Member[] {
    const { table } = this.#membership;
    return [this.#membership.selfMember(), ...table.all().map(memberOf)];
  }

  /** One member, or null if it is not known. */
  member(nodeId: number): Member | null {
    if (nodeId === this.self.nodeId) return this.#membership.selfMember();
    const entry = this.#membership.table.get(nodeId);
    return entry === undefined ? null : memberOf(entry);
  }

  /** When `wake` has to be called, at the latest: as of the last step. */
  get wakeAtMs(): number {
    return this.#plannedMs;
  }

  /** Does all that is due. */
  wake(nowMs: number): Action[] {
    this.#noticePause(nowMs);
    this.#membership.expire(nowMs);
    this.#prober.wake(nowMs);
    if (this.#membership.broadcasts.size > 0 && nowMs >= this.#nextGossipMs()) this.#gossip(nowMs);
    if (!this.#membership.isLeaving) {
      if (nowMs >= this.#nextSyncMs) this.#sync(nowMs);
      if (nowMs >= this.#nextReconnectMs) this.#reconnect(nowMs);
    }
    if (nowMs >= this.#nextForgetMs) {
      this.#nextForgetMs = nowMs + FORGET_INTERVAL_MS;
      this.#membership.forget(nowMs);
    }
    return this.#finish(nowMs);
  }

  /** A packet has come. */
  receive(packet: Packet, from: HostPort, nowMs: number): Action[] {
    this.#noticePause(nowMs);
    for (const message of packet.messages) this.#handle(message, packet.sender, from, nowMs);
    return this.#finish(nowMs);
  }

  /** A ping over TCP was answered. */
  streamAck(sequence: number, nowMs: number): Action[] {
    this.#noticePause(nowMs);
    this.#prober.ack(sequence);
    return this.#finish(nowMs);
  }

  /**
   * Takes in what a member has sent in a state exchange. A newcomer learns what the others know
   * already: that is no news, but that it has come is.
   */
  merge(
    sender: number,
    entries: readonly StateEntry[],
    isNewcomer: boolean,
    nowMs: number,
  ): Action[] {
    this.#noticePause(nowMs);
    for (const entry of entries) this.#mergeOne(sender, entry, nowMs, !isNewcomer);
    this.#hasExchanged = true;
    if (isNewcomer) {
      this.#membership.announce();
      // Where many join at once, news of one are wasted on others who have just learned of it.
      this.#nextSyncMs = nowMs +
        this.#spread(NEWCOMER_SYNC_INTERVALS * this.#timings.probeIntervalMs);
    }
    return this.#finish(nowMs);
  }

  /** Other metadata from now on; `metaBytes` is what `encodeMeta` makes of it. */
  updateMeta(meta: MemberMeta, metaBytes: Uint8Array, nowMs: number): Action[] {
    this.#membership.updateMeta(meta, metaBytes);
    return this.#finish(nowMs);
  }

  /** Says good-bye; `toldLeaving` comes when it was sent often enough. */
  leave(nowMs: number): Action[] {
    this.#membership.leave();
    return this.#finish(nowMs);
  }

  /** A digest of what is known, per bucket of members. */
  digests(): Uint32Array {
    return this.#membership.table.digests(this.self);
  }

  /** All members in the buckets that are set, but for this one. */
  entriesIn(buckets: readonly boolean[], nowMs: number): StateEntry[] {
    return this.#membership.table.all()
      .filter((entry) => buckets[bucketOf(entry.nodeId)] === true)
      .map((entry) => ({
        identity: identityOf(entry),
        state: entry.state,
        ageMs: isPresent(entry) ? 0 : nowMs - entry.changedMs,
      }));
  }

  #handle(message: Message, sender: number, from: HostPort, nowMs: number): void {
    switch (message.type) {
      case "ping":
        if (message.target === this.self.nodeId) this.#answer(message.sequence, sender, from);
        return;
      case "pingRequest":
        return this.#prober.relay(from, message.sequence, message.target, message.address, nowMs);
      case "ack":
        return this.#prober.ack(message.sequence);
      case "nack":
        return this.#prober.nack(message.sequence);
      default:
        this.#membership.apply(message, nowMs);
    }
  }

  /** Whoever is thought to be gone hears of it first, with the answer (Lifeguard's buddy system). */
  #answer(sequence: number, sender: number, to: HostPort): void {
    const ack: Message = { type: "ack", sequence };
    const entry = this.#membership.table.get(sender);
    const state = entry?.state;
    if (entry === undefined || (state !== "suspect" && state !== "failed")) {
      return this.#send(to, [ack]);
    }
    const { nodeId, incarnation } = entry;
    this.#send(to, [{ type: state, nodeId, incarnation, from: this.self.nodeId }, ack]);
  }

  #mergeOne(sender: number, entry: StateEntry, nowMs: number, tell: boolean): void {
    const { identity, state, ageMs } = entry;
    const { nodeId, incarnation } = identity;
    switch (state) {
      case "alive":
        this.#membership.apply({ type: "alive", identity }, nowMs, tell);
        return;
      case "suspect":
        this.#membership.apply({ type: "alive", identity }, nowMs, tell);
        this.#membership.apply({ type: "suspect", nodeId, incarnation, from: sender }, nowMs);
        return;
      case "failed": {
        this.#membership.remember(identity, state, ageMs, nowMs);
        // Who is there for us, as after a partition, gets time to object.
        const known = this.#membership.table.get(nodeId);
        const type = known !== undefined && isPresent(known) ? "suspect" : "failed";
        this.#membership.apply({ type, nodeId, incarnation, from: sender }, nowMs);
        return;
      }
      case "left":
        this.#membership.remember(identity, state, ageMs, nowMs);
        this.#membership.apply({ type: "left", nodeId, incarnation }, nowMs);
    }
  }

  #nextWakeMs(): number {
    const { broadcasts, isLeaving } = this.#membership;
    let next = Math.min(this.#prober.nextMs, this.#membership.nextMs, this.#nextForgetMs);
    if (broadcasts.size > 0) next = Math.min(next, this.#nextGossipMs());
    if (!isLeaving) next = Math.min(next, this.#nextSyncMs, this.#nextReconnectMs);
    return next;
  }

  #nextGossipMs(): number {
    return this.#lastGossipMs + this.#timings.gossipIntervalMs;
  }

  #gossip(nowMs: number): void {
    this.#lastGossipMs = nowMs;
    const { gossipFanout, gossipToFailedMs } = this.#timings;
    const targets = this.#membership.table.draw(
      gossipFanout,
      (entry) =>
        isPresent(entry) ||
        (entry.state === "failed" && nowMs - entry.changedMs < gossipToFailedMs),
    );
    // With nobody to tell there are no news.
    if (targets.length === 0) this.#takeNews(PAYLOAD_BYTES_MAX);
    for (const { address } of targets) {
      const news = this.#takeNews(PAYLOAD_BYTES_MAX);
      if (news.length > 0) this.#sendEncoded(address, news);
    }
  }

  #takeNews(bytesMax: number): Uint8Array[] {
    return this.#membership.broadcasts.take(
      bytesMax,
      retransmitLimit(this.#timings, this.clusterSize),
    );
  }

  #sync(nowMs: number): void {
    this.#nextSyncMs = nowMs + this.#spread(syncIntervalMs(this.#timings, this.clusterSize));
    const [entry] = this.#membership.table.draw(1, ({ state }) => state === "alive");
    if (entry !== undefined) this.#syncWith(entry);
  }

  /**
   * All members together try each of the failed about once in an interval (as Serf does), and one of
   * the addresses for joining.
   */
  #reconnect(nowMs: number): void {
    this.#nextReconnectMs = nowMs + this.#spread(this.#timings.reconnectIntervalMs);
    const { table } = this.#membership;
    if (this.#random.below(table.present + 1) === 0) this.#actions.push({ kind: "rejoin" });
    const failed = table.failed();
    const entry = failed[this.#random.below(Math.max(1, failed.length))];
    if (entry === undefined) return;
    if (this.#random.below(table.present + 1) <= failed.length) this.#syncWith(entry);
  }

  #syncWith({ nodeId, address }: Entry): void {
    this.#actions.push({ kind: "sync", nodeId, address });
  }

  #send(to: HostPort, messages: readonly Message[]): void {
    const encoded = messages.map(encodeMessage);
    const used = encoded.reduce((sum, { length }) => sum + length, 0);
    this.#sendEncoded(to, [...encoded, ...this.#takeNews(PAYLOAD_BYTES_MAX - used)]);
  }

  #sendEncoded(to: HostPort, messages: readonly Uint8Array[]): void {
    const payload = encodePacket(this.self.nodeId, messages);
    this.#actions.push({ kind: "send", to, payload });
  }

  /**
   * Who was stopped, or got no processor, finds all its deadlines over and the answers unread: that
   * is no reason to accuse others.
   */
  #noticePause(nowMs: number): void {
    const lateMs = nowMs - this.#plannedMs;
    if (lateMs <= this.#timings.probeTimeoutMs) return;
    this.counters.pauses++;
    this.#health.change(1);
    this.#membership.extendSuspicions(lateMs);
    this.#prober.abandon(nowMs);
  }

  #finish(nowMs: number): Action[] {
    const { broadcasts, isLeaving } = this.#membership;
    if (isLeaving && !this.#hasToldLeaving && !broadcasts.has(this.self.nodeId)) {
      this.#hasToldLeaving = true;
      this.#actions.push({ kind: "toldLeaving" });
    }
    this.#plannedMs = Math.max(nowMs, this.#nextWakeMs());
    return this.#actions.splice(0);
  }

  /** Between three quarters and five quarters of it, so that members do not keep step. */
  #spread(intervalMs: number): number {
    return intervalMs * (0.75 + this.#random.below(1_000) / 2_000);
  }
}

function identityOf({ nodeId, incarnation, address, metaBytes }: Entry): Identity {
  return { nodeId, incarnation, address, metaBytes };
}
