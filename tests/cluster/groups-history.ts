/**
 * What members of consumer groups were given and committed, and whether a group that skips nothing and
 * has one owner of each partition explains it. Demanded here, and of the commits by Porcupine
 * (`linearizable/commits.go`):
 *
 * - Within a stay of a member on a partition records come one after the other, from the start on.
 * - What is below an offset that was committed had been handed to some member of the group before.
 * - A committed offset never goes back.
 * - Stays on a partition follow each other: once a commit of a later one has succeeded, none of the
 *   earlier one does.
 * - A stay begins at an offset that was committed, or at the beginning.
 * - In the end everything that was appended is committed.
 *
 * A member may read a committed offset that is no longer the last one, from a coordinator that was cut
 * off and does not know it: then it commits nothing, since it is fenced. So reads may be stale.
 */
import { PROBLEMS_MAX } from "./history.ts";

/** One thing that a member did. Times are monotonic nanoseconds of one clock. */
export type GroupOperation =
  /** Begins a stay of a member on a partition. */
  | (Common & { readonly type: "start"; readonly returnNs: number })
  /** A record was handed out. */
  | (Common & { readonly type: "deliver"; readonly value: string })
  | (Common & {
    readonly type: "commit";
    /** Refused: at the last try; an earlier one, whose answer was lost, may have been done. */
    readonly outcome: "acknowledged" | "refused" | "unknown";
    readonly returnNs: number | null;
  })
  /** In the end: `offset` is committed. */
  | (Common & { readonly type: "final"; readonly returnNs: number });

interface Common {
  readonly process: number;
  readonly group: string;
  readonly partition: number;
  readonly offset: number;
  /** The stay. */
  readonly stay: number;
  readonly callNs: number;
}

type Commit = Extract<GroupOperation, { type: "commit" }>;

/** What is in each partition: values by offsets, in order. */
export type Contents = ReadonlyMap<number, ReadonlyMap<number, string>>;

/** What is wrong with a history, a sentence each; a bounded number of them. */
export function groupProblems(history: readonly GroupOperation[], contents: Contents): string[] {
  const problems: string[] = [];
  const parts = Map.groupBy(history, ({ group, partition }) => `${group}/${partition}`);
  for (const [name, operations] of parts) {
    const partition = operations[0]?.partition ?? -1;
    const content = contents.get(partition) ?? new Map<number, string>();
    for (const problem of partProblems(operations, content)) {
      if (problems.push(`${name}: ${problem}`) === PROBLEMS_MAX) return problems;
    }
  }
  return problems;
}

function* partProblems(
  operations: readonly GroupOperation[],
  content: ReadonlyMap<number, string>,
): Generator<string> {
  const offsets = [...content.keys()].toSorted((a, b) => a - b);
  for (const stay of Map.groupBy(operations, (each) => each.stay).values()) {
    yield* stayProblems(stay, offsets, content);
  }
  yield* skipProblems(operations, offsets);
  const commits = operations.filter((each) => each.type === "commit");
  yield* commitProblems(commits.filter(({ outcome }) => outcome === "acknowledged"));
  yield* startProblems(operations, commits);
  const end = (offsets.at(-1) ?? -1) + 1;
  for (const { offset } of operations.filter((each) => each.type === "final")) {
    if (offset !== end) yield `${offset} is committed in the end, the log ends at ${end}`;
  }
}

/** Records one after the other, from the start on. */
function* stayProblems(
  stay: readonly GroupOperation[],
  offsets: readonly number[],
  content: ReadonlyMap<number, string>,
): Generator<string> {
  const start = stay.find((each) => each.type === "start");
  if (start === undefined) return;
  let at = offsets.findIndex((offset) => offset >= start.offset);
  for (const { offset, value } of stay.filter((each) => each.type === "deliver")) {
    if (content.get(offset) !== value) yield `${value} was handed out at ${offset}`;
    if (offsets[at] !== offset) yield `${offset} was handed out, ${offsets[at]} was to come`;
    at++;
  }
}

/** Whether all below a committed offset had been handed out. */
function* skipProblems(
  operations: readonly GroupOperation[],
  offsets: readonly number[],
): Generator<string> {
  const firstNs = new Map<number, number>();
  for (const each of operations) {
    if (each.type !== "deliver") continue;
    firstNs.set(each.offset, Math.min(firstNs.get(each.offset) ?? Infinity, each.callNs));
  }
  const commits = operations.filter((each) => each.type === "commit")
    .toSorted((a, b) => a.offset - b.offset);
  let [at, latestNs, latest] = [0, 0, -1];
  for (const { offset: committed, callNs } of commits) {
    for (; at < offsets.length && offsets[at]! < committed; at++) {
      const ns = firstNs.get(offsets[at]!) ?? Infinity;
      if (ns > latestNs) [latestNs, latest] = [ns, offsets[at]!];
    }
    if (latestNs > callNs) yield `${committed} was committed, ${latest} was not yet handed out`;
  }
}

/** They never go back, and stays follow each other. */
function* commitProblems(commits: readonly Commit[]): Generator<string> {
  const returned = commits.flatMap(({ offset, returnNs, stay }) =>
    returnNs === null ? [] : [{ offset, returnNs, stay }]
  ).toSorted((a, b) => a.returnNs - b.returnNs);
  let highest = { offset: -1, stay: -1 };
  let next = 0;
  const firstOf = new Map<number, number>();
  for (const { stay, returnNs } of returned) {
    if (!firstOf.has(stay)) firstOf.set(stay, returnNs);
  }
  const order = [...firstOf];
  const calledFirst = new Map<number, number>();
  for (const { stay, callNs } of commits) {
    calledFirst.set(stay, Math.min(calledFirst.get(stay) ?? Infinity, callNs));
  }
  for (const { offset, callNs, stay } of commits.toSorted((a, b) => a.callNs - b.callNs)) {
    for (; next < returned.length && returned[next]!.returnNs < callNs; next++) {
      if (returned[next]!.offset > highest.offset) highest = returned[next]!;
    }
    if (offset < highest.offset) yield `${offset} was committed after ${highest.offset}`;
    // Another stay had its first commit, called after one of ours, acknowledged before this call.
    const own = firstOf.get(stay) ?? Infinity;
    const later = order.find(([other, ns]) =>
      other !== stay && ns < callNs && (calledFirst.get(other) ?? 0) > own
    );
    if (later !== undefined) {
      yield `stay ${stay} has committed ${offset} after stay ${later[0]} had`;
    }
  }
}

function* startProblems(
  operations: readonly GroupOperation[],
  commits: readonly Commit[],
): Generator<string> {
  const firstNs = new Map<number, number>([[0, 0]]);
  for (const { offset, callNs } of commits) {
    firstNs.set(offset, Math.min(firstNs.get(offset) ?? Infinity, callNs));
  }
  for (const each of operations) {
    if (each.type !== "start" || (firstNs.get(each.offset) ?? Infinity) <= each.returnNs) continue;
    yield `stay ${each.stay} began at ${each.offset}, which nobody had committed`;
  }
}
