/**
 * A JSON template with `{{generator arguments}}` in its texts. What a record gets depends on the seed,
 * its number and the place in the template alone, so it is the same whenever it is made again.
 */
import { FieldError } from "../../index.ts";
import type { ConnectValue } from "../../index.ts";

/** What a generator knows. */
export interface Draw {
  /** The number of the record, from 0. */
  readonly number: number;
  /** Wall clock, ms since 1970. */
  readonly nowMs: number;
  /** From 0 up to, not including, 1. */
  random(): number;
}

type Generate = (draw: Draw) => ConnectValue;
export type Template = (number: number, nowMs: number, seed: number) => ConnectValue;

const WORDS = ["apple", "river", "stone", "cloud", "maple", "amber", "tiger", "ocean", "violet"];
const NAMES = ["Ada", "Ben", "Cem", "Dora", "Emil", "Fatma", "Gina", "Hugo", "Ida", "Jan", "Kim"];

interface Generator {
  readonly usage: string;
  readonly arguments: readonly [min: number, max: number];
  make(texts: readonly string[]): Generate;
}

/** By name; `usage` is for messages and the reference. */
const GENERATORS: Readonly<Record<string, Generator>> = {
  sequence: {
    usage: "sequence [START] [STEP]",
    arguments: [0, 2],
    make([start = "0", step = "1"]) {
      const first = numberOf(start);
      const by = numberOf(step);
      return ({ number }) => first + number * by;
    },
  },
  int: {
    usage: "int MIN MAX",
    arguments: [2, 2],
    make([min, max]) {
      const low = Math.ceil(numberOf(min));
      const span = Math.floor(numberOf(max)) - low + 1;
      if (span < 1) throw new FieldError(`has {{int ${min} ${max}}}: the second is less`);
      return ({ random }) => low + Math.floor(random() * span);
    },
  },
  double: {
    usage: "double MIN MAX [DIGITS]",
    arguments: [2, 3],
    make([min, max, digits = "2"]) {
      const low = numberOf(min);
      const span = numberOf(max) - low;
      const scale = 10 ** Math.min(15, Math.max(0, numberOf(digits)));
      return ({ random }) => Math.round((low + random() * span) * scale) / scale;
    },
  },
  choice: {
    usage: "choice A B …",
    arguments: [1, Infinity],
    make: (words) => ({ random }) => words[Math.floor(random() * words.length)]!,
  },
  boolean: {
    usage: "boolean [PROBABILITY]",
    arguments: [0, 1],
    make([probability = "0.5"]) {
      const bound = numberOf(probability);
      return ({ random }) => random() < bound;
    },
  },
  word: { usage: "word", arguments: [0, 0], make: () => oneOf(WORDS) },
  name: { usage: "name", arguments: [0, 0], make: () => oneOf(NAMES) },
  hex: {
    usage: "hex LENGTH",
    arguments: [1, 1],
    make([length]) {
      const count = Math.min(1_000_000, numberOf(length));
      return ({ random }) => hex(count, random);
    },
  },
  uuid: {
    usage: "uuid",
    arguments: [0, 0],
    make: () => ({ random }) => {
      const digits = hex(32, random);
      const variant = "89ab"[Math.floor(random() * 4)]!;
      return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-` +
        `${variant}${digits.slice(17, 20)}-${digits.slice(20)}`;
    },
  },
  time: {
    usage: "time START_MS STEP_MS",
    arguments: [2, 2],
    make([start, step]) {
      const first = numberOf(start);
      const by = numberOf(step);
      return ({ number }) => first + number * by;
    },
  },
  now: { usage: "now", arguments: [0, 0], make: () => ({ nowMs }) => nowMs },
};

/** For the reference. */
export const GENERATOR_USAGE = Object.values(GENERATORS).map(({ usage }) => usage).join(", ");

function oneOf(words: readonly string[]): Generate {
  return ({ random }) => words[Math.floor(random() * words.length)]!;
}

function hex(length: number, random: () => number): string {
  let text = "";
  while (text.length < length) {
    text += Math.floor(random() * 2 ** 32).toString(16).padStart(8, "0");
  }
  return text.slice(0, length);
}

function numberOf(text: string | undefined): number {
  const value = Number(text);
  if (text === undefined || text === "" || !Number.isFinite(value)) {
    throw new FieldError(`has "${text}" where a generator wants a number`);
  }
  return value;
}

/** Compiles a template of JSON; what is no JSON is one text. Throws `FieldError`. */
export function compileTemplate(source: string): Template {
  const generate = compile(parsed(source));
  return (number, nowMs, seed) =>
    generate({ number, nowMs, random: randomOf(mixed(seed) ^ mixed(number + 0x9e3779b9)) });
}

function parsed(source: string): unknown {
  // A text may begin with a generator.
  if (!/^\s*(?:\[|"|\{(?!\{))/.test(source)) return source;
  try {
    return JSON.parse(source);
  } catch (error) {
    throw new FieldError(`must be JSON: ${error instanceof Error ? error.message : error}`);
  }
}

function compile(part: unknown): Generate {
  if (typeof part === "string") return compileText(part);
  if (Array.isArray(part)) {
    const items = part.map(compile);
    return (draw) => items.map((item) => item(draw));
  }
  if (typeof part === "object" && part !== null) {
    const fields = Object.entries(part).map(([name, value]) => [name, compile(value)] as const);
    return (draw) => Object.fromEntries(fields.map(([name, field]) => [name, field(draw)]));
  }
  if (typeof part === "number" || typeof part === "boolean") return () => part;
  return () => null;
}

/** A text that is nothing but one generator has its value, as a number; others are texts. */
function compileText(text: string): Generate {
  const parts = text.split(/\{\{(.*?)\}\}/s);
  const pieces = parts.map((piece, i) => i % 2 === 0 ? () => piece : generatorOf(piece));
  const isAlone = pieces.length === 3 && parts[0] === "" && parts[2] === "";
  if (isAlone) return pieces[1]!;
  return (draw) => pieces.map((piece) => String(piece(draw))).join("");
}

function generatorOf(call: string): Generate {
  const [name = "", ...texts] = call.trim().split(/\s+/);
  const generator = Object.hasOwn(GENERATORS, name) ? GENERATORS[name] : undefined;
  if (generator === undefined) {
    throw new FieldError(`has {{${call}}}, which is none of ${GENERATOR_USAGE}`);
  }
  const [min, max] = generator.arguments;
  if (texts.length < min || texts.length > max) {
    throw new FieldError(`has {{${call}}}, which is written {{${generator.usage}}}`);
  }
  return generator.make(texts);
}

/** The finaliser of MurmurHash3. */
function mixed(value: number): number {
  let h = value | 0;
  // Numbers above 32 bits differ, too.
  h ^= Math.floor(value / 2 ** 32) * 0x27d4eb2f | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
