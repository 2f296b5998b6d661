import { expect, test } from "bun:test";
import { shellWords } from "./shell-words.ts";

test("a line is split as a shell would, up to the word that is being typed", () => {
  const cases: readonly (readonly [line: string, words: readonly string[]])[] = [
    ["kstream ", ["kstream", ""]],
    ["kstream  topic\tli", ["kstream", "topic", "li"]],
    [`k 'a b' "c \\" $d" e\\ f`, ["k", "a b", 'c " $d', "e f"]],
    ["k 'open quote", ["k", "open quote"]],
    ["k '' x", ["k", "", "x"]],
    ["a | b; c && kstream t", ["kstream", "t"]],
    ["k a'b'\"c\"", ["k", "abc"]],
    ["k \\", ["k", ""]],
  ];
  for (const [line, words] of cases) expect(shellWords(line)).toEqual([...words]);
});
