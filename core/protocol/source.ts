/** What both compilers share: lines of source, names that nothing else has, tests of versions. */
import {
  type Field,
  type Fields,
  LAST_VERSION,
  type Message,
  parseVersions,
  type Versions,
} from "./schema.ts";

/** A test of the version `v`, known while compiling where it is the same for all versions. */
export type Test = "always" | "never" | { readonly condition: string };

/** Source that is being written for one message. */
export class Source {
  readonly lines: string[] = [];
  /** Values that the source refers to as `k[i]`. */
  readonly constants: unknown[] = [];
  readonly #min: number;
  readonly #max: number;
  readonly #flexible: Versions;
  #names = 0;

  constructor(message: Message) {
    const { min, max } = parseVersions(message.versions);
    this.#min = min;
    this.#max = max;
    this.#flexible = message.flexible;
  }

  emit(line: string): void {
    this.lines.push(line);
  }

  name(prefix: string): string {
    return `${prefix}${this.#names++}`;
  }

  constant(value: unknown): string {
    return `k[${this.constants.push(value) - 1}]`;
  }

  /** The test whether `v`, a version of this message, lies in the range. */
  test(versions: Versions): Test {
    const { min, max } = parseVersions(versions);
    if (max < this.#min || min > this.#max) return "never";
    const parts: string[] = [];
    if (min > this.#min) parts.push(`v >= ${min}`);
    if (max < this.#max) parts.push(`v <= ${max}`);
    return parts.length === 0 ? "always" : { condition: parts.join(" && ") };
  }

  /** The test whether lengths are compact and tags follow; a field may have its own range. */
  flexible(field?: Field): Test {
    return this.test(field?.flexible ?? this.#flexible);
  }

  /** Emits one of two pieces of source, or both under a condition. */
  branch(test: Test, yes: () => void, no: () => void): void {
    if (test === "always") return yes();
    if (test === "never") return no();
    this.emit(`if (${test.condition}) {`);
    yes();
    const before = this.lines.push("} else {");
    no();
    if (this.lines.length === before) this.lines.pop();
    this.emit("}");
  }

  /** The fewest bytes that an element of an array takes in any version; at least one. */
  minBytes(items: Exclude<Field["items"], undefined>): number {
    if (typeof items === "string") return FIXED_BYTES[items];
    let least = LAST_VERSION;
    for (let version = this.#min; version <= this.#max; version++) {
      least = Math.min(least, minBytesOfStruct(items, version));
    }
    return Math.max(1, least);
  }
}

function minBytesOfStruct(fields: Fields, version: number): number {
  let sum = 0;
  for (const field of Object.values(fields)) {
    const { min, max } = parseVersions(field.versions);
    if (version < min || version > max || field.tag !== undefined) continue;
    const isStruct = field.type === "struct" && field.nullable === undefined;
    sum += isStruct ? minBytesOfStruct(field.fields ?? {}, version) : FIXED_BYTES[field.type];
  }
  return sum;
}

/** The fewest bytes of a value; of a length, a count or the mark of null where it varies. */
const FIXED_BYTES: Readonly<Record<Field["type"], number>> = {
  bool: 1,
  int8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  float64: 8,
  uuid: 16,
  string: 1,
  bytes: 1,
  records: 1,
  array: 1,
  struct: 1,
};

/**
 * Runs source that sees each member of `support` under its own name, which costs less than a look
 * into an object at each use, and its constants as `k`.
 */
export function runSource(source: string, support: object, k: readonly unknown[]): unknown {
  // Everything in the source comes from our own definitions, nothing from the network.
  // oxlint-disable-next-line typescript/no-implied-eval
  return new Function(...Object.keys(support), "k", source)(...Object.values(support), k);
}
