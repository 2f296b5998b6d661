/**
 * How the controller changes a partition: who is in its ISR, who leads it, who stays eligible. Pure
 * functions from a state to the next one. After Kafka's `PartitionChangeBuilder`, and KIP-966 for
 * eligible leader replicas (ELR).
 *
 * A replica is in the ELR when it left an ISR that is smaller than `min.insync.replicas`: since then the
 * high watermark has not moved, so it has all that was acknowledged. It is taken out when its broker
 * comes back from an unclean stop, for it may have lost what it had.
 */
import { assert } from "../../core/assert.ts";
import type { PartitionImage } from "../metadata-image.ts";
import { type Assignment, completed } from "./reassignment.ts";

/** The whole state of a partition. */
export interface PartitionState {
  /** The first one is preferred as leader. */
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
  /** Replicas outside of the ISR that have everything that was acknowledged. */
  readonly elr: readonly number[];
  /** Once there was neither an ISR nor an ELR: who was last in them. */
  readonly lastKnownElr: readonly number[];
  /** −1: none. */
  readonly leader: number;
  /** Grows with every change of the leader. */
  readonly leaderEpoch: number;
  /** Grows with every change. */
  readonly partitionEpoch: number;
  /** Whether the leader was elected uncleanly and has not said yet that it is in order. */
  readonly isRecovering: boolean;
  /** Of a reassignment under way. */
  readonly adding: readonly number[];
  readonly removing: readonly number[];
  /** Replicas whose data directory has failed or is full: they do not lead and are not in the ISR. */
  readonly offline: readonly number[];
}

/**
 * - `online`: a leader where there is none, or none that lives; a living one stays.
 * - `preferred`: the first of the replicas if it can lead; else as `online`.
 * - `unclean`: as `online`, and without anybody eligible any replica that lives. This may lose what
 *   was acknowledged.
 */
export type Election = "online" | "preferred" | "unclean";

const NONE: readonly number[] = [];

/** All of a partition, of which the metadata leave out what is empty. */
export function stateOf(image: PartitionImage): PartitionState {
  const { elr = NONE, lastKnownElr = NONE, isRecovering = false } = image;
  const { adding = NONE, removing = NONE, offline = NONE } = image;
  return { ...image, elr, lastKnownElr, isRecovering, adding, removing, offline };
}

/** The same for the metadata. */
export function imageOf(state: PartitionState): PartitionImage {
  const { replicas, isr, leader, leaderEpoch, partitionEpoch } = state;
  const { elr, lastKnownElr, isRecovering, adding, removing, offline } = state;
  return {
    ...{ replicas, isr, leader, leaderEpoch, partitionEpoch },
    ...(elr.length > 0 && { elr }),
    ...(lastKnownElr.length > 0 && { lastKnownElr }),
    ...(isRecovering && { isRecovering }),
    ...(adding.length > 0 && { adding }),
    ...(removing.length > 0 && { removing }),
    ...(offline.length > 0 && { offline }),
  };
}

/** A partition at its birth: replicas that are up are in sync, and the first of them leads. */
export function newPartition(
  replicas: readonly number[],
  isAlive: (brokerId: number) => boolean,
): PartitionImage {
  const isr = replicas.filter(isAlive);
  return { replicas, isr, leader: isr[0] ?? -1, leaderEpoch: 0, partitionEpoch: 0 };
}

/** What is to become of a partition. */
export interface PartitionChange {
  readonly election: Election;
  /** `min.insync.replicas` of the topic. */
  readonly minInsync: number;
  /** Who may lead: unfenced, and not about to stop. */
  isAlive(brokerId: number): boolean;
  /** The ISR as its leader proposes it. Default: as it is. */
  readonly isr?: readonly number[];
  /** Other replicas: a reassignment begins, or is given up. Default: as they are. */
  readonly assignment?: Assignment;
  /** Brokers that cannot be in the ISR any more: fenced, stopping. */
  readonly leaving?: readonly number[];
  /** Brokers that have come back from an unclean stop. */
  readonly unclean?: readonly number[];
  /** Brokers that have nothing of what the replica had. */
  readonly lost?: readonly number[];
  /** Brokers on which the data directory of the replica takes nothing any more, and takes it again. */
  readonly offline?: readonly number[];
  readonly online?: readonly number[];
  /** Said by a leader that was elected uncleanly: it is in order. */
  readonly isRecovered?: boolean;
}

/**
 * The next state, or null if nothing changes. A reassignment whose target is in the ISR is completed by
 * it. Who is no replica any more leaves ISR and ELR; that begins another leader epoch, so that nobody
 * counts on its fetches.
 */
export function changePartition(
  before: PartitionState,
  change: PartitionChange,
): PartitionState | null {
  const once = changed(before, change);
  // With a leader out of the ELR the ISR may be what a reassignment waits for.
  const { minInsync, isAlive } = change;
  const next = completed(once, once.isr) === once
    ? once
    : changed(once, { election: "online", minInsync, isAlive });
  if (isSame(before, next)) return null;
  const isOtherEpoch = next.leader !== before.leader ||
    !before.replicas.every((id) => next.replicas.includes(id));
  return {
    ...next,
    leaderEpoch: before.leaderEpoch + (isOtherEpoch ? 1 : 0),
    partitionEpoch: before.partitionEpoch + 1,
  };
}

