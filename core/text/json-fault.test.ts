import { expect, test } from "bun:test";
import { findJsonFault } from "./json-fault.ts";

const fault = (text: string | Uint8Array) => {
  const { message, column } = findJsonFault(Buffer.from(text as string));
  return `${column}: ${message}`;
};

test("the first fault has its column and what is wrong there", () => {
  expect(fault("")).toBe("1: it ends instead of a value");
  expect(fault("nonsense")).toBe('1: unexpected "n" instead of a value');
  expect(fault('{"a":1,}')).toBe('8: unexpected "}" instead of a name in quotes');
  expect(fault('{"a" 1}')).toBe('6: unexpected "1" instead of a colon');
  expect(fault('{"a":1 "b":2}')).toBe('8: unexpected "\\"" instead of a comma or }');
  expect(fault("[1,2")).toBe("5: it ends instead of a comma or ]");
  expect(fault('{"a":"open')).toBe("6: a string is not closed");
  expect(fault('"a\\x"')).toBe("3: an escape that JSON does not have");
  expect(fault('"tab\there"')).toBe("5: a control character in a string");
  expect(fault("01")).toBe('2: unexpected "1" after the end of the value');
  expect(fault("nul")).toBe('1: unexpected "n" instead of a value');
  expect(fault(new Uint8Array([0x22, 0x61, 0xff, 0x22]))).toBe("3: a byte that is no UTF-8");
  expect(fault("[".repeat(5000))).toBe("1002: it is nested too deep");
});

test("whatever JSON.parse refuses has a fault, and nothing else has", () => {
  const pieces = ['"', "{", "}", "[", "]", ":", ",", "1", "-", ".5", "e3", "true", " ", "\\n", "a"];
  let state = 7;
  const below = (bound: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
  for (let round = 0; round < 20_000; round++) {
    const text = Array.from({ length: below(8) }, () => pieces[below(pieces.length)]).join("");
    let valid = true;
    try {
      JSON.parse(text);
    } catch {
      valid = false;
    }
    expect([text, findJsonFault(Buffer.from(text)).message === "it cannot be read"])
      .toEqual([text, valid]);
  }
});
