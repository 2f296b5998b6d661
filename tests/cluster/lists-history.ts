/**
 * What clients in transactions did and saw, and whether Kafka's promises explain it. A list is a
 * partition; a transaction appends unique values to several; readers (read_committed) tell each
 * value with the offset of the one before it, so that what they passed over is known as well.
 *
 * What is demanded, of our own checker here and of Porcupine with a model of one list
 * (`linearizable/lists.go`):
 *
 * - All readers see one and the same list, in the order of offsets, each from its beginning on:
 *   nothing appears below what somebody has read, nothing vanishes, nothing is there twice. So the
 *   last stable offset never passed over a transaction that was open.
 * - No value of a transaction that was aborted, or whose commit was not asked for yet, is seen.
 * - In the end, each transaction is there as a whole, in all of its lists, or not at all; as a whole,
 *   if its commit was acknowledged. If nobody knows what became of it, either will do.
 * - An append that was called after another one to the same list was acknowledged is behind it.
 * - What a chain of transactions has made of a list, offsets committed with its outputs, is this list:
 *   each value once, in order.
 *
 * What Kafka does not promise, and no checker may demand:
 *
 * - A read of several lists, or of a part of one, may see one half of a transaction ("fractured reads"):
 *   markers come to partitions one after the other, each partition has its own last stable offset, and
 *   that may lie amid a transaction that has ended if an older one is open.
 * - Two transactions may be in one order in one list and in the other in another ("write cycles", G0 in
 *   Adya's terms): appends interleave as they come, there are no locks. So nothing of what Elle infers
 *   from cycles holds, not even read committed (PL-2).
 * - A commit that was acknowledged is decided, not yet visible: markers come after it. (KIP-98)
 */
import { orderProblems, PROBLEMS_MAX } from "./history.ts";

interface Common {
  readonly process: number;
  readonly callNs: number;
}

/** One thing that a client did. Times are monotonic nanoseconds of one clock. */
export type ListOperation =
  /** Null offset and return: not known. `transaction` null: a plain record. */
  | (Common & {
    readonly type: "append";
    readonly list: string;
    readonly value: string;
    readonly transaction: string | null;
    readonly offset: number | null;
    readonly returnNs: number | null;
  })
  /**
   * `callNs`: the commit, or else the abort, was asked for; it may have been aborted (it took too long) at
   * any time since `beginNs`. By `doneNs` it has ended everywhere: the next transaction of the same id has
   * begun. Null: nobody knows when.
   */
  | (Common & {
    readonly type: "end";
    readonly transaction: string;
    readonly outcome: "committed" | "aborted" | "unknown";
    readonly beginNs: number;
    readonly doneNs: number | null;
  })
  /** `after`: the offset of the value that this reader saw before in this list, −1 at its beginning. */
  | (Common & {
    readonly type: "read";
    readonly list: string;
    readonly value: string;
    readonly offset: number;
    readonly after: number;
    readonly returnNs: number;
  })
  /** Everything has ended, and this many values are to be seen. */
  | (Common & {
    readonly type: "final";
    readonly list: string;
    readonly count: number;
    readonly returnNs: number;
  });

export type ListAppend = Extract<ListOperation, { type: "append" }>;
export type ListEnd = Extract<ListOperation, { type: "end" }>;
export type ListRead = Extract<ListOperation, { type: "read" }>;

/** What is wrong with a history, a sentence each; a bounded number of them. */
export function listProblems(history: readonly ListOperation[]): string[] {
  const problems: string[] = [];
  for (const problem of allProblems(history)) {
    if (problems.push(problem) === PROBLEMS_MAX) break;
  }
  return problems;
}

