/**
 * Faults that somebody who develops a client orders from a broker: rules that say which requests
 * meet with an error, a delay or the end of their connection. Pure but for chance, which comes from
 * the seam, so that the same requests meet the same faults under the same seed.
 */
import type { ErrorCode } from "../../core/errors.ts";
import type { Random } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";

/** When a connection is dropped: before the request is executed, or after, unanswered. */
export type DropMoment = "before" | "after";

/** A rule as it is ordered, checked. What is undefined does not narrow the rule. */
export interface FaultSpec {
  /** Null: every API. */
  readonly apiKey: number | null;
  /** Name of the API, or `*`. */
  readonly api: string;
  readonly topic: string | undefined;
  readonly partition: number | undefined;
  readonly client: string | undefined;
  readonly error: ErrorCode | undefined;
  /** The answer leaves so much later. */
  readonly latencyMs: number;
  readonly drop: DropMoment | undefined;
  /** The first match that is struck, from 1. */
  readonly nth: number;
  /** How many matches are struck, from there on. */
  readonly times: number;
  /** Above 0, at most 1: how likely each of those is. */
  readonly probability: number;
}

/** A rule at work. */
export interface FaultRule extends FaultSpec {
  readonly id: number;
  /** Requests that matched. */
  readonly matched: number;
  /** Those of them that met with the fault. */
  readonly struck: number;
}

/** What a request meets with. */
export interface Strike {
  readonly latencyMs: number;
  /** The rule with an error or a drop, if one struck; the first one in the order of their ids. */
  readonly rule: FaultRule | null;
}

/** Rules that there may be at once. */
const RULES_MAX = 1_000;
const CHANCES = 2 ** 32;

type MutableRule = FaultRule & { matched: number; struck: number };

/** See the head of this file. */
export class FaultRules {
  readonly #random: Random;
  readonly #rules = new Map<number, MutableRule>();
  #nextId = 1;

  constructor(random: Random) {
    this.#random = random;
  }

  get isEmpty(): boolean {
    return this.#rules.size === 0;
  }

  /** Throws an `OperatorError` if there are too many. */
  add(spec: FaultSpec): FaultRule {
    if (this.#rules.size >= RULES_MAX) {
      throw new OperatorError(
        "the fault is not added",
        `there are ${RULES_MAX} rules`,
        "remove some with: kstream dev fault clear",
      );
    }
    const rule = { ...spec, id: this.#nextId++, matched: 0, struck: 0 };
    this.#rules.set(rule.id, rule);
    return { ...rule };
  }

  /** All rules, also those that have struck as often as they may. */
  list(): FaultRule[] {
    return Array.from(this.#rules.values(), (rule) => ({ ...rule }));
  }

  /** False if there is no such rule. */
  remove(id: number): boolean {
    return this.#rules.delete(id);
  }

  /** Removes all; says how many there were. */
  clear(): number {
    const count = this.#rules.size;
    this.#rules.clear();
    return count;
  }

  /** What a request meets with, or null; `touches` says whether it has a rule's topic and partition. */
  strike(
    apiKey: number,
    clientId: string | null,
    touches: (rule: FaultRule) => boolean,
  ): Strike | null {
    let latencyMs = 0;
    let decider: FaultRule | null = null;
    for (const rule of this.#rules.values()) {
      if (rule.apiKey !== null && rule.apiKey !== apiKey) continue;
      if (rule.client !== undefined && rule.client !== clientId) continue;
      const decides = rule.error !== undefined || rule.drop !== undefined;
      if (decides && decider !== null) continue;
      if (rule.struck >= rule.times || !touches(rule)) continue;
      if (!this.#strikes(rule)) continue;
      latencyMs += rule.latencyMs;
      if (decides) decider = rule;
    }
    return latencyMs === 0 && decider === null ? null : { latencyMs, rule: decider };
  }

  #strikes(rule: MutableRule): boolean {
    rule.matched++;
    if (rule.matched < rule.nth) return false;
    const bound = rule.probability * CHANCES;
    if (rule.probability < 1 && this.#random.below(CHANCES) >= bound) return false;
    rule.struck++;
    return true;
  }
}
