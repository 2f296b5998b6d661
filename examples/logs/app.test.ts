import { expect, test } from "bun:test";
import { json, string } from "kstream/stream";
import { TestDriver } from "kstream/stream/testing";
import builder, { type Alert, config, type Line } from "./app.ts";

function logs() {
  const driver = new TestDriver(builder, { config });
  const lines = driver.input("logs", string(), json<Line>());
  const write = (service: string, level: Line["level"], count: number, atMs: number) => {
    for (let i = 0; i < count; i++) lines.write(service, { level, message: "" }, atMs);
  };
  return { driver, write };
}

test("an alert fires once and is resolved once", () => {
  const { driver, write } = logs();
  write("web", "info", 10, 500);
  write("web", "error", 6, 1_500);
  write("web", "error", 6, 2_500);
  for (let atMs = 3_500; atMs < 8_000; atMs += 1_000) write("web", "info", 10, atMs);
  const alerts = driver.output("alerts", string(), json<Alert>()).readPairs();
  expect(alerts).toEqual([
    ["web", { state: "firing", lines: 16, errors: 6, at: "1970-01-01T00:00:02.000Z" }],
    ["web", { state: "resolved", lines: 20, errors: 0, at: "1970-01-01T00:00:05.000Z" }],
  ]);
  driver.close();
});

test("a few errors are none, however few lines there are", () => {
  const { driver, write } = logs();
  write("web", "error", 4, 500);
  write("web", "info", 1, 9_000);
  expect(driver.output("alerts", string(), json<Alert>()).size).toBe(0);
  driver.close();
});

test("counts of levels are told once a second", () => {
  const { driver, write } = logs();
  const levels = driver.output("log-levels", string(), json<number>());
  write("web", "warn", 50, 0);
  write("web", "info", 50, 900);
  expect(levels.size).toBe(0);
  write("web", "info", 1, 1_000);
  expect(levels.readPairs()).toEqual([["warn", 50]]);
  driver.close();
});