function* allProblems(history: readonly ListOperation[]): Generator<string> {
  const appends = history.filter((each) => each.type === "append");
  const reads = history.filter((each) => each.type === "read");
  const byValue = new Map(appends.map((each) => [`${each.list} ${each.value}`, each]));
  const ends = new Map(
    history.flatMap((each) => each.type === "end" ? [[each.transaction, each] as const] : []),
  );
  const seen = new Map(reads.map(({ list, offset, value }) => [`${list} ${value}`, offset]));
  for (const [list, ofList] of Map.groupBy(reads, (each) => each.list)) {
    for (const why of sequenceProblems(ofList)) yield `${list}: ${why}`;
  }
  for (const read of reads) {
    const append = byValue.get(`${read.list} ${read.value}`);
    const why = readProblem(read, append, ends.get(append?.transaction ?? ""));
    if (why !== null) yield `${read.list}: ${read.value} at ${read.offset} ${why}`;
  }
  yield* wholeProblems(appends, ends, seen);
  for (const [list, ofList] of Map.groupBy(appends, (each) => each.list)) {
    const offsetOf = (value: string) => seen.get(`${list} ${value}`);
    for (const why of orderProblems(ofList, offsetOf)) yield `${list}: ${why}`;
  }
  for (const { list, count } of history.filter((each) => each.type === "final")) {
    const values = new Set(reads.filter((each) => each.list === list).map(({ value }) => value));
    if (values.size !== count) {
      yield `${list}: ${values.size} values were seen, ${count} in the end`;
    }
  }
}

/** All readers have to agree on what is where and on what comes before it. */
function* sequenceProblems(reads: readonly ListRead[]): Generator<string> {
  const at = new Map<number, ListRead>();
  const offsets = new Map<string, number>();
  for (const read of reads) {
    const { after, offset, value } = read;
    const other = at.get(offset) ?? read;
    if (other.value !== value) yield `offset ${offset} has ${other.value} and ${value}`;
    if (other.after !== after) {
      yield `before ${value} at ${offset} was ${after} for one reader, ${other.after} for another`;
    }
    const there = offsets.get(value) ?? offset;
    if (there !== offset) yield `${value} is there twice, at ${there} and ${offset}`;
    at.set(offset, read);
    offsets.set(value, offset);
  }
}

function readProblem(
  read: ListRead,
  append: ListAppend | undefined,
  end: ListEnd | undefined,
): string | null {
  if (append === undefined) return "was never appended";
  if (append.callNs > read.returnNs) return "was seen before it was appended";
  if (append.offset !== null && append.offset !== read.offset) {
    return `was acknowledged at ${append.offset}`;
  }
  if (append.transaction === null) return null;
  if (end === undefined) return `is of ${append.transaction}, which has not ended`;
  if (end.outcome === "aborted") return `is of ${append.transaction}, which was aborted`;
  return end.callNs > read.returnNs ? `was seen before ${append.transaction} ended` : null;
}

/** In the end, when every list was read as a whole. */
function* wholeProblems(
  appends: readonly ListAppend[],
  ends: ReadonlyMap<string, ListEnd>,
  seen: ReadonlyMap<string, number>,
): Generator<string> {
  for (const [transaction, parts] of Map.groupBy(appends, (each) => each.transaction)) {
    const there = parts.filter(({ list, value }) => seen.has(`${list} ${value}`));
    const lost = parts.filter((each) => !there.includes(each));
    const outcome = transaction === null ? "committed" : ends.get(transaction)?.outcome;
    const named = lost.map(({ list, value }) => `${value} of ${list}`).join();
    if (lost.length === 0) continue;
    if (outcome === "committed") yield `${transaction} was committed, but ${named} is lost`;
    else if (there.length > 0) yield `of ${transaction} only a part is there, without ${named}`;
  }
}

/** What a chain writes of a value: unique, also where it has to try again. */
export const chained = (value: string, attempt: string) => `${value}@${attempt}`;

/** What is wrong with a list that a chain has made of another one. */
export function chainProblems(
  history: readonly ListOperation[],
  input: string,
  output: string,
): string[] {
  const made = valuesOf(history, output).map((value) => value.replace(/@.*$/, ""));
  const source = valuesOf(history, input);
  const at = source.findIndex((value, index) => made[index] !== value);
  if (at < 0 && made.length === source.length) return [];
  const index = at < 0 ? source.length : at;
  return [`${output}: value ${index} is ${made[index]}, but ${source[index]} in ${input}`];
}

/** What is in a list, by all that was seen of it. */
function valuesOf(history: readonly ListOperation[], list: string): string[] {
  const at = new Map<number, string>();
  for (const each of history) {
    if (each.type === "read" && each.list === list) at.set(each.offset, each.value);
  }
  return [...at].toSorted(([a], [b]) => a - b).map(([, value]) => value);
}
