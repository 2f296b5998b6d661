/** Ranges and times of `consume`, `group seek` and `topic trim`, and what their exit codes say. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { KSTREAM, startBrokerProcess } from "../harness/broker-process.ts";
import type { BrokerProcess } from "../harness/broker-process.ts";
import { fails, kstream, ok } from "./cli.ts";

let broker: BrokerProcess;
let at: { brokers: string; env: Record<string, string> };

const HOUR_MS = 3_600_000;

beforeAll(async () => {
  broker = await startBrokerProcess();
  at = { brokers: broker.bootstrap, env: { TZ: "Asia/Tokyo" } };
  // Ten records, an hour between: the last one half an hour old.
  const lines = Array.from({ length: 10 }, (_, i) => {
    return `{"value":"${i}","timestamp":${Date.now() - (9 - i) * HOUR_MS - HOUR_MS / 2}}\n`;
  });
  await ok(["topic", "create", "hours"], at);
  await ok(["produce", "hours", "-f", "json"], { ...at, input: lines.join("") });
});

afterAll(async () => {
  expect(await broker.stop()).toBe(0);
});

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `${from + i}\n`).join("");
const read = (...args: string[]) => ok(["consume", "hours", ...args], at);

test("times and ranges of times, with and without @", async () => {
  expect(await read("-e", "-o", "-3h")).toBe(numbers(7, 10));
  expect(await read("-o", "@-3h:end")).toBe(numbers(7, 10));
  expect(await read("-o", "3 hours ago:end")).toBe(numbers(7, 10));
  expect(await read("-o", "-5h:-2h")).toBe(numbers(5, 8));
  expect(await read("-o", "-5h:1h")).toBe(numbers(5, 6));
  expect(await read("-o", "@:-8h")).toBe(numbers(0, 2));
  expect(await read("-o", "2..5")).toBe(numbers(2, 5));
  expect(await read("-o", "2-5")).toBe(numbers(2, 5));
  expect(await read("-e", "-o", "tomorrow")).toBe("");
  expect(await read("-o", "yesterday..tomorrow 23:59", "-n", "10")).toBe(numbers(0, 10));
});

test("a day without a zone is this machine's, with --utc it is UTC's", async () => {
  const day = "2026-01-31";
  await ok(["topic", "create", "zones"], at);
  const lines = ["2026-01-30T16:00Z", "2026-01-31T01:00Z", "2026-01-31T16:00Z"]
    .map((time) => `{"value":"${time}","timestamp":${Date.parse(time)}}\n`).join("");
  await ok(["produce", "zones", "-f", "json"], { ...at, input: lines });
  expect(await ok(["consume", "zones", "-o", `${day}:1d`], at))
    .toBe("2026-01-30T16:00Z\n2026-01-31T01:00Z\n");
  expect(await ok(["consume", "zones", "--utc", "-o", `${day}:1d`], at))
    .toBe("2026-01-31T01:00Z\n2026-01-31T16:00Z\n");
});

test("4 tells that less came than was asked for", async () => {
  const idle = await kstream(["consume", "hours", "-n", "12", "--idle-timeout", "200ms"], at);
  expect(idle).toMatchObject({ exitCode: 4, stdout: numbers(0, 10) });
  expect(idle.stderr).toBe(
    "kstream: nothing came for 200 ms: 10 of 12 records were written\n",
  );
  const range = await kstream(["consume", "hours", "-o", "8:20", "--idle-timeout", "200ms"], at);
  expect(range).toMatchObject({ exitCode: 4, stdout: numbers(8, 10) });
  const endless = await kstream(["consume", "hours", "--idle-timeout", "200ms"], at);
  expect(endless).toMatchObject({ exitCode: 0, stdout: numbers(0, 10), stderr: "" });
  const count = await kstream(["consume", "hours", "-n", "4", "--idle-timeout", "20s"], at);
  expect(count).toMatchObject({ exitCode: 0, stdout: numbers(0, 4), stderr: "" });
});

test("an interrupted range is told too", async () => {
  const reader = Bun.spawn([KSTREAM, "consume", "hours", "-o", "0:20", "-b", at.brokers], {
    stdout: "pipe",
    stderr: "pipe",
  });
  await reader.stdout.getReader().read();
  reader.kill("SIGINT");
  expect(await reader.exited).toBe(4);
  expect(await new Response(reader.stderr).text()).toStartWith("kstream: interrupted: ");
});

test("groups are sent to times", async () => {
  const seek = async (to: string) => {
    const args = ["group", "seek", "late", "--to", to, "-t", "hours", "--create", "--json"];
    return JSON.parse(await ok(args, at)).partitions[0].newOffset;
  };
  expect(await seek("-3h")).toBe(7);
  expect(await seek("6 hours ago")).toBe(4);
  expect(await seek("tomorrow 12:00")).toBe(10);
  await fails(["group", "seek", "late", "--to", "tomorow"], 2, ["tomorow", "yesterday 14:00"], at);
  await fails(["group", "seek", "late", "--to", "1:2"], 2, ["no place in a topic"], at);
});

test("trim shows first, then deletes, and a range that lost its start is incomplete", async () => {
  const shown = await kstream(["topic", "trim", "hours", "--before", "-7h"], at);
  expect(shown.stdout).toMatch(/hours +0 +0 +10 +3 +3\n$/);
  expect(shown.stderr).toBe(
    "kstream: nothing is deleted yet: add --execute to delete 3 records for good\n",
  );
  expect(await read("-e")).toBe(numbers(0, 10));
  const done = await ok(["topic", "trim", "hours:0", "--before", "-7h", "--execute", "--json"], at);
  expect(JSON.parse(done)).toEqual({
    executed: true,
    partitions: [{
      ...{ topic: "hours", partition: 0, startOffset: 0, endOffset: 10, newStartOffset: 3 },
      offsets: 3,
    }],
  });
  expect(await read("-e")).toBe(numbers(3, 10));
  const lost = await kstream(["consume", "hours", "-o", "1:5"], at);
  expect(lost).toMatchObject({ exitCode: 4, stdout: numbers(3, 5) });
  expect(lost.stderr).toBe("kstream: 2 records of hours-0 are deleted already\n");
  await fails(["topic", "trim", "nowhere", "--before", "end"], 1, ["nowhere"], at);
  await fails(["topic", "trim", "hours:7", "--before", "end"], 1, ["no partition 7"], at);
  await fails(["topic", "trim", "hours"], 2, ["--before"], at);
});
