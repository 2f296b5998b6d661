/**
 * What a connector is configured with, said once: a field has a type, a default, words about it and
 * checks. Parsing, `validate`, forms, the reference pages and completion are made of it (Kafka's
 * `ConfigDef`). Configs are maps of strings, as in Connect: `parse` reads one value.
 */

/** The types of Kafka's `ConfigDef`. */
export type FieldType =
  | "STRING"
  | "BOOLEAN"
  | "INT"
  | "LONG"
  | "DOUBLE"
  | "LIST"
  | "CLASS"
  | "PASSWORD";

export type Importance = "HIGH" | "MEDIUM" | "LOW";

/** Why a value is refused, as it goes on behind the name of the field: "must be a whole number". */
export class FieldError extends Error {
  override readonly name = "FieldError";
}

interface FieldParts<T> {
  readonly type: FieldType;
  /** What is parsed is trimmed before, where that loses nothing. Throws `FieldError`. */
  read(text: string): T;
  /** The value of a default as configs have it. */
  show(value: T): string;
  readonly fallback: { readonly value: T } | null;
  readonly isRequired: boolean;
  readonly doc: string;
  readonly group: string;
  readonly importance: Importance;
  /** What there is to choose of; empty: anything. */
  readonly choices: readonly string[];
  /** An example, for the reference. */
  readonly example: string | null;
}

/** One field of a config. Its methods make another field of it. */
export class Field<T> {
  constructor(readonly parts: FieldParts<T>) {}

  /** What it is where it is not given. */
  default(value: T): Field<T> {
    return new Field({ ...this.parts, fallback: { value }, isRequired: false });
  }

  /** May be left out: then it is null. */
  optional(): Field<T | null> {
    const { read, show } = this.parts;
    return new Field<T | null>({
      ...this.parts,
      read,
      show: (value) => value === null ? "" : show(value),
      fallback: { value: null },
      isRequired: false,
    });
  }

  /** What it means, as a sentence of the reference. */
  doc(doc: string): Field<T> {
    return new Field({ ...this.parts, doc });
  }

  /** The heading that forms and the reference have it under. */
  group(group: string): Field<T> {
    return new Field({ ...this.parts, group });
  }

  importance(importance: Importance): Field<T> {
    return new Field({ ...this.parts, importance });
  }

  example(example: string): Field<T> {
    return new Field({ ...this.parts, example });
  }

  /** Refuses more: `check` says what a value must be, or null where it is well. */
  check(check: (value: T) => string | null): Field<T> {
    const { read } = this.parts;
    return new Field({
      ...this.parts,
      read: (text) => {
        const value = read(text);
        const refusal = check(value);
        if (refusal !== null) throw new FieldError(refusal);
        return value;
      },
    });
  }
}

/** Fields by their names, as `{ "batch.size": int().default(2000) }`. */
export type Fields = Readonly<Record<string, Field<unknown>>>;

/** What a config of these fields is once it is parsed. */
export type ConfigOf<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never;
};

function field<T>(
  type: FieldType,
  read: (text: string) => T,
  show: (value: T) => string,
): Field<T> {
  return new Field({
    type,
    read,
    show,
    fallback: null,
    isRequired: true,
    doc: "",
    group: "",
    importance: "MEDIUM",
    choices: [],
    example: null,
  });
}

/** Text as it is. */
export function string(): Field<string> {
  return field("STRING", (text) => text, (value) => value);
}

/** The name of a plugin: ours, or one of Kafka's classes. */
export function className(): Field<string> {
  return field("CLASS", (text) => text.trim(), (value) => value);
}

/** Text that is never shown again: not in answers, pages and logs. */
export function secret(): Field<string> {
  return field("PASSWORD", (text) => text, () => "[hidden]");
}

export function boolean(): Field<boolean> {
  const read = (text: string) => {
    const lower = text.trim().toLowerCase();
    if (lower === "true") return true;
    if (lower === "false") return false;
    throw new FieldError("must be true or false");
  };
  return field("BOOLEAN", read, String);
}

/** Bounds of a number, both included. */
export interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

/** A whole number of 32 bits. */
export function int(bounds: Bounds = {}): Field<number> {
  return whole("INT", { min: -(2 ** 31), max: 2 ** 31 - 1, ...bounds });
}

/** A whole number as far as `number` is exact. */
export function long(bounds: Bounds = {}): Field<number> {
  return whole("LONG", { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER, ...bounds });
}

function whole(type: "INT" | "LONG", bounds: Bounds): Field<number> {
  const read = (text: string) => {
    if (!/^[+-]?\d+$/.test(text.trim())) throw new FieldError("must be a whole number");
    return within(Number(text), bounds);
  };
  return field(type, read, String);
}

export function double(bounds: Bounds = {}): Field<number> {
  const read = (text: string) => {
    const value = text.trim() === "" ? NaN : Number(text);
    if (!Number.isFinite(value)) throw new FieldError("must be a number");
    return within(value, bounds);
  };
  return field("DOUBLE", read, String);
}

function within(value: number, { min, max }: Bounds): number {
  if (min !== undefined && value < min) throw new FieldError(`must be at least ${min}`);
  if (max !== undefined && value > max) throw new FieldError(`must be at most ${max}`);
  return value;
}

/** Parts between commas, trimmed; an empty text is an empty list. */
export function list(): Field<readonly string[]> {
  const read = (text: string) =>
    text.trim() === "" ? [] : text.split(",").map((part) => part.trim());
  return field("LIST", read, (value) => value.join(","));
}

/** One of these words; case does not count. */
export function choice<const C extends string>(...choices: readonly C[]): Field<C> {
  const read = (text: string) => {
    const found = choices.find((word) => word.toLowerCase() === text.trim().toLowerCase());
    if (found === undefined) throw new FieldError(`must be one of ${choices.join(", ")}`);
    return found;
  };
  return new Field({ ...field<C>("STRING", read, (value) => value).parts, choices });
}
