/**
 * Expressions mean what JavaScript means by them: sources drawn from the grammar are evaluated here
 * and by JavaScript itself, over drawn values. Where the two differ on purpose (what is missing is
 * undefined, objects have only own properties), the draw stays away.
 */
import { expect, test } from "bun:test";
import { compileExpression, ExpressionError } from "./expression.ts";
import { scopeOf } from "./expression.test-helper.ts";

const SEEDS = Number(process.env["KSTREAM_EXPRESSION_SEEDS"] ?? 3000);

/** Draws from a seed (mulberry32). */
class Draw {
  #state: number;
  constructor(seed: number) {
    this.#state = seed;
  }

  below(count: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % count;
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }
}

const TEXTS = [
  "",
  "a",
  "ab",
  "abc",
  "b,a",
  "10",
  " 7 ",
  "é",
  "𝄞x",
  "Infinity",
  "null",
  "x-y-x",
  "A",
];
const NUMBERS = [0, 1, -1, 2, 3, 10, 0.5, -7.25, 1e21, 2 ** 31, 255];

/** Draws a value as JSON may hold it. Every object has the fields that sources ask for. */
function drawValue(draw: Draw): Record<string, unknown> {
  const list = <T>(of: () => T) => Array.from({ length: draw.below(5) }, of);
  return {
    n: draw.of(NUMBERS),
    m: draw.of(NUMBERS),
    s: draw.of(TEXTS),
    t: draw.of(TEXTS),
    b: draw.below(2) === 0,
    z: null,
    ns: list(() => draw.of(NUMBERS)),
    ss: list(() => draw.of(TEXTS)),
    os: list(() => ({ n: draw.of(NUMBERS), s: draw.of(TEXTS) })),
    o: { n: draw.of(NUMBERS), s: draw.of(TEXTS) },
  };
}

/** Draws sources by the kind of value that they give, so that most of them run. */
class Sources {
  #variables: string[] = [];

  constructor(readonly draw: Draw) {}

  any(depth: number): string {
    const { draw } = this;
    switch (draw.below(8)) {
      case 0:
      case 1:
        return this.number(depth);
      case 2:
      case 3:
        return this.text(depth);
      case 4:
        return this.boolean(depth);
      case 5:
        return this.list(depth);
      case 6:
        return draw.of(["v.z", "v.o", "v.missing", "undefined", "null", "v", "[]", "({})", "NaN"]);
      default:
        return `({a: ${this.any(depth - 1)}, ...v.o, ["x" + ${this.text(depth - 1)}]: 1})`;
    }
  }

  number(depth: number): string {
    const { draw } = this;
    const leaf = depth <= 0 || draw.below(4) === 0;
    if (leaf) {
      return draw.of([
        "v.n",
        "v.m",
        "v.o.n",
        "v['n']",
        "v.s.length",
        "v.ns.length",
        "0x1f",
        "1e3",
        ...NUMBERS.map((number) => `(${number})`),
        ...this.#ofKind("n"),
      ]);
    }
    const number = () => this.number(depth - 1);
    const text = () => this.text(depth - 1);
    switch (draw.below(14)) {
      case 0:
      case 1:
        return `(${number()} ${draw.of(["+", "-", "*", "/", "%", "**"])} ${number()})`;
      case 2:
        return `(${number()} ${draw.of(["&", "|", "^", "<<", ">>", ">>>"])} ${number()})`;
      case 3:
        return `${draw.of(["- ", "+ ", "~ "])}${this.any(depth - 1)}`.replace(/^/, "(") + ")";
      case 4:
        return `Math.${
          draw.of(["floor", "ceil", "abs", "round", "sign", "trunc", "sqrt"])
        }(${number()})`;
      case 5:
        return `Math.${draw.of(["max", "min"])}(...${this.numbers(depth - 1)}, ${number()})`;
      case 6:
        return `${text()}.${draw.of(["indexOf", "lastIndexOf"])}(${text()})`;
      case 7:
        return `${this.numbers(depth - 1)}.reduce((a, n) => a + n * ${number()}, ${number()})`;
      case 8:
        return `${this.list(depth - 1)}.length`;
      case 9:
        return `(${this.boolean(depth - 1)} ? ${number()} : ${number()})`;
      case 10:
        return `${draw.of(["Number", "parseFloat", "parseInt"])}(${text()})`;
      case 11:
        return `(${this.any(depth - 1)} ${draw.of(["-", "*"])} ${this.any(depth - 1)})`;
      case 12:
        return `${this.list(depth - 1)}.findIndex(${this.#arrow(() => this.boolean(depth - 1))})`;
      default:
        return `(${this.any(depth - 1)} ?? ${number()})`;
    }
  }

