/**
 * What a query of streams says beyond SQL, cut out of its text: `WINDOW TUMBLING (…)`, `WITHIN (…)`,
 * `TABLE(topic)`, `EMIT …`, `PARTITION BY …`, `INTO topic`. Blanks stand in their place, so that all else is where it was.
 */
import { ExpressionError, type Span } from "../../core/expression/expression-error.ts";
import type { QueryWindow, Within } from "./syntax.ts";

/** A word, a name in quotes, a text, or a sign. */
interface Token extends Span {
  readonly kind: "word" | "name" | "text" | "sign";
  /** Words in capitals, names without their quotes. */
  readonly text: string;
  /** How many parentheses are around it. */
  readonly depth: number;
}

/** See the head of the file. */
export interface Clauses {
  /** The rest, which is SQL. */
  readonly sql: string;
  readonly window: QueryWindow | null;
  /** In the order of the joins that they are of, by where each stands. */
  readonly withins: readonly Within[];
  /** Where topics stand that are read as tables. */
  readonly tables: readonly Span[];
  /** Topics with hyphens in their names, by where they begin: SQL knows hyphens in quotes only. */
  readonly hyphened: ReadonlyMap<number, string>;
  readonly emits: "changes" | "final" | null;
  readonly into: string | null;
  /** Where the expression of `PARTITION BY` stands in the text. */
  readonly partitionBy: Span | null;
}

const UNITS_MS: Readonly<Record<string, number>> = {
  MILLISECOND: 1,
  SECOND: 1000,
  MINUTE: 60_000,
  HOUR: 3_600_000,
  DAY: 86_400_000,
  WEEK: 604_800_000,
};

const TOKEN =
  /\s+|--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|[\p{L}_][\p{L}\p{N}_$]*|\d+(?:\.\d+)?|[\s\S]/uy;

/** As many windows as one record is added to. */
const WINDOWS_MAX = 10_000;

/** What ends an expression of `PARTITION BY`. */
const AFTER_PARTITION_BY = new Set(["EMIT", "INTO", "GROUP", "HAVING", "WINDOW", "WHERE"]);

/** Throws `ExpressionError`. */
export function cutClauses(text: string): Clauses {
  return new Cutter(text).cut();
}

