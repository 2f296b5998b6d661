/** Cases through Kafka Streams' own `TopologyTestDriver` and through our engine. */
import { run } from "../../harness/process.ts";
import { javaProgram } from "../../compat/java-programs.ts";
import { type Case, Cases } from "./cases.ts";
import { operatorCounts } from "./operators.ts";
import { runOurs } from "./ours.ts";

export interface Difference {
  readonly test: Case;
  readonly kafka: Answer;
  readonly ours: Answer;
}

export interface Comparison {
  readonly cases: number;
  /** In how many of them each operator of Kafka's is. */
  readonly operators: ReadonlyMap<string, number>;
  /** Records that both have written. */
  readonly records: number;
  /** Both refuse the topology or fail. */
  readonly refused: number;
  /** Merged streams have the same records in another order. */
  readonly reordered: number;
  readonly differences: readonly Difference[];
}

/** `skip`: so many cases of the seed are left out before. `timeoutMs` bounds Java. */
export async function compareStreams(
  seed: number,
  count: number,
  skip = 0,
  timeoutMs = 1_800_000,
): Promise<Comparison> {
  const drawn = new Cases(seed);
  for (let i = 0; i < skip; i++) drawn.next();
  const cases = Array.from({ length: count }, () => drawn.next());
  const stdin = cases.map((test) => `${JSON.stringify(test)}\n`).join("");
  const finished = await run(javaProgram("StreamsOracle"), { input: stdin, timeoutMs });
  const lines = finished.stdout.trimEnd().split("\n");
  if (finished.exitCode !== 0 || lines.length !== cases.length) {
    throw new Error(`the oracle gave ${lines.length} answers:\n${finished.stderr.slice(-2000)}`);
  }
  const differences: Difference[] = [];
  let [records, refused, reordered] = [0, 0, 0];
  for (const [i, test] of cases.entries()) {
    const kafka = withoutFlushOrder(test, JSON.parse(lines[i]!));
    const ours = withoutFlushOrder(test, answerOf(test));
    if ("error" in kafka && "error" in ours) refused++;
    else if (isReordered(test, kafka.topics, ours.topics)) reordered++;
    else if (!Bun.deepEquals(kafka, ours)) differences.push({ test, kafka, ours });
    else records += Object.values(ours.topics ?? {}).reduce((sum, each) => sum + each.length, 0);
  }
  return {
    cases: count,
    operators: operatorCounts(cases),
    records,
    refused,
    reordered,
    differences,
  };
}

/** All that was written, by topic, or how it failed. */
export interface Answer {
  readonly topics?: Readonly<Record<string, readonly (readonly unknown[])[]>>;
  readonly error?: string;
}

/** Behind a join that records wait in they have another origin than in Kafka (docs/deviations.md). */
function withoutOrigin([key, value, time]: readonly unknown[]): readonly unknown[] {
  if (typeof value !== "string") return [key, value, time];
  // In hex: a time and an offset, eight bytes each, then the topic with its length in four.
  const topicEnd = 40 + 2 * Number.parseInt(value.slice(32, 40), 16);
  return [key, value.slice(0, 16) + value.slice(topicEnd), time];
}

/** Changes that are held back go to their changelogs without times, in the order of a hash table. */
function withoutFlushOrder(test: Case, answer: Answer): Answer {
  if (answer.topics === undefined) return answer;
  const topics = { ...answer.topics };
  for (const [topic, records] of Object.entries(topics)) {
    if (topic.endsWith("-Buffer-changelog")) topics[topic] = records.map(withoutOrigin);
  }
  for (const { op, name } of test.steps) {
    const topic = `app-${name}-store-changelog`;
    const records = topics[topic];
    if (records === undefined || (op !== "suppress" && op !== "windowSuppress")) continue;
    const keyed = records.map(([key, value]) => [String(key), value] as const);
    topics[topic] = keyed.sort(([one], [other]) => one < other ? -1 : one > other ? 1 : 0);
  }
  return { ...answer, topics };
}

/**
 * Whether all is the same but for the order where streams are merged: which of two topics' records of
 * the same time is first is not defined.
 */
function isReordered(test: Case, kafka: unknown, ours: unknown): boolean {
  if (!test.steps.some(({ op }) => op === "merge")) return false;
  return !Bun.deepEquals(kafka, ours) && Bun.deepEquals(sortedTopics(kafka), sortedTopics(ours));
}

function sortedTopics(topics: unknown): unknown {
  if (typeof topics !== "object" || topics === null) return topics;
  return Object.entries(topics).map(([name, records]) => {
    return [name, Array.isArray(records) ? records.map((each) => JSON.stringify(each)).sort() : []];
  });
}

function answerOf(test: Case) {
  try {
    return { topics: runOurs(test) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
