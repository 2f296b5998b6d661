import { expect, test } from "bun:test";
import { EnvelopeError, formatEnvelope, parseEnvelope } from "./envelope.ts";
import type { EnvelopeRecord, HeaderEntry } from "./envelope.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const base: EnvelopeRecord = {
  topic: "orders",
  partition: 3,
  offset: 9007199254740993n,
  timestampMs: 1700000000000,
  key: null,
  value: null,
  headers: [],
};

test("what is formatted parses back to the same bytes", () => {
  const payloads = [
    null,
    encode(""),
    encode("null"),
    encode("\ufeffwith a byte order mark"),
    encode('quotes " and \u2028 and \u0000'),
    new Uint8Array([0xff, 0x00, 0xfe]),
    new Uint8Array([0xed, 0xa0, 0x80]), // a lone surrogate is no UTF-8
  ];
  for (const key of payloads) {
    for (const value of payloads) {
      const headers: HeaderEntry[] = [["a", value], ["a", key], ["", null]];
      const record = { ...base, key, value, headers };
      const back = parseEnvelope(encode(formatEnvelope(record)));
      expect(back.key).toEqual(key);
      expect(back.value).toEqual(value);
      expect(back.headers).toEqual(headers);
      expect(back.partition).toBe(3);
      expect(back.timestampMs).toBe(1700000000000);
    }
  }
});

test("an offset beyond 2^53 is printed in full", () => {
  expect(formatEnvelope(base)).toContain('"offset":9007199254740993,');
});

test("a line that is no envelope is refused with a reason", () => {
  const bad: [string, RegExp][] = [
    ["", /no JSON/],
    ["[]", /no JSON object/],
    ["{}", /lacks "value"/],
    ['{"value":1}', /"value"/],
    ['{"value":{"base64":"*"}}', /base64/],
    ['{"value":null,"partition":-1}', /partition/],
    ['{"value":null,"headers":{"a":"b"}}', /headers/],
    ['{"value":null,"valeu":1}', /unknown field "valeu"/],
    ['{"value":"\\ud800"}', /surrogate/],
  ];
  for (const [line, message] of bad) {
    expect(() => parseEnvelope(encode(line))).toThrow(EnvelopeError);
    expect(() => parseEnvelope(encode(line))).toThrow(message);
  }
});
