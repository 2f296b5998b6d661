import { afterEach, expect, test } from "bun:test";
import { chooseColor, colorOfArguments, hasColor, paint } from "./color.ts";
import { formatFacts, formatTable } from "./output.ts";

const before = { ...process.env };

afterEach(() => {
  chooseColor("auto");
  for (const name of ["NO_COLOR", "FORCE_COLOR", "TERM"]) delete process.env[name];
  Object.assign(process.env, before);
});

/** Whether a terminal and a pipe have colours in this environment. */
function colors(environment: Record<string, string>): [terminal: boolean, pipe: boolean] {
  for (const name of ["NO_COLOR", "FORCE_COLOR", "TERM"]) delete process.env[name];
  Object.assign(process.env, environment);
  return [hasColor(true), hasColor(false)];
}

test("a terminal has colours, a pipe has none, unless told otherwise", () => {
  expect(colors({})).toEqual([true, false]);
  expect(colors({ TERM: "xterm", NO_COLOR: "", FORCE_COLOR: "" })).toEqual([true, false]);
  expect(colors({ TERM: "dumb" })).toEqual([false, false]);
  expect(colors({ NO_COLOR: "1" })).toEqual([false, false]);
  expect(colors({ FORCE_COLOR: "1", TERM: "dumb" })).toEqual([true, true]);
  expect(colors({ FORCE_COLOR: "0" })).toEqual([false, false]);
  expect(colors({ NO_COLOR: "1", FORCE_COLOR: "1" })).toEqual([false, false]);
  chooseColor("always");
  expect(colors({ NO_COLOR: "1" })).toEqual([true, true]);
  chooseColor("never");
  expect(colors({ FORCE_COLOR: "1" })).toEqual([false, false]);
});

test("the flag is found on a line that is not parsed yet", () => {
  expect(colorOfArguments(["topic", "list"])).toBeNull();
  expect(colorOfArguments(["topic", "list", "--color", "always"])).toBe("always");
  expect(colorOfArguments(["topic", "--color=never", "--color=always"])).toBe("always");
  expect(colorOfArguments(["--color"])).toBeNull();
});

test("colours change no place of a table, and nothing but them is added", () => {
  const rows = [{ name: "a", size: 5 }, { name: "longer", size: 1000 }];
  const table = () =>
    formatTable(rows, [
      { title: "SIZE", cell: ({ size }) => size, right: true },
      { title: "NAME", cell: ({ name }) => name, tone: () => "good" },
    ], 40) + formatFacts([["id", "x"], ["a long name", "y"]], 40);
  chooseColor("never");
  const plain = table();
  chooseColor("always");
  expect(table()).toContain(paint("good", "longer"));
  expect(table()).not.toBe(plain);
  expect(Bun.stripANSI(table())).toBe(plain);
});
