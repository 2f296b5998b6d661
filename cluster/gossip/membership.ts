/**
 * What claims about members do: the newest incarnation wins, and of claims about one incarnation the
 * worse (alive, suspect, failed, left). Whoever is accused itself objects with a higher incarnation
 * (SWIM, section 4.2; memberlist's aliveNode, suspectNode and deadNode).
 *
 * A node id belongs to the address that had it first, until that member has failed or left: a claim
 * from another address is a conflict, which is reported and changes nothing.
 */
import type { HostPort, Random } from "../../core/io.ts";
import { assert } from "../../core/assert.ts";
import type { Action, SwimCounters } from "./action.ts";
import { Broadcasts } from "./broadcasts.ts";
import { type Claim, decodeMeta, encodeMessage, encodeMeta, type Identity } from "./codec.ts";
import type { Health } from "./health.ts";
import { type GossipEvent, type Member, type MemberMeta, sameAddress } from "./member.ts";
import { type Entry, isPresent, memberOf, MemberTable } from "./member-table.ts";
import { Suspicion } from "./suspicion.ts";
import { suspicionBounds, type Timings } from "./timings.ts";

/** A conflict is reported again after so long. */
const CONFLICT_AGAIN_MS = 60_000;
const CONFLICTS_MAX = 1_000;

/** What a membership is made of. */
export interface MembershipParts {
  readonly timings: Timings;
  readonly membersMax: number;
  readonly random: Random;
  readonly health: Health;
  readonly counters: SwimCounters;
  readonly actions: Action[];
}

/** A claim about somebody else's state. */
type Accusation = Extract<Claim, { readonly type: "suspect" | "failed" }>;
type Farewell = Extract<Claim, { readonly type: "left" }>;

/** See the head of this file. */
export class Membership {
  readonly table: MemberTable;
  readonly broadcasts = new Broadcasts();
  readonly #parts: MembershipParts;
  #self: Identity;
  #meta: MemberMeta;
  #isLeaving = false;
  readonly #suspects = new Set<Entry>();
  /** Good-byes of members that were not known, so that no older claim brings them in. */
  readonly #unknownLeft = new Map<
    number,
    { readonly incarnation: number; readonly atMs: number }
  >();
  readonly #conflicts = new Map<string, number>();

  /** `metaBytes` of `self` must be decodable. */
  constructor(self: Identity, parts: MembershipParts) {
    this.#parts = parts;
    this.#self = self;
    const meta = decodeMeta(self.metaBytes);
    assert(meta !== null, "our own metadata can be read");
    this.#meta = meta;
    this.table = new MemberTable(parts.random);
  }

  /** Who this member is at present. */
  get self(): Identity {
    return this.#self;
  }

  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** How many members there are, this one included, without those who failed or left. */
  get clusterSize(): number {
    return this.table.present + 1;
  }

