/** What `kstream expect` checks of the records of a topic: each check sees all of them, in order. */
import type { RecordPlace, RecordScope } from "../../core/expression/expression.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { RecordCursor } from "../../core/records/record-cursor.ts";
import { runFlag } from "../../core/expression/record-expressions.ts";
import type { Flag } from "../../core/expression/record-expressions.ts";

/** A record as checks see it; valid during the call. */
export interface SeenRecord {
  readonly record: RecordCursor;
  readonly place: RecordPlace;
  /** Set to the record. */
  readonly scope: RecordScope;
}

/** What became of a check. */
export interface CheckResult {
  /** `count 3`, `ordered by v.at`. */
  readonly name: string;
  readonly held: boolean;
  /** What was found. */
  readonly detail: string;
}

/** One check. */
export interface Check {
  /** A record for which `--where` holds. */
  see(seen: SeenRecord): void;
  /** Whether it cannot hold any more. */
  readonly isBroken: boolean;
  result(): CheckResult;
}

/** Bounds of a number of records; null for none. */
export interface CountBounds {
  readonly min: number;
  readonly max: number | null;
}

/** Keys and values that are remembered; beyond it the check says so instead of taking all memory. */
const REMEMBERED_MAX = 1_000_000;

/** `3`, `>=3`, `<=3`, `2..5`; null if it is none of them. */
export function parseCount(text: string): CountBounds | null {
  const [, sign = "", low, high] =
    /^(>=|<=|=|)\s*(\d{1,15})(?:\.\.(\d{1,15}))?$/.exec(text.trim()) ??
      [];
  if (low === undefined || (high !== undefined && sign !== "")) return null;
  const number = Number(low);
  if (high !== undefined) return Number(high) < number ? null : { min: number, max: Number(high) };
  if (sign === ">=") return { min: number, max: null };
  return { min: sign === "<=" ? 0 : number, max: number };
}

/** How many records there are. */
export class CountCheck implements Check {
  matched = 0;

  constructor(readonly bounds: CountBounds) {}

  get isBroken(): boolean {
    return this.bounds.max !== null && this.matched > this.bounds.max;
  }

  /** Whether there are enough. */
  get isReached(): boolean {
    return this.matched >= this.bounds.min;
  }

  see(): void {
    this.matched++;
  }

  result(): CheckResult {
    const { min, max } = this.bounds;
    const wanted = max === null
      ? `${min} or more`
      : min === max
      ? `${min}`
      : min === 0
      ? `${max} or fewer`
      : `${min} to ${max}`;
    const held = this.isReached && !this.isBroken;
    const detail = `${this.matched} matched, ${wanted} expected`;
    return { name: `count ${wanted}`, held, detail };
  }
}

/** No record at all for which an expression holds; sees also those that `--where` leaves out. */
export class NoneCheck implements Check {
  #found: string | null = null;

  constructor(readonly flag: Flag) {}

  get isBroken(): boolean {
    return this.#found !== null;
  }

  see({ record, place, scope }: SeenRecord): void {
    if (this.#found !== null) return;
    if (runFlag(this.flag, record, place, () => this.flag.expression.test(scope))) {
      this.#found = nameOf(record, place);
    }
  }

  result(): CheckResult {
    const detail = this.#found === null ? "there is none" : `it holds for ${this.#found}`;
    return { name: `none ${this.flag.expression.source}`, held: this.#found === null, detail };
  }
}

/** No two records with the same value. */
export class UniqueCheck implements Check {
  readonly #first = new Map<string, string>();
  #twice: string | null = null;

  constructor(readonly flag: Flag) {}

  get isBroken(): boolean {
    return this.#twice !== null;
  }

  see({ record, place, scope }: SeenRecord): void {
    if (this.#twice !== null) return;
    const value = runFlag(this.flag, record, place, () => this.flag.expression.bytes(scope));
    const id = value === null ? "null" : Buffer.from(value).toString("latin1");
    const before = this.#first.get(id);
    const here = nameOf(record, place);
    if (before !== undefined) this.#twice = `${before} and ${here} have the same: ${shorten(id)}`;
    else remember(this.#first, id, here, this.flag.flag);
  }

  result(): CheckResult {
    const detail = this.#twice ?? `${this.#first.size} different`;
    return { name: `unique ${this.flag.expression.source}`, held: this.#twice === null, detail };
  }
}

/** A value never goes back among the records of a key; records without one: of a partition. */
export class OrderCheck implements Check {
  readonly #last = new Map<string, { readonly value: string | number; readonly name: string }>();
  #wrong: string | null = null;

  constructor(readonly flag: Flag) {}

  get isBroken(): boolean {
    return this.#wrong !== null;
  }

  see({ record, place, scope }: SeenRecord): void {
    if (this.#wrong !== null) return;
    const value = runFlag(this.flag, record, place, () => this.flag.expression.evaluate(scope));
    const name = nameOf(record, place);
    if (typeof value !== "number" && typeof value !== "string") {
      this.#wrong = `${name} has no number or text there`;
      return;
    }
    const id = keyOf(record, place);
    const last = this.#last.get(id);
    if (last !== undefined && typeof last.value !== typeof value) {
      this.#wrong = `${name} has another type of value than ${last.name}`;
    } else if (last !== undefined && value < last.value) {
      this.#wrong = `${name} has ${shorten(String(value))} after ${last.name} has ` +
        shorten(String(last.value));
    } else remember(this.#last, id, { value, name }, this.flag.flag);
  }

  result(): CheckResult {
    const name = `ordered by ${this.flag.expression.source}`;
    return { name, held: this.#wrong === null, detail: this.#wrong ?? "it never goes back" };
  }
}

/** All records of a key are in one partition, and their times never go back. */
export class KeyOrderCheck implements Check {
  readonly #last = new Map<
    string,
    { readonly partition: number; timestamp: number; name: string }
  >();
  #wrong: string | null = null;

  get isBroken(): boolean {
    return this.#wrong !== null;
  }

  see({ record, place }: SeenRecord): void {
    const key = record.key();
    if (key === null || this.#wrong !== null) return;
    const id = Buffer.from(key).toString("latin1");
    const name = nameOf(record, place);
    const last = this.#last.get(id);
    if (last !== undefined && last.partition !== place.partition) {
      this.#wrong = `key ${shorten(id)} is in two partitions: ${last.name} and ${name}`;
    } else if (last !== undefined && record.timestamp < last.timestamp) {
      this.#wrong = `key ${shorten(id)}: ${name} is older than ${last.name} before it`;
    } else {
      const { partition } = place;
      remember(this.#last, id, { partition, timestamp: record.timestamp, name }, "--ordered-by");
    }
  }

  result(): CheckResult {
    const detail = this.#wrong ?? `${this.#last.size} keys, each in order`;
    return { name: "ordered by key", held: this.#wrong === null, detail };
  }
}

/** `orders-0@42`. */
export function nameOf(record: { readonly offset: number }, place: RecordPlace): string {
  return `${place.topic}-${place.partition}@${record.offset}`;
}

function keyOf(record: RecordCursor, place: RecordPlace): string {
  const key = record.key();
  return key === null ? `p${place.partition}` : `k${Buffer.from(key).toString("latin1")}`;
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function remember<T>(map: Map<string, T>, id: string, value: T, flag: string): void {
  if (map.size >= REMEMBERED_MAX && !map.has(id)) {
    const limit = REMEMBERED_MAX.toLocaleString("en");
    throw new OperatorError(
      `${flag} has too much to remember`,
      `there are more than ${limit} different values`,
      "look at fewer records with --where, --key or --partition",
      1,
    );
  }
  map.set(id, value);
}
