/**
 * What clients of a cluster did and saw, and whether a log that loses nothing explains it. Checked here
 * by rules of our own, and by Porcupine (`linearizable/`), which knows only a model of a log.
 */
import { join } from "node:path";
import { run } from "../harness/process.ts";

/** One thing that a client did. Times are monotonic nanoseconds of one clock. */
export type Operation =
  /** `offset` and `returnNs` are null where the client does not know what became of it. */
  | (Common & {
    readonly type: "append";
    readonly value: string;
    readonly offset: number | null;
    readonly returnNs: number | null;
  })
  | (Common & {
    readonly type: "read";
    readonly value: string;
    readonly offset: number;
    readonly returnNs: number;
  })
  /** At the end, when all is well again: how many records the partition has. */
  | (Common & { readonly type: "final"; readonly count: number; readonly returnNs: number });

interface Common {
  readonly process: number;
  readonly partition: number;
  readonly callNs: number;
}

/** What is wrong with a history, a sentence each; a bounded number of them. */
export function problemsOf(history: readonly Operation[]): string[] {
  const problems: string[] = [];
  const byPartition = Map.groupBy(history, ({ partition }) => partition);
  for (const [partition, operations] of byPartition) {
    problems.push(...partitionProblems(operations).map((why) => `partition ${partition}: ${why}`));
  }
  return problems.slice(0, PROBLEMS_MAX);
}

/** No more of them are told. */
export const PROBLEMS_MAX = 20;

function* partitionProblems(operations: readonly Operation[]): Generator<string> {
  const appends = operations.filter((each) => each.type === "append");
  const reads = operations.filter((each) => each.type === "read");
  const final = operations.findLast((each) => each.type === "final");
  const asked = new Set(appends.map(({ value }) => value));
  const valueAt = new Map<number, string>();
  for (const { offset, value } of reads) {
    const other = valueAt.get(offset);
    if (other !== undefined && other !== value) yield `offset ${offset} has ${other} and ${value}`;
    if (!asked.has(value)) yield `${value} at ${offset} was never appended`;
    valueAt.set(offset, value);
  }
  const offsetOf = new Map<string, number>();
  for (const [offset, value] of valueAt) {
    const other = offsetOf.get(value);
    if (other !== undefined) yield `${value} is there twice, at ${other} and ${offset}`;
    offsetOf.set(value, offset);
  }
  for (const { value, offset } of appends) {
    if (offset === null) continue;
    const found = valueAt.get(offset);
    if (found === undefined) yield `${value}, acknowledged at ${offset}, is lost`;
    else if (found !== value) yield `offset ${offset} has ${found}, not ${value} as acknowledged`;
  }
  if (final !== undefined && final.count !== valueAt.size) {
    yield `${valueAt.size} records were seen, ${final.count} are there in the end`;
  }
  yield* orderProblems(appends, (value) => offsetOf.get(value));
}

/** An append: when, and what is known of where. */
interface Timed {
  readonly value: string;
  readonly offset: number | null;
  readonly callNs: number;
  readonly returnNs: number | null;
}

/** Who had an acknowledgement before another one began is before it in the log. */
export function* orderProblems(
  appends: readonly Timed[],
  offsetOf: (value: string) => number | undefined,
): Generator<string> {
  const returned = appends.flatMap(({ offset, returnNs, value }) =>
    offset === null || returnNs === null ? [] : [{ offset, returnNs, value }]
  ).sort((a, b) => a.returnNs - b.returnNs);
  const called = appends.flatMap(({ callNs, offset, value }) => {
    const at = offset ?? offsetOf(value);
    return at === undefined ? [] : [{ callNs, offset: at, value }];
  }).sort((a, b) => a.callNs - b.callNs);
  let highest = { offset: -1, value: "" };
  let next = 0;
  for (const { callNs, offset, value } of called) {
    for (; next < returned.length && returned[next]!.returnNs < callNs; next++) {
      if (returned[next]!.offset > highest.offset) highest = returned[next]!;
    }
    if (offset < highest.offset) {
      yield `${value} at ${offset} began after ${highest.value} at ${highest.offset} was acknowledged`;
    }
  }
}

const CHECK_MS = 600_000;

/**
 * The verdict of Porcupine by one of its models (`linearizable/`): null if the history is linearizable,
 * else what is not. Needs Go; throws if there is no verdict.
 */
export async function linearizabilityProblem(
  history: readonly object[],
  model: "log" | "lists" | "commits" = "log",
): Promise<string | null> {
  const input = history.map((each) => JSON.stringify(each)).join("\n");
  const finished = await run(["go", "run", ".", model], {
    cwd: join(import.meta.dir, "linearizable"),
    input,
    timeoutMs: CHECK_MS,
  });
  const said = `${finished.stdout}${finished.stderr}`.trim();
  if (finished.exitCode > 1) throw new Error(`the history could not be checked: ${said}`);
  return finished.exitCode === 0 ? null : said;
}