/** The next state, but for its epochs. */
function changed(before: PartitionState, change: PartitionChange): PartitionState {
  const { leaving = [], unclean = [], lost = [], online = [] } = change;
  assert(
    change.isr === undefined || leaving.length === 0,
    "an ISR is proposed or shrunk, not both",
  );
  const isUnsure = (id: number) => unclean.includes(id) || lost.includes(id);
  const goes = (id: number) => leaving.includes(id) || isUnsure(id);
  const wanted = (change.isr ?? before.isr).filter((id) => !goes(id));
  const assigned = completed(change.assignment ?? before, wanted);
  const { replicas, adding, removing } = assigned;
  const isReplica = (id: number) => replicas.includes(id);
  const isr = wanted.filter(isReplica);
  const isEnough = (members: readonly number[]) =>
    members.length >= Math.min(change.minInsync, replicas.length);
  const candidates = [...new Set([...before.elr, ...before.isr])]
    .filter((id) => isReplica(id) && !isr.includes(id) && !isUnsure(id));
  const elr = isEnough(isr) ? [] : candidates;
  const stillOffline = before.offline.filter((id) => !online.includes(id));
  const offline = [...new Set([...stillOffline, ...change.offline ?? []])].filter(isReplica);
  const state = { ...before, replicas, adding, removing, isr, elr, offline };
  const led = withLeader(state, elect(state, change), change);
  // With a leader out of the ELR the ISR may be large enough for the high watermark to move on.
  const next = isEnough(led.isr) ? { ...led, elr: [] } : led;
  return { ...next, lastKnownElr: lastKnown(before, next, change) };
}

/**
 * The state after a proposal of its leader was refused: the same, but later, so that no copy of the
 * proposal can be accepted any more (see `LeaderReplicas.propose`).
 */
export function refuseProposal(before: PartitionState): PartitionState {
  return { ...before, partitionEpoch: before.partitionEpoch + 1 };
}

interface Elected {
  readonly leader: number;
  readonly isClean: boolean;
}

function elect(state: PartitionState, change: PartitionChange): Elected {
  const { election } = change;
  const { isr, elr, replicas, offline } = state;
  const lastKnownElr = state.lastKnownElr.filter((id) => !(change.lost?.includes(id) ?? false));
  const mayLead = (id: number) =>
    change.isAlive(id) && !offline.includes(id) && !(change.leaving?.includes(id) ?? false);
  const isCandidate = (id: number) => mayLead(id) && (isr.includes(id) || elr.includes(id));
  const [preferred] = replicas;
  if (election === "preferred" && preferred !== undefined && isCandidate(preferred)) {
    return { leader: preferred, isClean: true };
  }
  if (isCandidate(state.leader)) return { leader: state.leader, isClean: true };
  const inOrder = replicas.filter(isCandidate);
  const clean = inOrder.find((id) => isr.includes(id)) ?? inOrder[0];
  if (clean !== undefined) return { leader: clean, isClean: true };
  // Nobody can have more than who was the last of all, though it may have lost the end (KIP-966).
  const [last] = lastKnownElr;
  const isLastKnown = isr.length === 0 && elr.length === 0 && lastKnownElr.length === 1 &&
    last !== undefined && replicas.includes(last);
  if (last !== undefined && isLastKnown && mayLead(last)) return { leader: last, isClean: false };
  if (election === "unclean") {
    const any = replicas.find(mayLead);
    if (any !== undefined) return { leader: any, isClean: false };
  }
  return { leader: -1, isClean: true };
}

/** A leader from the ELR joins the ISR; one that was elected uncleanly is all of it. */
function withLeader(
  state: PartitionState,
  { leader, isClean }: Elected,
  { isRecovered = false }: PartitionChange,
): PartitionState {
  const isRecovering = !isClean || (state.isRecovering && !isRecovered);
  if (leader < 0) return { ...state, leader, isRecovering };
  if (!isClean) return { ...state, leader, isr: [leader], elr: [], isRecovering };
  if (state.isr.includes(leader)) return { ...state, leader, isRecovering };
  const elr = state.elr.filter((id) => id !== leader);
  return { ...state, leader, isr: [...state.isr, leader], elr, isRecovering };
}

/** Kept for whoever has to choose by hand, as long as nobody is eligible. */
function lastKnown(
  before: PartitionState,
  next: PartitionState,
  { unclean = [], lost = [] }: PartitionChange,
): readonly number[] {
  if (next.isr.length > 0 || next.elr.length > 0) return [];
  const gone = [...before.isr, ...before.elr].filter((id) => unclean.includes(id));
  const known = gone.length > 0 ? gone : before.lastKnownElr;
  return known.filter((id) => next.replicas.includes(id) && !lost.includes(id));
}

function isSame(a: PartitionState, b: PartitionState): boolean {
  const isSameList = (x: readonly number[], y: readonly number[]) =>
    x.length === y.length && x.every((id, index) => id === y[index]);
  return a.leader === b.leader && a.isRecovering === b.isRecovering && isSameList(a.isr, b.isr) &&
    isSameList(a.elr, b.elr) && isSameList(a.lastKnownElr, b.lastKnownElr) &&
    isSameList(a.replicas, b.replicas) && isSameList(a.adding, b.adding) &&
    isSameList(a.removing, b.removing) && isSameList(a.offline, b.offline);
}
