/** Where two brokers' answers to the same step differ. */
import type { Answer } from "./player.ts";
import type { Plain, PlainObject } from "./normaliser.ts";
import type { Step } from "./step.ts";

/** One place in one answer. */
export interface Difference {
  /** Index of the step in its episode. */
  readonly index: number;
  readonly step: Step;
  /** Where in the response, as `topics[].errorCode`; `(outcome)` where one broker gave none. */
  readonly path: string;
  readonly theirs: Plain;
  readonly ours: Plain;
  /** The innermost structs that hold the place. */
  readonly theirStruct: PlainObject;
  readonly ourStruct: PlainObject;
  readonly theirAnswer: Answer;
  readonly ourAnswer: Answer;
}

/** Stands for an item that one of the two lacks. */
export const NOTHING = "(nothing)";

/** All differences of an episode, in its order. */
export function compareEpisodes(
  steps: readonly Step[],
  theirs: readonly Answer[],
  ours: readonly Answer[],
): Difference[] {
  return steps.flatMap((step, index) => {
    const [theirAnswer, ourAnswer] = [theirs[index], ours[index]];
    if (theirAnswer === undefined || ourAnswer === undefined) throw new Error("an answer is lost");
    const found: Place[] = [];
    const top = { path: "", theirStruct: {}, ourStruct: {} };
    if (theirAnswer.outcome !== ourAnswer.outcome) {
      const [theirs, ours] = [theirAnswer.outcome, ourAnswer.outcome];
      found.push({ ...top, path: "(outcome)", theirs, ours });
    } else {
      collect({ ...top, theirs: theirAnswer.response, ours: ourAnswer.response }, found);
    }
    return found.map((each) => ({ index, step, theirAnswer, ourAnswer, ...each }));
  });
}

type Place = Pick<Difference, "path" | "theirs" | "ours" | "theirStruct" | "ourStruct">;

function collect(place: Place, found: Place[]): void {
  const { path, theirs, ours } = place;
  if (JSON.stringify(theirs) === JSON.stringify(ours)) return;
  if (isArray(theirs) && isArray(ours)) return collectItems(place, theirs, ours, found);
  if (!isObject(theirs) || !isObject(ours)) return void found.push(place);
  const isOtherCode = theirs["errorCode"] !== ours["errorCode"];
  for (const name of new Set([...Object.keys(theirs), ...Object.keys(ours)])) {
    // What else differs then follows from the code.
    if (isOtherCode && name !== "errorCode") continue;
    collect({
      path: path === "" ? name : `${path}.${name}`,
      theirs: theirs[name] ?? null,
      ours: ours[name] ?? null,
      theirStruct: theirs,
      ourStruct: ours,
    }, found);
  }
}

/** Pairs items that are equal, then those that carry the same name, then the rest as they come. */
function collectItems(
  place: Place,
  theirs: readonly Plain[],
  ours: readonly Plain[],
  found: Place[],
): void {
  const path = `${place.path}[]`;
  const ourRest = new Map<string, Plain[]>();
  const theirRest: Plain[] = [];
  const unmatched = [...ours];
  for (const item of theirs) {
    const at = unmatched.findIndex((other) => JSON.stringify(other) === JSON.stringify(item));
    if (at >= 0) unmatched.splice(at, 1);
    else theirRest.push(item);
  }
  for (const item of unmatched) {
    ourRest.set(keyOf(item), [...ourRest.get(keyOf(item)) ?? [], item]);
  }
  for (const item of theirRest) {
    const partner = ourRest.get(keyOf(item))?.shift();
    if (partner === undefined) found.push({ ...place, path, theirs: item, ours: NOTHING });
    else collect({ ...place, path, theirs: item, ours: partner }, found);
  }
  for (const item of [...ourRest.values()].flat()) {
    found.push({ ...place, path, theirs: NOTHING, ours: item });
  }
}

const KEYS = [
  "name",
  "topic",
  "topicId",
  "groupId",
  "memberId",
  "resourceName",
  "partitionIndex",
  "partition",
];

function keyOf(item: Plain): string {
  if (!isObject(item)) return "";
  const key = KEYS.find((name) => item[name] !== undefined);
  return key === undefined ? "" : JSON.stringify(item[key]);
}

function isArray(value: Plain): value is readonly Plain[] {
  return Array.isArray(value);
}

function isObject(value: Plain): value is PlainObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