  selfMember(): Member {
    const { nodeId, address, incarnation } = this.#self;
    const state = this.#isLeaving ? "left" : "alive";
    return { nodeId, address, incarnation, state, meta: this.#meta };
  }

  /** When the next suspicion becomes certainty. */
  get nextMs(): number {
    let next = Infinity;
    for (const entry of this.#suspects) {
      next = Math.min(next, entry.suspicion?.deadlineMs ?? Infinity);
    }
    return next;
  }

  /** Takes a claim in; without `tell` it is no news for others. False if its bytes are malformed. */
  apply(claim: Claim, nowMs: number, tell = true): boolean {
    switch (claim.type) {
      case "alive":
        return this.#alive(claim.identity, nowMs, tell);
      case "suspect":
        this.#suspect(claim, nowMs);
        return true;
      case "failed":
        this.#failed(claim, nowMs);
        return true;
      case "left":
        this.#left(claim, nowMs);
        return true;
    }
  }

  /** Suspicions whose time is over become certainties. */
  expire(nowMs: number): void {
    for (const entry of [...this.#suspects]) {
      if (entry.suspicion === null || entry.suspicion.deadlineMs > nowMs) continue;
      this.#parts.counters.failuresFound++;
      const { nodeId, incarnation } = entry;
      this.#failed({ type: "failed", nodeId, incarnation, from: this.#self.nodeId }, nowMs);
    }
  }

  /** Nothing was heard for so long, since this process did not run. */
  extendSuspicions(byMs: number): void {
    for (const entry of this.#suspects) entry.suspicion?.extend(byMs);
  }

  /** Forgets who has failed or left long ago. */
  forget(nowMs: number): void {
    const { keepFailedMs, keepLeftMs } = this.#parts.timings;
    this.table.forget(nowMs, keepFailedMs, keepLeftMs);
    for (const [nodeId, { atMs }] of this.#unknownLeft) {
      if (nowMs - atMs > keepLeftMs) this.#unknownLeft.delete(nodeId);
    }
  }

  /** Other metadata from now on, already encoded. */
  updateMeta(meta: MemberMeta, metaBytes: Uint8Array): void {
    this.#meta = meta;
    this.#self = { ...this.#self, metaBytes, incarnation: this.#self.incarnation + 1 };
    this.announce();
  }

  /** Says good-bye, for good. */
  leave(): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    const incarnation = this.#self.incarnation + 1;
    this.#self = { ...this.#self, incarnation };
    this.#tell({ type: "left", nodeId: this.#self.nodeId, incarnation });
  }

  /** Tells others that this member is there. */
  announce(): void {
    if (!this.#isLeaving) this.#tell({ type: "alive", identity: this.#self });
  }

  #alive(identity: Identity, nowMs: number, tell: boolean): boolean {
    const { nodeId, incarnation } = identity;
    if (nodeId === this.#self.nodeId) return this.#aliveSelf(identity, nowMs);
    const entry = this.table.get(nodeId);
    if (entry === undefined) return this.#discover(identity, nowMs, tell);
    if (!sameAddress(entry.address, identity.address) && isPresent(entry)) {
      this.#conflict(memberOf(entry), identity.address, nowMs);
      return true;
    }
    if (incarnation <= entry.incarnation) return true;
    const meta = decodeMeta(identity.metaBytes);
    if (meta === null) return false;
    const before = entry.state;
    const isUpdate = !sameBytes(entry.metaBytes, identity.metaBytes);
    Object.assign(entry, {
      incarnation,
      address: identity.address,
      meta,
      metaBytes: identity.metaBytes,
    });
    this.#suspects.delete(entry);
    this.table.setState(entry, "alive", nowMs);
    if (tell) this.#tell({ type: "alive", identity });
    if (before === "failed" || before === "left") this.#emit("joined", entry);
    if (before === "suspect") this.#emit("recovered", entry);
    if (isPresent({ state: before }) && isUpdate) this.#emit("updated", entry);
    return true;
  }

  #discover(identity: Identity, nowMs: number, tell: boolean): boolean {
    const left = this.#unknownLeft.get(identity.nodeId);
    if (left !== undefined && identity.incarnation <= left.incarnation) return true;
    const meta = decodeMeta(identity.metaBytes);
    if (meta === null) return false;
    if (this.#isFull()) return true;
    this.#unknownLeft.delete(identity.nodeId);
    const entry = this.table.add(identity, meta, "alive", nowMs);
    if (tell) this.#tell({ type: "alive", identity });
    this.#emit("joined", entry);
    return true;
  }

  /**
   * Somebody knows a member that failed or left `ageMs` ago. Who is not known here is taken in as
   * such, without a word to anybody, and forgotten when the others do.
   */
  remember(identity: Identity, state: "failed" | "left", ageMs: number, nowMs: number): void {
    const { nodeId } = identity;
    if (nodeId === this.#self.nodeId || this.table.get(nodeId) !== undefined) return;
    const { keepFailedMs, keepLeftMs } = this.#parts.timings;
    if (ageMs > (state === "left" ? keepLeftMs : keepFailedMs)) return;
    const meta = decodeMeta(identity.metaBytes);
    if (meta !== null && !this.#isFull()) this.table.add(identity, meta, state, nowMs - ageMs);
  }

  #isFull(): boolean {
    if (this.table.size < this.#parts.membersMax) return false;
    this.#parts.counters.tooMany++;
    return true;
  }

  /** Somebody repeats what this member said, perhaps in an earlier life, or claims its node id. */
  #aliveSelf(identity: Identity, nowMs: number): boolean {
    if (!sameAddress(identity.address, this.#self.address)) {
      this.#conflict(this.selfMember(), identity.address, nowMs);
      return true;
    }
    const isOwn = sameBytes(identity.metaBytes, this.#self.metaBytes);
    const { incarnation } = this.#self;
    if (identity.incarnation > incarnation || (identity.incarnation === incarnation && !isOwn)) {
      this.#refute(identity.incarnation);
    }
    return true;
  }

  #suspect(claim: Accusation, nowMs: number): void {
    if (claim.nodeId === this.#self.nodeId) return this.#accused(claim.incarnation);
    const entry = this.table.get(claim.nodeId);
    if (entry === undefined || claim.incarnation < entry.incarnation) return;
    if (!isPresent(entry)) return;
    const wasSuspect = entry.state === "suspect";
    if (wasSuspect && claim.incarnation === entry.incarnation) {
      if (entry.suspicion?.confirm(claim.from) === true) this.#tell(claim);
      return;
    }
    // Of a higher incarnation: it has objected in the meantime, so its time begins anew.
    const { timings, counters } = this.#parts;
    const size = this.clusterSize;
    // Apart from this member and the suspect there may be fewer who could confirm.
    const confirmations = Math.min(timings.confirmations, Math.max(0, size - 2));
    counters.suspicions++;
    entry.incarnation = claim.incarnation;
    this.table.setState(entry, "suspect", nowMs);
    entry.suspicion = new Suspicion(
      { ...suspicionBounds(timings, size), confirmations },
      claim.from,
      nowMs,
    );
    this.#suspects.add(entry);
    this.#tell(claim);
    if (!wasSuspect) this.#emit("suspected", entry);
  }

  #failed(claim: Accusation, nowMs: number): void {
    if (claim.nodeId === this.#self.nodeId) return this.#accused(claim.incarnation);
    const entry = this.table.get(claim.nodeId);
    if (entry === undefined || claim.incarnation < entry.incarnation) return;
    const isNews = isPresent(entry) || claim.incarnation > entry.incarnation;
    if (!isNews) return;
    entry.incarnation = claim.incarnation;
    const before = entry.state;
    this.#suspects.delete(entry);
    this.table.setState(entry, "failed", nowMs);
    this.#tell(claim);
    if (before !== "failed") this.#emit("failed", entry);
  }

  #left(claim: Farewell, nowMs: number): void {
    const { nodeId, incarnation } = claim;
    if (nodeId === this.#self.nodeId) return this.#accused(incarnation);
    const entry = this.table.get(nodeId);
    if (entry === undefined) return this.#leftUnknown(claim, nowMs);
    if (incarnation < entry.incarnation) return;
    if (incarnation === entry.incarnation && entry.state === "left") return;
    entry.incarnation = incarnation;
    const before = entry.state;
    this.#suspects.delete(entry);
    this.table.setState(entry, "left", nowMs);
    this.#tell(claim);
    if (before !== "left") this.#emit("left", entry);
  }

  #leftUnknown(claim: Farewell, nowMs: number): void {
    const known = this.#unknownLeft.get(claim.nodeId);
    if (known !== undefined && known.incarnation >= claim.incarnation) return;
    if (this.#unknownLeft.size >= this.#parts.membersMax) return;
    this.#unknownLeft.set(claim.nodeId, { incarnation: claim.incarnation, atMs: nowMs });
    this.#tell(claim);
  }

  /** This member is said to be gone. Who has to object is not heard well: so it is less healthy. */
  #accused(incarnation: number): void {
    if (this.#isLeaving || incarnation < this.#self.incarnation) return;
    this.#parts.health.change(1);
    this.#refute(incarnation);
  }

  #refute(incarnation: number): void {
    if (this.#isLeaving) return;
    this.#parts.counters.refutations++;
    this.#self = { ...this.#self, incarnation: Math.max(incarnation, this.#self.incarnation) + 1 };
    this.announce();
  }

  #conflict(member: Member, other: HostPort, nowMs: number): void {
    const key = `${member.nodeId} ${other.host} ${other.port}`;
    const last = this.#conflicts.get(key);
    if (last !== undefined && nowMs - last < CONFLICT_AGAIN_MS) return;
    if (this.#conflicts.size >= CONFLICTS_MAX) this.#conflicts.clear();
    this.#conflicts.set(key, nowMs);
    this.#parts.actions.push({ kind: "event", event: { kind: "conflict", member, other } });
  }

  #tell(claim: Claim): void {
    const nodeId = claim.type === "alive" ? claim.identity.nodeId : claim.nodeId;
    this.broadcasts.put(nodeId, encodeMessage(claim));
  }

  #emit(kind: Exclude<GossipEvent["kind"], "conflict">, entry: Entry): void {
    this.#parts.actions.push({ kind: "event", event: { kind, member: memberOf(entry) } });
  }
}

/** Metadata encoded; an assertion holds that it was checked before. */
export function encodeChecked(meta: MemberMeta): Uint8Array {
  const bytes = encodeMeta(meta);
  assert(bytes !== null, "the metadata was checked");
  return bytes;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