  text(depth: number): string {
    const { draw } = this;
    if (depth <= 0 || draw.below(4) === 0) {
      return draw.of([
        "v.s",
        "v.t",
        "v.o.s",
        "v?.s",
        "v['t']",
        "(typeof v.z)",
        ...TEXTS.map((text) => JSON.stringify(text)),
        ...this.#ofKind("s"),
      ]);
    }
    const text = () => this.text(depth - 1);
    const number = () => `(${this.number(depth - 1)} % 6)`;
    switch (draw.below(13)) {
      case 0:
        return `(${text()} + ${this.any(depth - 1)})`;
      case 1:
        return "`<${" + this.any(depth - 1) + "}|${" + text() + "}>`";
      case 2:
        return `${text()}.${draw.of(["slice", "substring"])}(${number()}, ${number()})`;
      case 3:
        return `${text()}.${draw.of(["trim", "toUpperCase", "toLowerCase", "trimEnd"])}()`;
      case 4:
        return `${text()}.${draw.of(["padStart", "padEnd"])}(${number()}, ${text()})`;
      case 5:
        return `${text()}.${draw.of(["replace", "replaceAll"])}(${text()}, ${
          draw.of([text(), '"$&$&"', '"[$`]"', `"<$'>"`, '"$$1"', '"$1"'])
        })`;
      case 6:
        return `${text()}.replace(/${draw.of(["a", "[a-c]", "(b)(c)?", "^x|y$", "x*"])}/${
          draw.of(["u", "gu", "giu"])
        }, ${draw.of([text(), '"($&)"', '"$2$1"', '"$11"'])})`;
      case 7:
        return `${this.list(depth - 1)}.join(${text()})`;
      case 8:
        return `String(${this.any(depth - 1)})`;
      case 9:
        return `${text()}.repeat(${draw.below(4)})`;
      case 10:
        return `JSON.stringify(${this.any(depth - 1)}, null, ${draw.below(3)})`;
      case 11:
        return `(typeof ${this.any(depth - 1)})`;
      default:
        return `${number()}.toFixed(${draw.below(4)})`;
    }
  }

  boolean(depth: number): string {
    const { draw } = this;
    if (depth <= 0) return draw.of(["v.b", "true", "false", "!v.b", ...this.#ofKind("b")]);
    const text = () => this.text(depth - 1);
    const any = () => this.any(depth - 1);
    switch (draw.below(9)) {
      case 0:
        return `(${any()} ${draw.of(["===", "!==", "==", "!="])} ${any()})`;
      case 1:
      case 2:
        return `(${any()} ${draw.of(["<", "<=", ">", ">="])} ${any()})`;
      case 3:
        return `(${any()} ${draw.of(["&&", "||", "??"])} ${any()})`.replace(
          /^\((.*)\)$/s,
          "Boolean($1)",
        );
      case 4:
        return `(!${any()})`;
      case 5:
        return `${text()}.${draw.of(["includes", "startsWith", "endsWith"])}(${text()})`;
      case 6:
        return `${this.list(depth - 1)}.${draw.of(["some", "every"])}(${
          this.#arrow(() => this.boolean(depth - 1))
        })`;
      case 7:
        return `/${draw.of(["a.c", "^a", "[0-9]+$", "(a|b)\\b", "\\u0061"])}/u.test(${text()})`;
      default:
        return `(${text()} in v.o)`;
    }
  }

  numbers(depth: number): string {
    return depth <= 0 ? "v.ns" : this.draw.of([
      "v.ns",
      `v.os.map(({n}) => n)`,
      `[${this.number(depth - 1)}, ...v.ns]`,
      "v.ns.toSorted((a, b) => a - b)",
    ]);
  }

  list(depth: number): string {
    const { draw } = this;
    if (depth <= 0) return draw.of(["v.ns", "v.ss", "v.os", "[]", "[v.n, v.s]"]);
    const list = () => this.list(depth - 1);
    switch (draw.below(11)) {
      case 0:
        return `[${this.any(depth - 1)}, ...${list()}, ${this.any(depth - 1)}]`;
      case 1:
        return `${list()}.map(${this.#arrow(() => this.any(depth - 1))})`;
      case 2:
        return `${list()}.filter(${this.#arrow(() => this.boolean(depth - 1))})`;
      case 3:
        return `${list()}.flatMap(${this.#arrow(() => this.list(depth - 1))})`;
      case 4:
        return `${list()}.concat(${this.any(depth - 1)}, ${list()})`;
      case 5:
        return `${list()}.slice(${draw.of(["1", "-2", "0, 2", "1, -1"])})`;
      case 6:
        return `${list()}.toReversed()`;
      case 7:
        return draw.of([
          "v.ss.toSorted()",
          "v.ns.toSorted()",
          "[...v.ss, undefined, 1].toSorted()",
        ]);
      case 8:
        return `${this.text(depth - 1)}.split(${
          draw.of([this.text(depth - 1), "''", "/[,x]/u", "/x*/u", "/(a)|(b)/u"])
        })`;
      case 9:
        return `Object.${draw.of(["keys", "values", "entries"])}(${draw.of(["v.o", "v.ns", "v"])})`;
      default:
        return `[${list()}, [${list()}]].flat(${draw.of(["", "1", "2", "Infinity"])})`;
    }
  }

  #arrow(body: () => string): string {
    const name = `x${this.#variables.length}`;
    this.#variables.push(name);
    const source = body();
    this.#variables.pop();
    return `(${name}, i) => ${source.startsWith("{") ? `(${source})` : source}`;
  }

  /** Variables of arrows as a value of some kind. */
  #ofKind(kind: "n" | "s" | "b"): string[] {
    const wrap = {
      n: (name: string) => `Number(${name})`,
      s: (name: string) => `String(${name})`,
      b: (name: string) => `!${name}`,
    };
    return this.#variables.map(wrap[kind]);
  }
}

