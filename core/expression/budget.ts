/**
 * What one evaluation may cost. Everything that grows with the data is charged before it is done, so
 * that no expression hangs or takes the memory of the process, whatever the record is.
 */
import { fail } from "./expression-error.ts";
import type { Span } from "./expression-error.ts";

/** Bounds of one evaluation. */
export interface BudgetLimits {
  /**
   * Steps: about one per operation inside an arrow, per element that a method looks at, per 8
   * characters searched, and per character and instruction of a regular expression. Most take some
   * nanoseconds, the dearest (a regular expression in its worst case) a tenth of a microsecond.
   */
  readonly stepsMax: number;
  /** Units of memory made: a character of a string counts 1, an element of an array or object 8. */
  readonly unitsMax: number;
}

export const DEFAULT_BUDGET: BudgetLimits = { stepsMax: 20_000_000, unitsMax: 16_000_000 };

/** What an element of an array or a property of an object counts. */
export const ELEMENT_UNITS = 8;

/** What is left of both; see the head of the file. */
export class Budget {
  #steps: number;
  #units: number;

  constructor(readonly limits: BudgetLimits) {
    this.#steps = limits.stepsMax;
    this.#units = limits.unitsMax;
  }

  /** Begins the next evaluation. */
  reset(): void {
    this.#steps = this.limits.stepsMax;
    this.#units = this.limits.unitsMax;
  }

  /** Charges work. Throws `Fault`. */
  spend(steps: number, span: Span): void {
    this.#steps -= steps;
    if (!(this.#steps >= 0)) {
      fail(`this takes more than ${this.limits.stepsMax} steps for one record`, span);
    }
  }

  /** Charges memory. Throws `Fault`. */
  take(units: number, span: Span): void {
    this.#units -= units;
    if (!(this.#units >= 0)) {
      fail(`this makes more than ${this.limits.unitsMax} units of data of one record`, span);
    }
  }
}
