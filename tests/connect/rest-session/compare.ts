/** Compares the answers of two sessions field by field. */
import type { Answer } from "./steps.ts";

/** One field that is not the same. */
export interface Difference {
  readonly step: string;
  /** As in `.body.tasks[0].state`. */
  readonly path: string;
  readonly theirs: unknown;
  readonly ours: unknown;
}

/** A difference that is meant to be. */
export interface Explained {
  readonly step: RegExp;
  readonly path: RegExp;
  readonly why: string;
}

const NOTHING = "(nothing)";

/** All that differs. What differs from run to run is made the same before: addresses, folders, stacks. */
export function differences(
  theirs: ReadonlyMap<string, Answer>,
  ours: ReadonlyMap<string, Answer>,
): Difference[] {
  const found: Difference[] = [];
  for (const [step, answer] of theirs) {
    const add = (path: string, a: unknown, b: unknown) => {
      found.push({ step, path, theirs: a, ours: b });
    };
    compare("", normal(answer), normal(ours.get(step)), add);
  }
  return found;
}

function compare(
  path: string,
  theirs: unknown,
  ours: unknown,
  add: (path: string, theirs: unknown, ours: unknown) => void,
): void {
  if (Array.isArray(theirs) && Array.isArray(ours)) {
    if (theirs.length !== ours.length) return add(path, theirs.length, ours.length);
    return theirs.forEach((item, at) => compare(`${path}[${at}]`, item, ours[at], add));
  }
  if (isObject(theirs) && isObject(ours)) {
    for (const key of new Set([...Object.keys(theirs), ...Object.keys(ours)])) {
      const [a, b] = [theirs, ours].map((side) => Object.hasOwn(side, key) ? side[key] : NOTHING);
      compare(`${path}.${key}`, a, b, add);
    }
    return;
  }
  if (theirs !== ours) add(path, theirs, ours);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function normal(answer: unknown): unknown {
  const text = JSON.stringify(answer ?? NOTHING)
    .replaceAll(/127\.0\.0\.1:\d+/g, "WORKER")
    .replaceAll(/\/tmp\/kstream-[\w-]+?-\w{6}(?![\w-])/g, "DIR");
  return normalValue("", JSON.parse(text));
}

function normalValue(key: string, value: unknown): unknown {
  if (key === "trace") return "TRACE";
  if (Array.isArray(value)) {
    const items = value.map((item) => normalValue("", item));
    // Names come in no order.
    return items.every((item) => typeof item === "string") ? items.toSorted() : items;
  }
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, normalValue(k, v)]));
}

/** Differences that nobody has explained, and explanations that explain nothing. */
export function judge(
  found: readonly Difference[],
  explained: readonly Explained[],
): { readonly unexplained: readonly Difference[]; readonly idle: readonly Explained[] } {
  const explains = (explanation: Explained, { step, path }: Difference) => {
    return explanation.step.test(step) && explanation.path.test(path);
  };
  return {
    unexplained: found.filter((one) => !explained.some((each) => explains(each, one))),
    idle: explained.filter((each) => !found.some((one) => explains(each, one))),
  };
}
