/** A partition of a consumer: where it is read, and what is in the way of that. */
import { partitionKey } from "../group-protocol.ts";
import type { PartitionPosition } from "./options.ts";

/** A handler, or a loop over records, which may be closing the consumer itself. */
export type Worker = "handler" | "loop";

/** An assigned partition; another object as soon as it is sought elsewhere. */
export interface Assigned {
  readonly key: string;
  readonly topic: string;
  readonly partition: number;
  topicId: string | null;
  /** Of the leader that was heard of last; −1: of none. */
  leaderEpoch: number;
  /** Of the batch before `fetchOffset`; −1: not known, or there is none. */
  offsetEpoch: number;
  /** Whether the leader of `leaderEpoch` has what was read before (KIP-320). */
  checked: boolean;
  /** Of what was handed out last. */
  takenEpoch: number;
  /** Where the next fetch begins. */
  fetchOffset: number;
  /** Behind the last chunk or record that was handed out. */
  position: number;
  /** Behind the last that was worked off: whoever got it has come back for more. */
  finished: number;
  /** End of what may be seen, as the last fetch said; −1: none has yet. */
  endOffset: number;
  /** What was committed last; −1 for nothing yet. */
  committed: number;
  maxBytes: number;
  /** A batch needs more than is asked for as a rule: brokers that are old give pieces. 0: not known. */
  leastBytes: number;
  paused: boolean;
  /** It is paused, and soon is not any more: fetches of others at its leader do not wait for long. */
  isBrief: boolean;
  /** It is about to be taken away: nothing more of it is handed out. */
  held: boolean;
  /** It was taken away, or another object has its place. */
  dropped: boolean;
  /** Who works on a chunk of it and must have that finished before the next. */
  leased: Worker | null;
  queued: number;
  /** The partitions of the request that it is in. */
  inRequest: readonly Assigned[] | null;
  retryAtMs: number;
  failures: number;
  failingSinceMs: number;
  /** Epoch of the leader that was tried last: a newer one is asked without a pause. */
  triedEpoch: number;
  /** The closest replica, as the leader has said (KIP-392). */
  preferred: { readonly nodeId: number; readonly untilMs: number } | null;
}

/** One that is read from there; paused and held as `before` was, whose place it takes. */
export function assignedAt(
  { topic, partition, offset, leaderEpoch = -1 }: PartitionPosition,
  before: Assigned | undefined,
): Assigned {
  return {
    key: partitionKey(topic, partition),
    topic,
    partition,
    topicId: null,
    leaderEpoch: -1,
    offsetEpoch: leaderEpoch,
    checked: true,
    takenEpoch: leaderEpoch,
    fetchOffset: Number(offset),
    position: Number(offset),
    finished: Number(offset),
    endOffset: -1,
    committed: -1,
    maxBytes: 0,
    leastBytes: 0,
    paused: before?.paused ?? false,
    isBrief: before?.isBrief ?? false,
    held: before?.held ?? false,
    dropped: false,
    leased: null,
    queued: 0,
    inRequest: null,
    retryAtMs: 0,
    failures: 0,
    failingSinceMs: 0,
    triedEpoch: -1,
    preferred: null,
  };
}

/** As errors name it. */
export function nameOf({ topic, partition }: { topic: string; partition: number }): string {
  return `partition ${topic}-${partition}`;
}
