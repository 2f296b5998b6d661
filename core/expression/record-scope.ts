/**
 * What expressions see of a record. Its parts are decoded when an expression asks for them, and once
 * for all expressions that look at the same record.
 */
import { Budget, DEFAULT_BUDGET } from "./budget.ts";
import type { BudgetLimits } from "./budget.ts";
import { emptyObject } from "./values.ts";
import type { PlainObject } from "./values.ts";

/** Where the parts of a record come from; a `RecordCursor` is one. */
export interface RecordSource {
  /** −1 where it has none yet. */
  readonly offset: number;
  /** Milliseconds since 1970, or −1. */
  readonly timestamp: number;
  key(): Uint8Array | null;
  value(): Uint8Array | null;
  headers(): readonly (readonly [name: string, value: Uint8Array | null])[];
}

/** A record whose parts are values already, as connectors have them. Each is asked for once. */
export interface RecordValues {
  /** −1 where it has none. */
  readonly offset: number;
  /** Milliseconds since 1970, or −1. */
  readonly timestamp: number;
  key(): unknown;
  value(): unknown;
  headers(): readonly (readonly [name: string, value: unknown])[];
}

/** The partition of a record; −1 where it has none yet. */
export interface RecordPlace {
  readonly topic: string;
  readonly partition: number;
}

const NO_RECORD: RecordSource = {
  offset: -1,
  timestamp: -1,
  key: () => null,
  value: () => null,
  headers: () => [],
};

// `ignoreBOM` keeps a byte order mark: it is part of the text.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What is not decoded yet. */
const UNSEEN = Symbol("unseen");

/**
 * The record under evaluation, the variables of arrows and the budget. It is used again for record
 * after record: `set` it, then evaluate any number of expressions over it.
 */
export class RecordScope {
  readonly budget: Budget;
  /** Variables of the arrows of the expression that runs. */
  readonly slots: unknown[] = [];
  #source: RecordSource = NO_RECORD;
  /** In place of `#source`, where the parts are values already. */
  #values: RecordValues | null = null;
  #place: RecordPlace = { topic: "", partition: -1 };
  #keyText: unknown = UNSEEN;
  #key: unknown = UNSEEN;
  #valueText: unknown = UNSEEN;
  #value: unknown = UNSEEN;
  #headers: PlainObject | null = null;

  constructor(limits: BudgetLimits = DEFAULT_BUDGET) {
    this.budget = new Budget(limits);
  }

  /** Goes to another record, whose bytes must stay until the next call. */
  set(source: RecordSource, place: RecordPlace): void {
    this.#source = source;
    this.#values = null;
    this.#forget(place);
  }

  /** Goes to a record of values: `keyText` and `valueText` are the JSON of what is no text. */
  setValues(values: RecordValues, place: RecordPlace): void {
    this.#source = NO_RECORD;
    this.#values = values;
    this.#forget(place);
  }

  #forget(place: RecordPlace): void {
    this.#place = place;
    this.#keyText = UNSEEN;
    this.#key = UNSEEN;
    this.#valueText = UNSEEN;
    this.#value = UNSEEN;
    this.#headers = null;
  }

  get topic(): string {
    return this.#place.topic;
  }

  get partition(): number {
    return this.#place.partition;
  }

  get offset(): number {
    return (this.#values ?? this.#source).offset;
  }

  get timestamp(): number {
    return (this.#values ?? this.#source).timestamp;
  }

  /** The key as text; bytes if it is no UTF-8, null if there is none. */
  get keyText(): unknown {
    if (this.#keyText === UNSEEN) {
      this.#keyText = this.#values === null ? decode(this.#source.key()) : textOf(this.key);
    }
    return this.#keyText;
  }

  /** As `keyText`, parsed if it is an object or array in JSON: a key 42 stays the text "42". */
  get key(): unknown {
    if (this.#key === UNSEEN && this.#values !== null) this.#key = this.#values.key();
    if (this.#key === UNSEEN) {
      const text = this.keyText;
      this.#key = typeof text === "string" && /^\s*[[{]/.test(text) ? parseJson(text, text) : text;
    }
    return this.#key;
  }

  /** The value as text; bytes if it is no UTF-8, null if it is null. */
  get valueText(): unknown {
    if (this.#valueText === UNSEEN) {
      this.#valueText = this.#values === null ? decode(this.#source.value()) : textOf(this.value);
    }
    return this.#valueText;
  }

  /** As `valueText`, parsed if it is JSON of any kind. */
  get value(): unknown {
    if (this.#value === UNSEEN && this.#values !== null) this.#value = this.#values.value();
    if (this.#value === UNSEEN) {
      const text = this.valueText;
      this.#value = typeof text === "string" && mayBeJson(text) ? parseJson(text, text) : text;
    }
    return this.#value;
  }

  /** The last value of each header by name. */
  get headers(): PlainObject {
    if (this.#headers !== null) return this.#headers;
    const headers = emptyObject();
    for (const [name, value] of this.headerList) headers[name] = value;
    return this.#headers = headers;
  }

  /** All headers in their order, as pairs of name and value. */
  get headerList(): (readonly [name: string, value: unknown])[] {
    if (this.#values !== null) return [...this.#values.headers()];
    return this.#source.headers().map(([name, value]) => [name, decode(value)]);
  }

  /** The last value of that header, or undefined. */
  header(name: string): unknown {
    if (this.#values !== null) return this.headersNamed(name).at(-1);
    return decode(this.#source.headers().findLast((header) => header[0] === name)?.[1]);
  }

  /** All values of that header in their order. */
  headersNamed(name: string): unknown[] {
    if (this.#values !== null) {
      return this.#values.headers().filter((header) => header[0] === name).map(([, value]) =>
        value
      );
    }
    return this.#source.headers().filter((header) => header[0] === name)
      .map(([, value]) => decode(value));
  }
}

/** The text of a value: bytes stay bytes. */
function textOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) {
    return value === null || value instanceof Uint8Array ? value : String(value);
  }
  const plain = (_name: string, part: unknown) => typeof part === "bigint" ? String(part) : part;
  return JSON.stringify(value, plain);
}

/** The text of bytes; a copy of them if they are no UTF-8. */
export function decode<T extends null | undefined>(bytes: Uint8Array | T): unknown {
  if (bytes === null || bytes === undefined) return bytes;
  try {
    return utf8.decode(bytes);
  } catch {
    return bytes.slice();
  }
}

/** The value of JSON, or `otherwise` where it is none. */
export function parseJson(text: string, otherwise: unknown): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return otherwise;
  }
}

/** False for most text that is no JSON, for a failed parse costs an exception. */
function mayBeJson(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x20 || (code >= 0x09 && code <= 0x0d)) continue;
    // " - digits [ f n t {
    return code === 0x22 || code === 0x2d || (code >= 0x30 && code <= 0x39) || code === 0x5b ||
      code === 0x66 || code === 0x6e || code === 0x74 || code === 0x7b;
  }
  return false;
}
