/** What processes of this program tell each other in JSON. */
import { assert } from "../../../core/assert.ts";

/**
 * An object of JSON that one process of this program has written for another, read field by field:
 * what is not as it has to be is a bug.
 */
export class Fields {
  readonly #values: Map<string, unknown>;

  constructor(value: unknown) {
    assert(typeof value === "object" && value !== null, "it is an object");
    this.#values = new Map(Object.entries(value));
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  text(name: string): string {
    const value = this.#values.get(name);
    assert(typeof value === "string", `it has the text ${name}`);
    return value;
  }

  /** Undefined where it is not there, or null. */
  optionalText(name: string): string | undefined {
    return this.#values.get(name) == null ? undefined : this.text(name);
  }

  number(name: string): number {
    const value = this.#values.get(name);
    assert(typeof value === "number", `it has the number ${name}`);
    return value;
  }

  flag(name: string): boolean {
    return this.#values.get(name) === true;
  }

  list(name: string): string[] {
    const value = this.#values.get(name);
    assert(Array.isArray(value), `it has the list ${name}`);
    return value.map(String);
  }

  pairs(name: string): [string, string][] {
    const value = this.#values.get(name);
    assert(Array.isArray(value), `it has the list ${name}`);
    return value.map((pair: unknown) => {
      assert(Array.isArray(pair) && pair.length === 2, `${name} are pairs`);
      return [String(pair[0]), String(pair[1])];
    });
  }

  /** The objects of a list. */
  inners(name: string): Fields[] {
    const value = this.#values.get(name);
    assert(Array.isArray(value), `it has the list ${name}`);
    return value.map((each: unknown) => new Fields(each));
  }

  inner(name: string): Fields {
    return new Fields(this.#values.get(name));
  }

  optionalInner(name: string): Fields | null {
    return this.#values.get(name) === null ? null : this.inner(name);
  }
}
