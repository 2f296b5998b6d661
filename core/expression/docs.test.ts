/** Every example of docs/expressions.md, and every name that it lists. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compileExpression, RecordScope } from "./expression.ts";
import { FUNCTIONS } from "./functions.ts";
import { METHODS } from "./methods.ts";

const page = readFileSync(join(import.meta.dir, "../../docs/expressions.md"), "utf8");
const encode = (text: string) => new TextEncoder().encode(text);

const scope = new RecordScope();
scope.set({
  offset: 1234,
  timestamp: 1_769_853_600_000,
  key: () => encode("42"),
  value: () => encode(/value {4}(\{.*?\})\n {4}headers/s.exec(page)![1]!),
  headers: () => [["trace", encode("y")], ["trace", encode("x")]],
}, { topic: "orders", partition: 3 });

const examples = [...page.matchAll(/^ {4}(\S.*?) +\/\/ (.*)$/gm)];

test("the examples give what they say", () => {
  expect(examples.length).toBeGreaterThan(20);
  for (const [, source, said] of examples) {
    const value = compileExpression(source!).evaluate(scope);
    expect(`${source} // ${JSON.stringify(value)}`).toBe(`${source} // ${said}`);
  }
});

test("the commands at the head compile", () => {
  for (const [, source] of page.matchAll(/--(?:where|map|key-by) (?:'([^']+)')(?! < )/g)) {
    if (source!.startsWith("valu.")) continue;
    expect(compileExpression(source!).test(scope)).toBe(true);
  }
});

test("no method or function is left out", () => {
  for (const name of [...METHODS.keys(), ...FUNCTIONS.keys()]) {
    const short = name.replace(/^(Math|Object|Number)\./, "");
    if (name.startsWith("Math.") || name.startsWith("Number.") || name.startsWith("String.")) {
      continue;
    }
    expect(page).toMatch(new RegExp(`\\b${short.replace(".", "\\.")}\\b`));
  }
});
