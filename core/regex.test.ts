/** Expressions of clients: RE2's syntax, and nothing that takes long. */
import { expect, test } from "bun:test";
import { compileRegex } from "./regex.ts";

const matches = (source: string, text: string) => {
  const compiled = compileRegex(source);
  return compiled.ok ? compiled.regex.matches(text) : compiled.why;
};

test("all of the text has to match", () => {
  expect(matches("a.*", "abc")).toBe(true);
  expect(matches("b", "abc")).toBe(false);
  expect(matches("logs\\.[a-z]{1,20}-[0-9]{4}", "logs.web-2026")).toBe(true);
  expect(matches("[^\\]]{2}|[]a]b", "]b")).toBe(true);
  expect(matches("\\Qa{999}(\\E", "a{999}(")).toBe(true);
});

test("what is wrong is said in RE2's words", () => {
  expect(matches("(", "")).toBe("missing closing )");
  expect(matches("a{1001}", "")).toBe("invalid repeat count");
  expect(matches("(?=a)", "")).toContain("invalid");
  expect(matches("(a)\\1", "")).toContain("invalid escape");
});

test("expressions that would take long are refused before they are compiled", () => {
  const large = [
    "[a-z]{1000}".repeat(3),
    "(((a{30}){30}){30}){30}",
    `(${"a".repeat(300)}){10}`,
    `(?:${"ab|".repeat(100)}c){20,}`,
    "a".repeat(2_001),
    "(".repeat(5_000) + ")".repeat(5_000),
    "x".repeat(1_000_000),
    "{".repeat(9_999),
    "\\Q".repeat(4_999),
    "(a{100}b{100}){100}",
    "(x+x+)+y".repeat(400),
  ];
  const start = performance.now();
  for (const source of large) expect(matches(source, "a")).toBe("expression is too large");
  expect(matches("[".repeat(9_999), "")).toBe("missing closing ]");
  expect(performance.now() - start).toBeLessThan(1_000);
  expect(matches("[a-z]{1000}", "a".repeat(1_000))).toBe(true);
});

test("matching is linear where JavaScript's engine would not end", () => {
  expect(matches("(x+x+)+y", "x".repeat(249))).toBe(false);
});
