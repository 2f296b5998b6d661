import { expect, test } from "bun:test";
import { isUtf8 } from "node:buffer";
import { type EnvelopeInput, formatEnvelope, parseEnvelope } from "./envelope.ts";
import { PlainEnvelope } from "./plain-envelope.ts";
import { endOfRun, ENDS_RUN } from "./string-run.ts";

const encoder = new TextEncoder();
const reader = new PlainEnvelope();

/** What the reader makes of a line that stands among other bytes; null: it is not plain. */
function read(line: Uint8Array, before = "x\n", after = '\n{"value":"y"}'): EnvelopeInput | null {
  const bytes = Buffer.concat([Buffer.from(before), line, Buffer.from(after)]);
  const start = before.length;
  if (!reader.read(bytes, start, start + line.length)) return null;
  const { source, keyStart, keyEnd, valueStart, valueEnd, partition, timestampMs } = reader;
  return {
    partition: partition < 0 ? null : partition,
    timestampMs,
    key: keyStart < 0 ? null : Uint8Array.from(source.subarray(keyStart, keyEnd)),
    value: valueStart < 0 ? null : Uint8Array.from(source.subarray(valueStart, valueEnd)),
    headers: [],
  };
}

/** What the line means, or null if it means nothing. */
function meaning(line: Uint8Array): EnvelopeInput | null {
  try {
    return parseEnvelope(line);
  } catch {
    return null;
  }
}

/** Numbers that are always the same for a seed (mulberry32). */
class Chance {
  constructor(private state: number) {}
  below(bound: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  }
  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }
}

/** Pieces of strings: plain ones of every length modulo four, escapes, and what is no string. */
const PIECES = [
  ...["a", "bc", "def", "ghij", "k".repeat(33), "ü", "😀", "\u2028", "\ufeff", "{}[],:"],
  ...['\\"', "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t"],
];
const HOSTILE_PIECES = [
  ...["\\u00e4", "\\ud83d\\ude00", "\\ud800", "\\x", "\\", '"', "\x00", "\x1f", "\t", "\x7f"],
];
const STRUCTURE = ["", " ", "\t", "\r", ",", ":", "{", "}", "[", "]", '"', "null", "-", "0", "1"];
const NUMBERS = ["0", "-1", "7", "42", "1700000000000", "999999999999999", "2147483647"];
const HOSTILE_NUMBERS = [
  ...["01", "-0", "1.0", "1e3", "-", "2147483648", "9007199254740993", "1234567890123456", "+1"],
];

function string(chance: Chance, hostile: boolean): string {
  const pieces = hostile && chance.below(3) === 0 ? [...PIECES, ...HOSTILE_PIECES] : PIECES;
  return `"${Array.from({ length: chance.below(6) }, () => chance.of(pieces)).join("")}"`;
}

function number(chance: Chance, hostile: boolean): string {
  return chance.of(hostile && chance.below(3) === 0 ? HOSTILE_NUMBERS : NUMBERS);
}

function member(chance: Chance, hostile: boolean): string {
  const space = () => chance.below(8) === 0 ? chance.of([" ", "\t", "\r", " \t "]) : "";
  const text = () => chance.below(6) === 0 ? "null" : string(chance, hostile);
  const count = () => chance.below(6) === 0 ? "null" : number(chance, hostile);
  const whole = (name: string, value: string) =>
    `${space()}"${name}"${space()}:${space()}${value}${space()}`;
  switch (chance.below(hostile ? 11 : 9)) {
    case 0:
    case 1:
      return whole("value", text());
    case 2:
      return whole("key", text());
    case 3:
      return whole("topic", text());
    case 4:
      return whole("partition", count());
    case 5:
      return whole("offset", count());
    case 6:
      return whole("timestamp", count());
    case 7:
      return whole("timestampType", text());
    case 8:
      return whole("headers", chance.of(["[]", "[ ]", "null"]));
    case 9:
      return whole("headers", chance.of(['[["a","b"]]', "[1]", "{}", "[", '[["a"]]']));
    default:
      return whole(chance.of(["valeu", "k", "", "__proto__", "keys"]), text());
  }
}

