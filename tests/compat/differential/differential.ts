/**
 * Plays the same episodes to Apache Kafka and to our broker and compares every answer. A
 * difference counts if it is there again when the episode is played with more patience; then it is
 * shrunk to the fewest steps that still show it.
 */
import { inspect } from "node:util";
import { compareEpisodes, type Difference } from "./comparison.ts";
import { drawEpisode, servesArea, type Steps } from "./episodes.ts";
import { EXPLAINED } from "./explained.ts";
import type { Plain, PlainObject } from "./normaliser.ts";
import type { Player } from "./player.ts";
import { type Area, Facts, type Step } from "./step.ts";

/** What is played. */
export interface Plan {
  readonly areas: readonly Area[];
  readonly firstSeed: number;
  readonly episodesPerArea: number;
  readonly stepsPerEpisode: number;
  /** Of the episode only these, to replay what was shrunk. */
  readonly only?: readonly number[];
  /** Stop after so many differences. */
  readonly maxFindings: number;
  readonly shrink: boolean;
  log(line: string): void;
}

/** What came of it. */
export interface Outcome {
  requests: number;
  readonly areas: string[];
  /** Areas that our broker does not serve yet. */
  readonly notServed: string[];
  /** One text per difference that is not explained. */
  readonly findings: string[];
  /** Signatures of the differences that were found. */
  readonly seen: Set<string>;
  /** How often each explanation was needed. */
  readonly explained: Map<string, number>;
  /** Answers by API and code, as Kafka gave them. */
  readonly codes: Map<string, number>;
  /** Requests that no version could carry as they were drawn. */
  unencodable: number;
}

const SETTLE_MS = 30;
/**
 * Kafka answers CreateTopics before its group coordinator has seen the topic, and on a busy machine
 * it sees it much later: a second look waits a little longer, a third long enough for that.
 */
const PATIENT_SETTLES_MS = [150, 1500] as const;
const SHRINK_TRIALS_MAX = 80;

/** Kafka and ours. */
export interface Pair {
  readonly theirs: Player;
  readonly ours: Player;
}

let episodesPlayed = 0;
/** Brokers that are kept for several runs still know the transactional ids of earlier ones. */
const RUN = Math.floor(Date.now() / 1000).toString(36);

/** Plays a plan. */
export async function playPlan(pair: Pair, plan: Plan): Promise<Outcome> {
  const outcome: Outcome = {
    requests: 0,
    areas: [],
    notServed: [],
    findings: [],
    seen: new Set(),
    explained: new Map(),
    codes: new Map(),
    unencodable: 0,
  };
  for (const area of plan.areas) {
    if (!servesArea(area, pair.ours.served)) {
      outcome.notServed.push(area.name);
      continue;
    }
    outcome.areas.push(area.name);
    for (let episode = 0; episode < plan.episodesPerArea; episode++) {
      if (outcome.findings.length >= plan.maxFindings) return outcome;
      await playEpisode(pair, plan, area, plan.firstSeed + episode, outcome);
    }
  }
  return outcome;
}

async function playEpisode(pair: Pair, plan: Plan, area: Area, seed: number, outcome: Outcome) {
  const served = [pair.theirs.served, pair.ours.served];
  const { steps, cleanUp } = drawEpisode(area, seed, plan.stepsPerEpisode, served);
  const kept = plan.only ?? steps.map((_, index) => index);
  const chosen = kept.flatMap((index) => steps[index] ?? []);
  const differences = await compared(pair, { steps: chosen, cleanUp }, SETTLE_MS, outcome);
  outcome.requests += chosen.length;
  if (!differences.some(isUnexplained)) return;
  let again: Difference[] = [];
  for (const settleMs of PATIENT_SETTLES_MS) {
    again = await compared(pair, { steps: chosen, cleanUp }, settleMs);
    if (!again.some(isUnexplained)) break;
  }
  const found = again.filter(isUnexplained).filter((each) => !outcome.seen.has(signature(each)));
  if (!again.some(isUnexplained)) {
    plan.log(`  ${area.name} ${seed}: a difference went away with patience`);
  }
  for (const difference of found) {
    if (outcome.seen.has(signature(difference))) continue;
    if (outcome.findings.length >= plan.maxFindings) return;
    outcome.seen.add(signature(difference));
    const smallest = plan.shrink
      ? await shrink(pair, kept.slice(0, difference.index + 1), steps, cleanUp, difference)
      : { kept, difference };
    const title = `--area ${area.name} --seed ${seed} --steps ${smallest.kept.join()}`;
    const text = describe(title, smallest.kept, steps, smallest.difference);
    outcome.findings.push(text);
    plan.log(text);
  }
}

