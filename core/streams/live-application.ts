/**
 * An application of `kstream stream` as it runs: what it is made of, and what its members tell of
 * themselves. Counts and names, never keys or values.
 */
import type { TopologyDescription } from "./topology-description.ts";

/** Of a node, since its member began; what is processed again counts again. */
export interface NodeFigures {
  /** Records that came to it. */
  readonly in: number;
  /** Records that it gave on, or wrote. */
  readonly out: number;
  /** Records that it failed with. */
  readonly errored: number;
  /** Those that it left out, by the reason. */
  readonly dropped: Readonly<Record<string, number>>;
}

/** Where a task is in a partition that it reads. */
export interface SourceFigures {
  /** `SUBTOPOLOGY_PARTITION`. */
  readonly task: string;
  readonly topic: string;
  readonly partition: number;
  /** The offset that it processes next. */
  readonly position: number;
  /** Records that are still to come; null: not known. */
  readonly lag: number | null;
}

/** A task's part of a store. */
export interface StoreFigures {
  readonly task: string;
  readonly store: string;
  readonly state: "running" | "restoring" | "standby";
  /** About; what waits in the record cache is not counted. */
  readonly entries: number;
  /** On disk; null: it is in memory. */
  readonly bytes: number | null;
  /** Records of its changelog that are not in it; null: not known. */
  readonly lag: number | null;
  /** Null: none are taken of it here. */
  readonly snapshot: SnapshotFigures | null;
}

/** How it stands with snapshots of a store. */
export interface SnapshotFigures {
  /** Of the newest; null: there is none yet. */
  readonly ageMs: number | null;
  /** Why the member could not take one the last time; null: it could. */
  readonly failure: string | null;
}

/** A changelog that is read into its store. */
export interface RestoreFigures {
  readonly topic: string;
  readonly partition: number;
  /** So many have been read. */
  readonly records: number;
  /** Offsets that are still to come. */
  readonly left: number;
  /** As it goes so far; null: not known. */
  readonly leftMs: number | null;
}

/** What a member tells of itself. */
export interface MemberFigures {
  /** `HOST:PORT` where it is asked; null: nowhere. */
  readonly endpoint: string | null;
  readonly upMs: number;
  readonly running: readonly string[];
  /** Tasks that are being restored, or wait to begin again. */
  readonly opening: readonly string[];
  readonly standby: readonly string[];
  readonly nodes: Readonly<Record<string, NodeFigures>>;
  readonly sources: readonly SourceFigures[];
  readonly stores: readonly StoreFigures[];
  readonly restoring: readonly RestoreFigures[];
}

/** See the head of the file. */
export interface LiveApplication {
  readonly application: string;
  readonly topology: TopologyDescription;
  /** How many tasks there are, by subtopology. */
  readonly taskCounts: Readonly<Record<string, number>>;
  /** The sums of what the members have counted. */
  readonly nodes: Readonly<Record<string, NodeFigures>>;
  readonly members: readonly MemberFigures[];
  /** Those that did not answer. */
  readonly missing: readonly { readonly endpoint: string; readonly error: string }[];
}

/** The sums of what members have counted, by node. */
export function sumOfNodes(
  members: readonly Pick<MemberFigures, "nodes">[],
): Record<string, NodeFigures> {
  const sums = new Map<string, NodeFigures>();
  for (const [name, more] of members.flatMap(({ nodes }) => Object.entries(nodes))) {
    const before = sums.get(name) ?? { in: 0, out: 0, errored: 0, dropped: {} };
    const dropped = new Map(Object.entries(before.dropped));
    for (const [reason, count] of Object.entries(more.dropped)) {
      dropped.set(reason, (dropped.get(reason) ?? 0) + count);
    }
    sums.set(name, {
      in: before.in + more.in,
      out: before.out + more.out,
      errored: before.errored + more.errored,
      dropped: Object.fromEntries(dropped),
    });
  }
  return Object.fromEntries(sums);
}

/** All that a node has left out. */
export function droppedOf({ dropped }: NodeFigures): number {
  return Object.values(dropped).reduce((sum, count) => sum + count, 0);
}