/** Bytes of a line that may be an envelope. */
function line(chance: Chance, hostile: boolean): Uint8Array {
  const members = Array.from({ length: chance.below(6) }, () => member(chance, hostile));
  const bytes = encoder.encode(`{${members.join(",")}}`);
  if (!hostile) return bytes;
  for (let changes = chance.below(3); changes > 0; changes--) {
    const at = chance.below(bytes.length + 1);
    const inserted = chance.below(4) === 0
      ? Uint8Array.of(chance.below(256))
      : encoder.encode(chance.of(STRUCTURE));
    const dropped = chance.below(2);
    return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + dropped)]);
  }
  return bytes;
}

test("what is read from the bytes is what the parser says, whatever comes", () => {
  let taken = 0;
  for (let seed = 1; seed <= 60_000; seed++) {
    const bytes = line(new Chance(seed), seed % 2 === 0);
    // Lines that are no UTF-8 are never given to it.
    if (!isUtf8(bytes)) continue;
    const found = read(bytes);
    if (found === null) continue;
    taken++;
    const expected = meaning(bytes);
    if (!Bun.deepEquals(found, expected)) {
      throw new Error(`seed ${seed}: ${Buffer.from(bytes)} read as ${Bun.inspect(found)}`);
    }
  }
  expect(taken).toBeGreaterThan(5_000);
});

test("cut anywhere it is not read beyond its end", () => {
  const whole = '{"topic":"t","partition":3,"timestamp":17,"key":"a\\nb","value":"c","headers":[]}';
  for (let length = 0; length < whole.length; length++) {
    const cut = encoder.encode(whole.slice(0, length));
    expect(read(cut, "", whole.slice(length))).toBeNull();
  }
  expect(read(encoder.encode(whole), "", "")).not.toBeNull();
});

test("what programs print is plain", () => {
  const text = 'tea, 茶 and "cake"\n\t\\ '.repeat(40);
  const record = {
    ...{ topic: "orders", partition: 3, offset: 42n, timestampMs: 1700000000000 },
    ...{ key: encoder.encode('a"b'), value: encoder.encode(text), headers: [] },
  };
  const lines = [
    formatEnvelope(record),
    formatEnvelope({ ...record, key: null, isAppendTime: true }),
    JSON.stringify({ value: text }),
    JSON.stringify({ key: "k", value: JSON.stringify({ note: text, id: 7 }) }),
    '{"key": "k", "value": null, "headers": []}\r',
  ];
  for (const each of lines) {
    const bytes = encoder.encode(each);
    expect(read(bytes)).toEqual(parseEnvelope(bytes));
  }
});

test("what is large, has headers or escapes by number is left to the parser", () => {
  const others = [
    JSON.stringify({ value: "x".repeat(1024 * 1024) }),
    '{"value":"x","headers":[["a","b"]]}',
    '{"value":"\\u00e4"}',
    '{"value":{"base64":"AAAA"}}',
  ];
  for (const each of others) {
    expect(read(encoder.encode(each))).toBeNull();
    expect(meaning(encoder.encode(each))).not.toBeNull();
  }
});

test("a run of plain bytes ends where the first other byte is", () => {
  for (let byte = 0; byte < 256; byte++) {
    for (let at = 0; at < 9; at++) {
      for (const fill of [0x20, 0x21, 0x7f, 0x80, 0xff]) {
        const bytes = new Uint8Array(11).fill(fill);
        bytes[at + 1] = byte;
        const view = new DataView(bytes.buffer);
        expect(endOfRun(view, bytes, 1, 10)).toBe(ENDS_RUN[byte] === 1 ? at + 1 : 10);
      }
    }
  }
});
