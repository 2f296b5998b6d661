/**
 * Gives each member about as many partitions as any other, and moves as few as possible (Kafka's
 * `UniformAssignor`). Where members subscribe to different topics, partitions go to whoever may read
 * them and has the fewest, and then move from those with many to those with few.
 */
import {
  allTopicIds,
  type Assignor,
  type AssignorInput,
  type AssignorMember,
  isHomogeneous,
} from "../modern/assignor.ts";
import { LeastFirst } from "../modern/least-first.ts";
import type { Assignment } from "../modern/topic-partitions.ts";

/** See the header. */
export const uniformAssignor: Assignor = {
  name: "uniform",
  assign: (input) =>
    isHomogeneous(input.members) ? assignHomogeneous(input) : assignHeterogeneous(input),
};

/** A partition that needs an owner. */
interface Unassigned {
  readonly topicId: string;
  readonly partition: number;
}

/** A member with the target that is being made for it. */
interface Draft {
  readonly member: AssignorMember;
  readonly target: Map<string, Set<number>>;
  size: number;
}

function give(draft: Draft, topicId: string, partition: number): void {
  const partitions = draft.target.get(topicId);
  if (partitions === undefined) draft.target.set(topicId, new Set([partition]));
  else partitions.add(partition);
  draft.size++;
}

function take(draft: Draft, topicId: string, partition: number): void {
  const partitions = draft.target.get(topicId)!;
  partitions.delete(partition);
  if (partitions.size === 0) draft.target.delete(topicId);
  draft.size--;
}

/** What each member keeps: at most `quotaOf` of what it has and may read; the rest is unassigned. */
function keep(
  { members, partitionCount }: AssignorInput,
  quotaOf: (index: number, has: number) => number,
): { readonly drafts: Draft[]; readonly unassigned: Unassigned[] } {
  // By topic, a byte for each partition: 1 if somebody keeps it.
  const kept = new Map<string, Uint8Array>();
  for (const topicId of allTopicIds(members)) {
    kept.set(topicId, new Uint8Array(partitionCount(topicId)));
  }
  const drafts = members.map((member, index) => {
    const draft: Draft = { member, target: new Map(), size: 0 };
    const mine: Unassigned[] = [];
    for (const [topicId, partitions] of member.target) {
      const ofTopic = member.topicIds.has(topicId) ? kept.get(topicId) : undefined;
      if (ofTopic === undefined) continue;
      for (const partition of partitions) {
        if (ofTopic[partition] === 0) mine.push({ topicId, partition });
      }
    }
    const count = Math.min(mine.length, quotaOf(index, mine.length));
    for (let at = 0; at < count; at++) {
      const { topicId, partition } = mine[at]!;
      give(draft, topicId, partition);
      kept.get(topicId)![partition] = 1;
    }
    return draft;
  });
  const unassigned: Unassigned[] = [];
  for (const [topicId, ofTopic] of kept) {
    for (let partition = 0; partition < ofTopic.length; partition++) {
      if (ofTopic[partition] === 0) unassigned.push({ topicId, partition });
    }
  }
  return { drafts, unassigned };
}

function targetsOf(drafts: readonly Draft[]): ReadonlyMap<string, Assignment> {
  return new Map(drafts.map(({ member, target }) => [member.memberId, target]));
}

/** Every member gets the quotient, and as many as there is remainder get one more. */
function assignHomogeneous(input: AssignorInput): ReadonlyMap<string, Assignment> {
  const { members, partitionCount } = input;
  if (members.length === 0) return new Map();
  let total = 0;
  for (const topicId of members[0]!.topicIds) total += partitionCount(topicId);
  const quota = Math.floor(total / members.length);
  let extra = total % members.length;
  // Who has more than the quotient keeps one more, as long as there are any.
  const { drafts, unassigned } = keep(input, (_index, has) => {
    if (has <= quota || extra === 0) return quota;
    extra--;
    return quota + 1;
  });
  let next = 0;
  const giveNext = (draft: Draft) => {
    const { topicId, partition } = unassigned[next++]!;
    give(draft, topicId, partition);
  };
  for (const draft of drafts) {
    while (draft.size < quota && next < unassigned.length) giveNext(draft);
  }
  for (const draft of drafts) {
    if (draft.size === quota && next < unassigned.length) giveNext(draft);
  }
  return targetsOf(drafts);
}

/** Rounds of moves; each that matters makes the largest difference smaller. */
const ROUNDS_MAX = 16;

function assignHeterogeneous(input: AssignorInput): ReadonlyMap<string, Assignment> {
  const { drafts, unassigned } = keep(input, (_index, has) => has);
  const subscribers = new Map<string, Draft[]>();
  for (const draft of drafts) {
    for (const topicId of draft.member.topicIds) {
      const readers = subscribers.get(topicId);
      if (readers === undefined) subscribers.set(topicId, [draft]);
      else readers.push(draft);
    }
  }
  // Topics with few readers first: they have the least choice.
  const order = unassigned.toSorted((a, b) =>
    subscribers.get(a.topicId)!.length - subscribers.get(b.topicId)!.length
  );
  let topic = "";
  let readers = new LeastFirst<Draft>([], sizeOf);
  for (const { topicId, partition } of order) {
    if (topicId !== topic) readers = new LeastFirst(subscribers.get(topicId)!, sizeOf);
    topic = topicId;
    give(readers.next(), topicId, partition);
  }
  for (let round = 0; round < ROUNDS_MAX && balanceOnce(drafts, subscribers); round++);
  return targetsOf(drafts);
}

/** Moves partitions to readers that have at least two fewer; whether any moved. */
function balanceOnce(
  drafts: readonly Draft[],
  subscribers: ReadonlyMap<string, readonly Draft[]>,
): boolean {
  let moved = false;
  // Nobody comes below it by a move.
  const least = drafts.reduce((size, draft) => Math.min(size, draft.size), Infinity);
  for (const draft of drafts.toSorted((a, b) => b.size - a.size)) {
    if (draft.size - least < 2) break;
    for (const [topicId, partitions] of [...draft.target]) {
      for (const partition of [...partitions]) {
        const reader = fewest(subscribers.get(topicId)!);
        if (draft.size - reader.size < 2) break;
        take(draft, topicId, partition);
        give(reader, topicId, partition);
        moved = true;
      }
    }
  }
  return moved;
}

const sizeOf = (draft: Draft) => draft.size;

/** The one with the fewest partitions; the first of equals. */
function fewest(drafts: readonly Draft[]): Draft {
  return drafts.reduce((best, each) => each.size < best.size ? each : best);
}
