import { expect, test } from "bun:test";
import { Command } from "@commander-js/extra-typings";
import { fitHelp, HELP } from "./help.ts";

test("prose is broken anew where it is too long, examples and tables stay", () => {
  const text = "Short.\n\n" +
    "A line that is longer than\nthe terminal, and another.\n\n" +
    "  kstream topic create orders --partitions 3\n";
  expect(fitHelp(text, 20)).toBe(
    "Short.\n\n" +
      "A line that is\nlonger than the\nterminal, and\nanother.\n\n" +
      "  kstream topic create orders --partitions 3\n",
  );
  expect(fitHelp(text, 80)).toBe(text);
  expect(fitHelp(text, Infinity)).toBe(text);
});

function helpAt(width: number): string {
  const command = new Command("x").configureHelp(HELP)
    .configureOutput({ getOutHelpWidth: () => width })
    .option("--with <something-long>", "what it does when it is given on the line of a command")
    .option("--plain", "so", false);
  return command.helpInformation();
}

test("options fit a narrow terminal, with what they mean below them where need be", () => {
  for (const width of [34, 50, 80]) {
    for (const line of helpAt(width).split("\n")) expect(line.length).toBeLessThanOrEqual(width);
  }
  expect(helpAt(34)).toContain(
    "  --with <something-long>\n        what it does when it is\n        given on the line of a",
  );
  expect(helpAt(80)).toMatch(/^ {2}--with <something-long> {2}what it does/m);
  expect(helpAt(80)).toMatch(/^ {2}--plain +so$/m);
});
