/**
 * All members but this one, as this one sees them: states, who is probed next, digests for the state
 * exchange. It decides nothing: `swim.ts` does.
 */
import type { HostPort, Random } from "../../core/io.ts";
import type { Identity } from "./codec.ts";
import type { Member, MemberMeta, MemberState } from "./member.ts";
import type { Suspicion } from "./suspicion.ts";

/** A member, with what belongs to its state. */
export interface Entry {
  readonly nodeId: number;
  address: HostPort;
  incarnation: number;
  state: MemberState;
  meta: MemberMeta;
  metaBytes: Uint8Array;
  /** When the state was last another one, on the monotonic clock. */
  changedMs: number;
  /** While it is suspect. */
  suspicion: Suspicion | null;
}

/** The states in which a member can be when it is first heard of. */
export type Known = Exclude<MemberState, "suspect">;

/** Members are spread over so many buckets, whose digests are compared in a state exchange. */
export const BUCKETS = 32;

/** The bucket of a member. */
export function bucketOf(nodeId: number): number {
  return mix(nodeId) % BUCKETS;
}

/**
 * A number of 32 bits for what is known of a member, different for each incarnation and state. Who is
 * suspect counts as alive, since that passes.
 */
export function fingerprint(nodeId: number, incarnation: number, state: MemberState): number {
  const high = Math.floor(incarnation / 0x1_0000_0000);
  const kind = state === "failed" ? 1 : state === "left" ? 2 : 0;
  return mix(mix(mix(nodeId) ^ incarnation) ^ (high * 3 + kind));
}

/** A finalizer that spreads every bit (MurmurHash3's). */
function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Whether a member counts as part of the cluster. */
export function isPresent(entry: { readonly state: MemberState }): boolean {
  return entry.state === "alive" || entry.state === "suspect";
}

/** See the head of this file. */
export class MemberTable {
  readonly #entries = new Map<number, Entry>();
  /** All entries in no order, to draw from. */
  readonly #list: Entry[] = [];
  /** Whom to probe, in order; drawn anew when all had their turn (SWIM, section 4.3). */
  #turns: Entry[] = [];
  #present = 0;

  constructor(readonly random: Random) {}

  get(nodeId: number): Entry | undefined {
    return this.#entries.get(nodeId);
  }

  all(): readonly Entry[] {
    return this.#list;
  }

  get size(): number {
    return this.#list.length;
  }

  /** How many are alive or suspect. */
  get present(): number {
    return this.#present;
  }

  /** Those who have failed. */
  failed(): Entry[] {
    return this.#list.filter((entry) => entry.state === "failed");
  }

  /** Adds one; if it is alive, its first probe comes at a random turn. */
  add(identity: Identity, meta: MemberMeta, state: Known, changedMs: number): Entry {
    const entry: Entry = { ...identity, meta, state, changedMs, suspicion: null };
    this.#entries.set(entry.nodeId, entry);
    this.#list.push(entry);
    if (state !== "alive") return entry;
    this.#present++;
    this.#takeTurn(entry);
    return entry;
  }

  /** Another state from now on. */
  setState(entry: Entry, state: MemberState, nowMs: number): void {
    if (entry.state === state) return;
    const was = isPresent(entry);
    entry.state = state;
    entry.changedMs = nowMs;
    if (state !== "suspect") entry.suspicion = null;
    this.#present += Number(isPresent(entry)) - Number(was);
    if (!was && isPresent(entry)) this.#takeTurn(entry);
  }

  /** Forgets those who failed or left so long ago. */
  forget(nowMs: number, keepFailedMs: number, keepLeftMs: number): void {
    const isOld = (entry: Entry) =>
      !isPresent(entry) &&
      nowMs - entry.changedMs > (entry.state === "left" ? keepLeftMs : keepFailedMs);
    if (!this.#list.some(isOld)) return;
    const kept = this.#list.filter((entry) => !isOld(entry));
    for (const entry of this.#list) if (isOld(entry)) this.#entries.delete(entry.nodeId);
    this.#list.splice(0, this.#list.length, ...kept);
  }

  /** Whose turn to be probed it is, or null if there is nobody. */
  nextTurn(): Entry | null {
    for (let round = 0; round < 2; round++) {
      for (let next = this.#turns.pop(); next !== undefined; next = this.#turns.pop()) {
        if (isPresent(next)) return next;
      }
      this.#turns = this.#list.filter(isPresent);
      shuffle(this.#turns, this.random);
    }
    return null;
  }

  /** Up to `count` different members that fit, by chance. */
  draw(count: number, fits: (entry: Entry) => boolean): Entry[] {
    const list = this.#list;
    const drawn: Entry[] = [];
    if (list.length > 4 * count) {
      for (let attempt = 0; attempt < 8 * count && drawn.length < count; attempt++) {
        const entry = list[this.random.below(list.length)];
        if (entry !== undefined && fits(entry) && !drawn.includes(entry)) drawn.push(entry);
      }
      if (drawn.length === count) return drawn;
    }
    // There are few, or few that fit.
    const all = list.filter(fits);
    shuffle(all, this.random);
    return all.slice(0, count);
  }

  /** The digest of each bucket: all members, `self` included, with incarnations and states. */
  digests(self: { readonly nodeId: number; readonly incarnation: number }): Uint32Array {
    const digests = new Uint32Array(BUCKETS);
    const put = (nodeId: number, incarnation: number, state: MemberState) => {
      const bucket = bucketOf(nodeId);
      digests[bucket] = (digests[bucket] ?? 0) ^ fingerprint(nodeId, incarnation, state);
    };
    put(self.nodeId, self.incarnation, "alive");
    for (const { nodeId, incarnation, state } of this.#list) put(nodeId, incarnation, state);
    return digests;
  }

  /** Somewhere among those who have not had their turn yet. */
  #takeTurn(entry: Entry): void {
    const turns = this.#turns;
    const at = this.random.below(turns.length + 1);
    const there = turns[at];
    turns[at] = entry;
    if (there !== undefined) turns.push(there);
  }
}

function shuffle(items: unknown[], random: Random): void {
  for (let last = items.length - 1; last > 0; last--) {
    const other = random.below(last + 1);
    [items[last], items[other]] = [items[other], items[last]];
  }
}

/** An entry as others see it: a copy that does not change. */
export function memberOf(entry: Entry): Member {
  const { nodeId, address, incarnation, state, meta } = entry;
  return { nodeId, address, incarnation, state, meta };
}
