/**
 * Reassignments: a partition gets other replicas while it is used (KIP-455). Pure functions, after
 * Kafka's `PartitionReassignmentReplicas` and `PartitionReassignmentRevert`.
 *
 * All replicas, those that are being added and those that are to go, stand in one list, the target
 * first. Once all of the target is in the ISR the others go, in one change (`changePartition`).
 */

import type { PartitionState } from "./partition-change.ts";

/** Which brokers a partition is on, and which of them are not to stay so. */
export interface Assignment {
  readonly replicas: readonly number[];
  readonly adding: readonly number[];
  readonly removing: readonly number[];
}

/** Whether a reassignment is under way. */
export function isReassigning(
  { adding = [], removing = [] }: Partial<Pick<Assignment, "adding" | "removing">>,
): boolean {
  return adding.length > 0 || removing.length > 0;
}

/** What the partition comes to once the reassignment under way is complete. */
export function targetOf({ replicas, removing }: Assignment): readonly number[] {
  return replicas.filter((id) => !removing.includes(id));
}

/**
 * The way to these replicas. If another reassignment is under way it ends here: who was being added and
 * is not wanted any more goes at once, unless it is in the ISR already or eligible: it may be needed
 * until the target is in the ISR, and be the only one that has what was acknowledged.
 */
export function towards(
  now: Assignment & Pick<PartitionState, "isr"> & Partial<PartitionState>,
  target: readonly number[],
): Assignment {
  const { isr, elr = [], lastKnownElr = [] } = now;
  const isNeeded = (id: number) => [isr, elr, lastKnownElr].some((list) => list.includes(id));
  const isDropped = (id: number) =>
    now.adding.includes(id) && !target.includes(id) && !isNeeded(id);
  const kept = now.replicas.filter((id) => !isDropped(id));
  const removing = kept.filter((id) => !target.includes(id)).sort((a, b) => a - b);
  // Who is still being copied to stays one that is added, so that all can be given up.
  const isNew = (id: number) => !kept.includes(id) || now.adding.includes(id);
  const adding = target.filter(isNew).sort((a, b) => a - b);
  return { replicas: [...target, ...removing], adding, removing };
}

/** The replicas as they were before the reassignment that is under way. */
export function givenUp({ replicas, adding }: Assignment): Assignment {
  return { replicas: replicas.filter((id) => !adding.includes(id)), adding: [], removing: [] };
}

/** The assignment after the last step, if this ISR allows for it; else as it is. */
export function completed<A extends Assignment>(
  assignment: A,
  isr: readonly number[],
): A | Assignment {
  if (!isReassigning(assignment)) return assignment;
  const target = targetOf(assignment);
  return target.length > 0 && target.every((id) => isr.includes(id))
    ? { replicas: target, adding: [], removing: [] }
    : assignment;
}