class Cutter {
  readonly #tokens: readonly Token[];
  readonly #text: string;
  #at = 0;
  readonly #cut: Span[] = [];
  #window: QueryWindow | null = null;
  readonly #withins: Within[] = [];
  readonly #tables: Span[] = [];
  readonly #hyphened = new Map<number, string>();
  #emits: "changes" | "final" | null = null;
  #into: string | null = null;
  #partitionBy: Span | null = null;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokensOf(text);
  }

  cut(): Clauses {
    for (; this.#at < this.#tokens.length; this.#at++) {
      const { kind, text, depth } = this.#tokens[this.#at]!;
      if (kind !== "word" || depth > 0) continue;
      if (text === "FROM" || text === "JOIN") this.#readHyphens();
      else if (this.#isName()) continue;
      else if (text === "WINDOW") this.#readWindow();
      else if (text === "WITHIN") this.#readWithin();
      else if (text === "TABLE" && this.#isBehind("FROM", "JOIN")) this.#readTable();
      else if (text === "EMIT") this.#readEmit();
      else if (text === "PARTITION") this.#readPartitionBy();
      else if (text === "INTO" && this.#isBehind("INSERT")) this.#readHyphens();
      else if (text === "INTO") this.#readInto();
    }
    return {
      sql: this.#rest(),
      window: this.#window,
      withins: this.#withins,
      tables: this.#tables,
      hyphened: this.#hyphened,
      emits: this.#emits,
      into: this.#into,
      partitionBy: this.#partitionBy,
    };
  }

  /** A field or a column may be called as a clause is: `o.partition`, `x AS emit`, `window > 3`. */
  #isName(): boolean {
    const { text } = this.#here();
    if (this.#isBehind(".", "AS")) return true;
    if (this.#isBehind("FROM", "JOIN")) return text !== "TABLE";
    const next = this.#peek();
    if (next === undefined || /^[\d(;]/.test(next.text)) return false;
    return next.kind === "sign" || next.text === "FROM" || next.text === "AS";
  }

  #isBehind(...texts: readonly string[]): boolean {
    const before = this.#tokens[this.#at - 1];
    return before !== undefined && before.kind !== "text" && texts.includes(before.text);
  }

  /** `WINDOW TUMBLING (1 minute, GRACE 10 seconds)`, `HOPPING (1 hour, ADVANCE BY 5 minutes)` … */
  #readWindow(): void {
    const first = this.#here();
    if (this.#window !== null) this.#fail("there are two windows", first);
    const kind = this.#next("which window: TUMBLING, HOPPING, SLIDING or SESSION?");
    if (!["TUMBLING", "HOPPING", "SLIDING", "SESSION"].includes(kind.text)) {
      this.#fail("a window is TUMBLING, HOPPING, SLIDING or SESSION", kind);
    }
    this.#sign("(");
    this.#skip("SIZE");
    const lengthMs = this.#duration(kind.text === "SLIDING" ? 0 : 1);
    let advanceMs: number | null = null;
    let graceMs: number | null = null;
    while (this.#peek()?.text === ",") {
      this.#at++;
      const word = this.#next("GRACE or ADVANCE BY");
      if (word.text === "ADVANCE" && kind.text === "HOPPING") {
        this.#skip("BY");
        advanceMs = this.#duration(1);
      } else if (word.text === "GRACE") {
        this.#skip("PERIOD");
        graceMs = this.#duration();
      } else if (word.text === "RETENTION") {
        this.#fail("windows are kept as long as GRACE lets them change: leave RETENTION out", word);
      } else {
        this.#fail(
          kind.text === "HOPPING" ? "ADVANCE BY or GRACE is expected" : "GRACE is expected",
          word,
        );
      }
    }
    const span = { start: first.start, end: this.#sign(")").end };
    this.#cut.push(span);
    if (kind.text === "HOPPING") {
      if (advanceMs === null) this.#fail("ADVANCE BY is missing: how far apart are windows?", kind);
      if (advanceMs > lengthMs) this.#fail("ADVANCE BY is longer than the window", span);
      if (lengthMs / advanceMs > WINDOWS_MAX) {
        const count = Math.ceil(lengthMs / advanceMs);
        this.#fail(`each record would be in ${count} windows, at most ${WINDOWS_MAX}`, span);
      }
      this.#window = { kind: "hopping", sizeMs: lengthMs, advanceMs, graceMs, span };
    } else if (kind.text === "SESSION") {
      this.#window = { kind: "session", gapMs: lengthMs, graceMs, span };
    } else {
      const windowKind = kind.text === "TUMBLING" ? "tumbling" : "sliding";
      this.#window = { kind: windowKind, sizeMs: lengthMs, graceMs, span };
    }
  }

  /** `WITHIN 10 minutes`, `WITHIN (1 minute, 5 minutes)`: before and after; `GRACE 1 minute` behind. */
  #readWithin(): void {
    const { start } = this.#here();
    const isList = this.#peek()?.text === "(";
    if (isList) this.#at++;
    const beforeMs = this.#duration();
    let afterMs = beforeMs;
    if (isList) {
      if (this.#peek()?.text === ",") {
        this.#at++;
        afterMs = this.#duration();
      }
      this.#sign(")");
    }
    let graceMs: number | null = null;
    if (this.#peek()?.text === "GRACE") {
      this.#at++;
      this.#skip("PERIOD");
      graceMs = this.#duration();
    }
    const span = { start, end: this.#here().end };
    this.#cut.push(span);
    this.#withins.push({ beforeMs, afterMs, graceMs, span });
  }

  /** `TABLE(customers)` or `TABLE customers`. */
  #readTable(): void {
    const word = this.#here();
    this.#cut.push(word);
    const isList = this.#peek()?.text === "(";
    if (isList) {
      this.#at++;
      this.#cut.push(this.#here());
    }
    this.#readHyphens();
    this.#tables.push(this.#next("which topic is the table?"));
    if (isList) this.#cut.push(this.#sign(")"));
  }

  /** Looks at the topic that comes next. */
  #readHyphens(): void {
    const name = this.#peek();
    if (name === undefined || name.kind !== "word") return;
    const topic = this.#text.slice(name.start, this.#topicEnd(name));
    if (topic.includes("-")) this.#hyphened.set(name.start, topic);
  }

  /** A topic may have dots and hyphens, which are signs of their own here: where its name ends. */
  #topicEnd({ end: from }: Span): number {
    const more = /^(?:[.-][\p{L}\p{N}_]+)*/u.exec(this.#text.slice(from, from + 250));
    return from + (more?.[0].length ?? 0);
  }

  #readEmit(): void {
    const { start } = this.#here();
    const what = this.#next("EMIT CHANGES or EMIT FINAL");
    if (what.text !== "CHANGES" && what.text !== "FINAL") {
      this.#fail("EMIT CHANGES or EMIT FINAL is expected", what);
    }
    this.#emits = what.text === "CHANGES" ? "changes" : "final";
    this.#cut.push({ start, end: what.end });
  }

  #readInto(): void {
    const { start } = this.#here();
    const name = this.#next("into which topic?");
    if (name.kind !== "word" && name.kind !== "name") this.#fail("a topic is expected", name);
    if (this.#into !== null) this.#fail("there are two INTO", name);
    // A topic may have dots and hyphens, which are signs of their own here.
    const end = name.kind === "name" ? name.end : this.#topicEnd(name);
    while (this.#here().end < end) this.#at++;
    this.#into = name.kind === "name" ? name.text : this.#text.slice(name.start, end);
    this.#cut.push({ start, end });
  }

  #readPartitionBy(): void {
    const { start } = this.#here();
    const by = this.#next("PARTITION BY what?");
    if (by.text !== "BY") this.#fail("PARTITION BY is expected", by);
    let last: Token = by;
    for (let next = this.#peek(); next !== undefined; next = this.#peek()) {
      const isOver = next.depth === 0 &&
        (next.kind === "word" && AFTER_PARTITION_BY.has(next.text) || next.text === ";");
      if (isOver) break;
      last = this.#next("");
    }
    if (last === by) this.#fail("PARTITION BY what?", by);
    this.#partitionBy = { start: by.end, end: last.end };
    this.#cut.push({ start, end: last.end });
  }

  /** The text with blanks where something was cut; lines stay lines. */
  #rest(): string {
    let rest = this.#text;
    const put = ({ start, end }: Span, make: (part: string) => string) => {
      rest = rest.slice(0, start) + make(rest.slice(start, end)) + rest.slice(end);
    };
    for (const span of this.#cut) put(span, (part) => part.replaceAll(/[^\n]/g, " "));
    for (const [start, topic] of this.#hyphened) {
      put({ start, end: start + topic.length }, (part) => part.replaceAll(/[-.]/g, "_"));
    }
    return rest;
  }

  /** `10 minutes`, in milliseconds. */
  #duration(minMs = 0): number {
    const count = this.#next("how long?");
    const amount = Number(this.#raw(count));
    const unit = this.#next("of what: seconds, minutes, hours?");
    const unitMs = UNITS_MS[unit.text.replace(/S$/, "")];
    if (!Number.isFinite(amount) || amount < 0) this.#fail("a number is expected", count);
    if (unitMs === undefined) {
      this.#fail("a unit is expected: milliseconds, seconds, minutes, hours, days or weeks", unit);
    }
    const ms = Math.round(amount * unitMs);
    if (ms < minMs) this.#fail("this is less than a millisecond", count);
    if (ms > Number.MAX_SAFE_INTEGER / 4) this.#fail("this is too long", count);
    return ms;
  }

  #here(): Token {
    return this.#tokens[this.#at]!;
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at + 1];
  }

  #next(missing: string): Token {
    const next = this.#tokens[++this.#at];
    if (next !== undefined) return next;
    const end = this.#text.trimEnd().length;
    return this.#fail(`the query ends here: ${missing}`, { start: end, end: end + 1 });
  }

  #sign(sign: string): Token {
    const next = this.#next(`"${sign}" is expected`);
    if (next.text !== sign) this.#fail(`"${sign}" is expected`, next);
    return next;
  }

  #skip(word: string): void {
    if (this.#peek()?.text === word) this.#at++;
  }

  #raw({ start, end }: Span): string {
    return this.#text.slice(start, end);
  }

  #fail(message: string, { start, end }: Span): never {
    throw new ExpressionError(message, this.#text, { start, end });
  }
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let depth = 0;
  for (const match of text.matchAll(new RegExp(TOKEN.source, "gu"))) {
    const [raw] = match;
    const span = { start: match.index, end: match.index + raw.length };
    if (/^(?:\s|--|\/\*)/.test(raw)) continue;
    if (raw === ")") depth--;
    if (raw.startsWith('"') && raw.length > 1) {
      tokens.push({ ...span, kind: "name", text: raw.slice(1, -1).replaceAll('""', '"'), depth });
    } else if (raw.startsWith("'")) {
      tokens.push({ ...span, kind: "text", text: raw, depth });
    } else if (/^[\p{L}_]/u.test(raw)) {
      tokens.push({ ...span, kind: "word", text: raw.toUpperCase(), depth });
    } else {
      tokens.push({ ...span, kind: "sign", text: raw, depth });
    }
    if (raw === "(") depth++;
  }
  return tokens;
}
