/** Sets of partitions as the groups of the new protocols keep them, and their form in records. */

/** Partitions by topic id. */
export type Assignment = ReadonlyMap<string, ReadonlySet<number>>;

/** Partitions by topic id, each with the member epoch in which it was assigned (KIP-1251). */
export type EpochedAssignment = ReadonlyMap<string, ReadonlyMap<number, number>>;

/** No partitions, of either kind. */
export const NO_PARTITIONS: ReadonlyMap<string, never> = new Map<string, never>();

/** Partitions of a topic in a record or message. */
export interface TopicPartitions {
  readonly topicId: string;
  readonly partitions: readonly number[];
}

/** As `TopicPartitions`, with epochs where they are known. */
export interface EpochedTopicPartitions extends TopicPartitions {
  readonly assignmentEpochs: readonly number[] | null;
}

/** A topic that is named twice keeps the partitions of both; topics without partitions go. */
export function assignmentOf(topics: readonly TopicPartitions[]): Assignment {
  const assignment = new Map<string, Set<number>>();
  for (const { topicId, partitions } of topics) {
    if (partitions.length === 0) continue;
    const known = assignment.get(topicId) ?? new Set();
    for (const partition of partitions) known.add(partition);
    assignment.set(topicId, known);
  }
  return assignment;
}

/** In ascending order of partitions, so that the same assignment is always the same bytes. */
export function topicPartitionsOf(
  assignment: ReadonlyMap<string, { keys(): Iterable<number> }>,
): TopicPartitions[] {
  return [...assignment].map(([topicId, partitions]) => ({
    topicId,
    partitions: [...partitions.keys()].toSorted((a, b) => a - b),
  }));
}

/** Where a record has no epochs, or not one for each partition, all are of `defaultEpoch`. */
export function epochedAssignmentOf(
  topics: readonly EpochedTopicPartitions[],
  defaultEpoch: number,
): EpochedAssignment {
  const assignment = new Map<string, ReadonlyMap<number, number>>();
  for (const { topicId, partitions, assignmentEpochs } of topics) {
    const epochs = assignmentEpochs?.length === partitions.length ? assignmentEpochs : null;
    assignment.set(
      topicId,
      new Map(partitions.map((partition, index) => [partition, epochs?.[index] ?? defaultEpoch])),
    );
  }
  return assignment;
}

/** As `topicPartitionsOf`, with the epochs. */
export function epochedTopicPartitionsOf(assignment: EpochedAssignment): EpochedTopicPartitions[] {
  return [...assignment].map(([topicId, epochs]) => {
    const sorted = [...epochs].toSorted(([a], [b]) => a - b);
    return {
      topicId,
      partitions: sorted.map(([partition]) => partition),
      assignmentEpochs: sorted.map(([, epoch]) => epoch),
    };
  });
}

/** The same partitions, all assigned in one epoch. */
export function withEpoch(
  assignment: ReadonlyMap<string, { keys(): Iterable<number> }>,
  epoch: number,
): EpochedAssignment {
  return new Map(
    [...assignment].map(([topicId, partitions]) => [
      topicId,
      new Map([...partitions.keys()].map((partition) => [partition, epoch])),
    ]),
  );
}

/** Whether both hold the same partitions. */
export function sameAssignment(a: Assignment, b: Assignment): boolean {
  if (a.size !== b.size) return false;
  for (const [topicId, partitions] of a) {
    const others = b.get(topicId);
    if (others === undefined || others.size !== partitions.size) return false;
    for (const partition of partitions) if (!others.has(partition)) return false;
  }
  return true;
}

/** Whether both hold the same partitions in the same epochs. */
export function sameEpochedAssignment(a: EpochedAssignment, b: EpochedAssignment): boolean {
  if (a.size !== b.size) return false;
  for (const [topicId, epochs] of a) {
    const others = b.get(topicId);
    if (others === undefined || others.size !== epochs.size) return false;
    for (const [partition, epoch] of epochs) if (others.get(partition) !== epoch) return false;
  }
  return true;
}
