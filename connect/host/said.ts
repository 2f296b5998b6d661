/** What is read of messages: whoever sent them may be broken, and what is not as it should be is refused. */
import type { RawConfig } from "../config/parse.ts";

/** A message that cannot be read. */
export class UnreadableError extends Error {
  override readonly name = "UnreadableError";
}

/** An object of a message, read field by field. Throws `UnreadableError`. */
export class Said {
  readonly #values: ReadonlyMap<string, unknown>;

  constructor(value: unknown) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new UnreadableError("a message is no object");
    }
    this.#values = new Map(Object.entries(value));
  }

  /** Undefined where it is not there. */
  any(name: string): unknown {
    return this.#values.get(name);
  }

  has(name: string): boolean {
    return this.#values.get(name) !== undefined;
  }

  text(name: string): string {
    const value = this.#values.get(name);
    if (typeof value !== "string") throw new UnreadableError(`a message lacks the text "${name}"`);
    return value;
  }

  /** Null where it is null or not there. */
  textOrNull(name: string): string | null {
    return this.#values.get(name) == null ? null : this.text(name);
  }

  number(name: string): number {
    const value = this.#values.get(name);
    if (typeof value !== "number") {
      throw new UnreadableError(`a message lacks the number "${name}"`);
    }
    return value;
  }

  flag(name: string): boolean {
    return this.#values.get(name) === true;
  }

  inner(name: string): Said {
    return new Said(this.#values.get(name));
  }

  list(name: string): readonly unknown[] {
    const value: unknown = this.#values.get(name);
    if (!Array.isArray(value)) throw new UnreadableError(`a message lacks the list "${name}"`);
    return value;
  }

  texts(name: string): readonly string[] {
    return this.list(name).map((each) => {
      if (typeof each === "string") return each;
      throw new UnreadableError(`"${name}" of a message is no list of texts`);
    });
  }

  /** A map of texts. */
  config(name: string): RawConfig {
    return configOf(this.#values.get(name));
  }

  /** A map of numbers; what is none is left out. */
  figures(name: string): Readonly<Record<string, number>> {
    const entries = [...this.inner(name).#values].flatMap(([key, value]) =>
      typeof value === "number" ? [[key, value] as const] : []
    );
    return Object.fromEntries(entries);
  }
}

/** A map of texts. Throws `UnreadableError`. */
export function configOf(value: unknown): RawConfig {
  const said = new Said(value);
  return Object.fromEntries(Object.keys(value ?? {}).map((key) => [key, said.text(key)]));
}