async function compared(
  pair: Pair,
  { steps, cleanUp }: Steps,
  settleMs: number,
  outcome?: Outcome,
): Promise<Difference[]> {
  const prefix = `d${RUN}${(episodesPlayed++).toString(36).padStart(4, "0")}-`;
  const [theirs, ours] = await Promise.all([
    pair.theirs.play(steps, cleanUp, prefix, settleMs),
    pair.ours.play(steps, cleanUp, prefix, 0),
  ]);
  const differences = untilEnd(compareEpisodes(steps, theirs, ours));
  if (outcome !== undefined) {
    theirs.forEach((answer, index) => {
      if (answer.outcome === "cannot be encoded") outcome.unencodable++;
      const codes = JSON.stringify(answer.response)?.matchAll(/"errorCode":"(\w+)"/gi) ?? [];
      for (const code of new Set([...codes].map(([, name]) => name))) {
        const key = `${steps[index]?.api.name} ${code}`;
        outcome.codes.set(key, (outcome.codes.get(key) ?? 0) + 1);
      }
    });
    for (const difference of differences) {
      const rule = EXPLAINED.find((each) => each.matches(difference));
      if (rule === undefined) continue;
      outcome.explained.set(rule.name, (outcome.explained.get(rule.name) ?? 0) + 1);
    }
  }
  return differences;
}

/** The differences up to one after which nothing can be compared. */
function untilEnd(differences: readonly Difference[]): Difference[] {
  const ending = EXPLAINED.filter(({ endsComparison }) => endsComparison === true);
  const end = differences.findIndex((each) => ending.some((rule) => rule.matches(each)));
  if (end < 0) return [...differences];
  const last = differences[end]?.index ?? 0;
  return differences.filter((each, at) => each.index < last || at === end);
}

const isUnexplained = (difference: Difference) =>
  !EXPLAINED.some((each) => each.matches(difference));

/** What is the same where the trouble is the same: API, place and values. */
function signature({ step, path, theirs, ours, theirStruct }: Difference): string {
  return JSON.stringify([step.api.name, path, theirs, ours, theirStruct["name"] ?? ""]);
}

/** Leaves out steps, ever fewer at a time, while the difference stays. */
async function shrink(
  pair: Pair,
  indexes: readonly number[],
  steps: readonly Step[],
  cleanUp: readonly Step[],
  difference: Difference,
): Promise<{ kept: readonly number[]; difference: Difference }> {
  let smallest = { kept: indexes, difference };
  let trials = 0;
  for (let size = Math.ceil(indexes.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let start = 0; start < smallest.kept.length - 1 && trials < SHRINK_TRIALS_MAX;) {
      const kept = smallest.kept.filter((_, at) =>
        at < start || at >= start + size || at === smallest.kept.length - 1
      );
      trials++;
      const tried = { steps: kept.flatMap((index) => steps[index] ?? []), cleanUp };
      const found = (await compared(pair, tried, PATIENT_SETTLES_MS[0])).filter(isUnexplained);
      const same = found.find((each) => signature(each) === signature(difference));
      if (kept.length < smallest.kept.length && same !== undefined) {
        smallest = { kept: kept.slice(0, same.index + 1), difference: same };
      } else start += size;
    }
  }
  return smallest;
}

const shown = (value: unknown) =>
  inspect(value, { depth: 9, breakLength: 100, compact: 9, maxStringLength: 60 });

function describe(
  title: string,
  kept: readonly number[],
  steps: readonly Step[],
  difference: Difference,
): string {
  const { step, path, theirs, ours, theirAnswer, ourAnswer } = difference;
  const facts = new Facts("~");
  const lines = [`DIFFERENT: ${title}`];
  for (const index of kept) {
    const each = steps[index];
    if (each === undefined) continue;
    lines.push(`  ${index}. ${each.api.name} v${each.version} ${shown(each.request(facts))}`);
  }
  lines.push(
    `  ${step.api.name} ${path} of ${shown(nameIn(difference.theirStruct))}`,
    `    Kafka: ${shown(theirs)}${sentences(theirAnswer.messages)}`,
    `    ours:  ${shown(ours)}${sentences(ourAnswer.messages)}`,
  );
  return lines.join("\n");
}

/** What a struct of an answer is about, without what is in it. */
function nameIn(struct: PlainObject): Plain {
  return Object.fromEntries(
    Object.entries(struct).filter(([, value]) => typeof value !== "object").slice(0, 3),
  );
}

const sentences = (messages: readonly string[]) =>
  messages.length === 0 ? "" : `  (${messages.join(" | ").slice(0, 600)})`;
