import { expect, test } from "bun:test";
import { splitLeading, withoutLeading } from "./leading-options.ts";

const COMMANDS = ["topic", "produce"];
const moved = (line: string) => withoutLeading(line.split(" "), COMMANDS).join(" ");

test("options of the cluster before the command are read as if they stood behind it", () => {
  expect(moved("--profile dev topic list")).toBe("topic list --profile dev");
  expect(moved("--profile=dev -b a:1 topic list --json"))
    .toBe("topic list --json --profile=dev -b a:1");
  expect(moved("-ba:1 --color never produce t -- -x")).toBe("produce t -ba:1 --color never -- -x");
  expect(moved("topic list --profile dev")).toBe("topic list --profile dev");
});

test("what stands behind the command wins", () => {
  expect(moved("--brokers a:1 --color=never topic list -b b:1"))
    .toBe("topic list -b b:1 --color=never");
});

test("help and version need no command", () => {
  expect(moved("--color never --help")).toBe("--help");
  expect(moved("--profile dev help topic")).toBe("help topic");
});

test("what cannot be is told", () => {
  expect(() => moved("--profile")).toThrow("--profile has no value");
  expect(() => moved("--profile dev")).toThrow("a command is missing");
  expect(() => moved("--profile dev --json topic list"))
    .toThrow("option '--json' stands before the command");
  expect(moved("--nope")).toBe("--nope");
});

test("an option without its value is not over yet", () => {
  expect(splitLeading(["--profile"])).toEqual({ leading: ["--profile"], rest: [], waits: true });
});