type Outcome = { readonly value: unknown } | { readonly failed: true };

function inJavaScript(source: string, value: unknown): Outcome {
  try {
    return { value: new Function("v", `"use strict"; return (${source});`)(value) };
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) return { failed: true };
    throw error;
  }
}

function inExpression(source: string, value: unknown): Outcome {
  try {
    return { value: compileExpression(source).evaluate(scopeOf({ value: JSON.stringify(value) })) };
  } catch (error) {
    if (error instanceof ExpressionError) return { failed: true };
    throw error;
  }
}

/** All that may differ, as text: -0 and 0, NaN, undefined, the order of properties. */
function written(outcome: Outcome): string {
  return JSON.stringify(outcome, (_name, value) => {
    if (value === undefined) return "(undefined)";
    if (typeof value !== "number") return value;
    return Object.is(value, -0) ? "(-0)" : `(${value})`;
  });
}

test(`${SEEDS} drawn sources give what JavaScript gives`, () => {
  let failed = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const draw = new Draw(seed);
    const value = drawValue(draw);
    const source = new Sources(draw).any(4);
    const expected = inJavaScript(source, value);
    if ("failed" in expected) {
      failed++;
      continue;
    }
    const actual = inExpression(source, value);
    if (written(actual) !== written(expected)) {
      expect({ seed, source, value, outcome: actual }).toEqual({
        seed,
        source,
        value,
        outcome: expected,
      });
      throw new Error(`seed ${seed}: ${source}\n${written(actual)}\nnot ${written(expected)}`);
    }
  }
  // Most have to run, else this proves nothing.
  expect(failed).toBeLessThan(SEEDS / 5);
});
