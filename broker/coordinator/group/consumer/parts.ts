/** What the operations on consumer groups share. */
import type { ErrorCode } from "../../../../core/errors.ts";
import { type Refusal, refuse } from "../../../outcome.ts";
import type { CoordinatorResult } from "../../shard.ts";
import type { ClassicGroups } from "../classic/classic-groups.ts";
import type { GroupContext, Topics } from "../group.ts";
import type { GroupRecord } from "../group-records.ts";
import type { Assignor } from "../modern/assignor.ts";
import type { ConsumerGroup } from "./consumer-group.ts";
import { rangeAssignor } from "./range-assignor.ts";
import type { RegexSubscriptions } from "./regexes.ts";
import type { ConsumerSessions } from "./sessions.ts";
import { uniformAssignor } from "./uniform-assignor.ts";

/** See the header. */
export interface ConsumerParts {
  readonly context: GroupContext;
  readonly sessions: ConsumerSessions;
  readonly regexes: RegexSubscriptions;
  readonly find: (groupId: string) => ConsumerGroup | undefined;
  readonly classic: ClassicGroups;
}

/** A step that only writes. */
export type Step = CoordinatorResult<GroupRecord, void>;

/** A step that does nothing. */
export const NO_STEP: Step = { records: [], response: undefined };

/** The assignors that there are, by the names that group.consumer.assignors and members give. */
const ASSIGNORS: ReadonlyMap<string, Assignor> = new Map(
  [uniformAssignor, rangeAssignor].map((assignor) => [assignor.name, assignor]),
);

/** The assignor of that name; one that is configured is there, which the configs make sure of. */
export function assignorOf(name: string): Assignor {
  return ASSIGNORS.get(name) ?? uniformAssignor;
}

/** The ids of those of the topics that exist. */
export function topicIdsOf(names: Iterable<string>, topics: Topics): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const name of names) {
    const topic = topics.byName(name);
    if (topic !== undefined) ids.add(topic.id);
  }
  return ids;
}

/** As `topicIdsOf`; asked for the same names several times in a row it gives the same set. */
export function sharedTopicIds(
  topics: Topics,
): (names: ReadonlySet<string>) => ReadonlySet<string> {
  let names: ReadonlySet<string> | null = null;
  let ids: ReadonlySet<string> = new Set();
  return (wanted) => {
    const isSame = names !== null && wanted.size === names.size && wanted.isSubsetOf(names);
    if (!isSame) ids = topicIdsOf(wanted, topics);
    names = wanted;
    return ids;
  };
}

/** A refusal as the outcome of an operation. */
export function refused(
  error: ErrorCode,
  message: string,
): { readonly records: []; readonly response: Refusal } {
  return { records: [], response: refuse(error, message) };
}
