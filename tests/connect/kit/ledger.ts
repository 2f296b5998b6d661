/** Counts records one by one: what was given, and what has come of it. */
import type { Claim, Item } from "./system.ts";

/** What is wrong, none of it if all is well. */
export interface Verdict {
  readonly given: number;
  readonly lost: readonly string[];
  /** Lost as well, but excused. */
  readonly excused: readonly string[];
  /** That nobody has given. */
  readonly unknown: readonly string[];
  /** What came more than once, with where each is, if that is known. */
  readonly doubled: readonly string[];
  /** That came for the first time behind a later one of their key. */
  readonly disordered: readonly string[];
}

/** See the head of the file. */
export class Ledger {
  readonly #given = new Map<string, number>();
  #excused: ReadonlyMap<string, number> = new Map();

  /** The next of a key. */
  next(key: string): Item {
    const n = this.#given.get(key) ?? 0;
    this.#given.set(key, n + 1);
    return { key, n };
  }

  /** What was given so far may be lost. */
  excuse(): void {
    this.#excused = new Map(this.#given);
  }

  get size(): number {
    return [...this.#given.values()].reduce((sum, count) => sum + count, 0);
  }

  judge(found: readonly Item[]): Verdict {
    const counts = new Map<string, number>();
    const places = new Map<string, string[]>();
    const last = new Map<string, number>();
    const disordered: string[] = [];
    for (const { key, n, at } of found) {
      const name = `${key}:${n}`;
      if (at !== undefined) places.set(name, [...places.get(name) ?? [], at]);
      const before = counts.get(name) ?? 0;
      counts.set(name, before + 1);
      if (before > 0) continue;
      if (n < (last.get(key) ?? -1)) disordered.push(name);
      last.set(key, Math.max(n, last.get(key) ?? -1));
    }
    const lost: string[] = [];
    const excused: string[] = [];
    for (const [key, count] of this.#given) {
      for (let n = 0; n < count; n++) {
        const isExcused = n < (this.#excused.get(key) ?? 0);
        if (!counts.has(`${key}:${n}`)) (isExcused ? excused : lost).push(`${key}:${n}`);
      }
    }
    const isGiven = (name: string) => {
      const colon = name.lastIndexOf(":");
      return Number(name.slice(colon + 1)) < (this.#given.get(name.slice(0, colon)) ?? 0);
    };
    const names = [...counts.keys()];
    return {
      given: this.size,
      lost,
      excused,
      unknown: names.filter((name) => !isGiven(name)),
      doubled: names.filter((name) => counts.get(name)! > 1)
        .map((name) => [name, ...places.get(name) ?? []].join(" ")),
      disordered,
    };
  }
}

const SHOWN = 5;

/** What a verdict says against a claim, a line each. */
export function complaints(verdict: Verdict, claim: Claim, isOrdered: boolean): string[] {
  const say = (what: string, names: readonly string[]) =>
    names.length === 0 ? [] : [`${names.length} ${what}: ${names.slice(0, SHOWN).join(", ")}`];
  return [
    ...say("lost", verdict.lost),
    ...say("that nobody has given", verdict.unknown),
    ...(claim === "at-least-once" ? [] : say("doubled", verdict.doubled)),
    ...(isOrdered ? say("out of order", verdict.disordered) : []),
  ];
}
