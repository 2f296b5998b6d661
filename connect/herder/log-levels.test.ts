import { expect, test } from "bun:test";
import { createLogger } from "../../core/logger.ts";
import { LogLevels } from "./log-levels.ts";

function setUp() {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line.replace(/^\S+ /, ""));
  const base = createLogger({ level: "debug", format: "text", wallMs: () => 0, write });
  const levels = new LogLevels(() => 42);
  return { lines, levels, logger: levels.logger("connect", base) };
}

test("a connector has the level of the nearest name above it, also if that changes meanwhile", () => {
  const { lines, levels, logger } = setUp();
  const orders = logger.with({ connector: "orders", task: 0 });
  orders.debug("no");
  expect(levels.set("connect.orders", "debug")).toEqual(["connect.orders"]);
  orders.debug("yes");
  logger.with({ connector: "others" }).debug("no");
  expect(levels.set("root", "ERROR")).toEqual(["connect.orders", "root"]);
  orders.warn("no");
  logger.error("yes");
  levels.set("connect", "OFF");
  logger.error("no");
  expect(lines).toEqual(["DEBUG yes connector=orders task=0", "ERROR yes"]);
  expect(levels.get("connect.orders")).toEqual({ level: "OFF", modifiedMs: 42 });
  expect(levels.get("org.apache.kafka")).toBeNull();
  expect(LogLevels.isLevel("loud")).toBe(false);
});
