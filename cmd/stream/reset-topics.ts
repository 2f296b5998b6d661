/** Which topics a reset touches: pure, from what the application says and what there is in the cluster. */

/** What is known of the application. */
export interface ResetApp {
  readonly applicationId: string;
  /** Null: nothing but the id. Internal topics by their full names. */
  readonly topology: {
    readonly inputs: readonly string[];
    /** Topics of the user's that it writes and reads. */
    readonly intermediates: readonly string[];
    readonly internals: readonly string[];
    /** Whether a topic matches a pattern that it reads, and whether it writes that. */
    matches(topic: string): "input" | "intermediate" | null;
  } | null;
}

/** What was asked for. */
export interface ResetWish {
  /** Null: all inputs that are known. */
  readonly inputs: readonly string[] | null;
  readonly intermediates: readonly string[];
  /** Internal topics as well that the topology does not have. */
  readonly orphans: boolean;
}

export interface ResetTopics {
  readonly inputs: readonly string[];
  readonly intermediates: readonly string[];
  /** To be deleted. */
  readonly internals: readonly string[];
  /** Look like internal topics of the application, and are left alone. */
  readonly spared: readonly string[];
}

/** How internal topics end (`StreamsResetter.matchesInternalTopicFormat`). */
const INTERNAL = /-(?:changelog|repartition|subscription-(?:registration|response)-topic)$/;

/** `topics` and `groups`: names of all that there are. What was named is there or not: others look. */
export function resetTopics(
  { applicationId, topology }: ResetApp,
  wish: ResetWish,
  topics: readonly string[],
  groups: readonly string[],
): ResetTopics {
  const isThere = (topic: string) => topics.includes(topic);
  const own = new Set(topology?.internals ?? []);
  // `shop-eu-counts-changelog` is not of `shop` where there is an application `shop-eu`.
  const others = groups.filter((group) => group.startsWith(`${applicationId}-`));
  const inferred = topics.filter((topic) =>
    topic.startsWith(`${applicationId}-`) && INTERNAL.test(topic) && !own.has(topic)
  );
  const isOrphan = (topic: string) =>
    (topology === null || wish.orphans) && !others.some((group) => topic.startsWith(`${group}-`));
  const known = (named: readonly string[] | undefined, kind: "input" | "intermediate") => [
    ...(named ?? []).filter(isThere),
    ...topics.filter((topic) => topology?.matches(topic) === kind),
  ];
  const { intermediates } = wish;
  return {
    inputs: wish.inputs ?? known(topology?.inputs, "input"),
    intermediates: [
      ...new Set([...intermediates, ...known(topology?.intermediates, "intermediate")]),
    ],
    internals: [...[...own].filter(isThere), ...inferred.filter(isOrphan)].sort(),
    spared: inferred.filter((topic) => !isOrphan(topic)).sort(),
  };
}
