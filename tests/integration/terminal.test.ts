/** What a person at a terminal sees, also at a narrow one. */
import { expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { freshDir, KSTREAM, withBroker } from "../harness/broker-process.ts";
import { ok } from "./cli.ts";

const COLUMNS = 30;

/** Runs a line of bash at a narrow terminal. */
function atTerminal(line: string, env: Record<string, string>) {
  let seen = "";
  let told = Promise.withResolvers<void>();
  const child = Bun.spawn(["bash", "-c", line], {
    env: { ...process.env, NO_COLOR: "1", ...env },
    terminal: {
      cols: COLUMNS,
      rows: 24,
      data(_terminal, bytes) {
        seen += new TextDecoder().decode(bytes);
        told.resolve();
        told = Promise.withResolvers();
      },
    },
  });
  return {
    child,
    seen: () => seen,
    async shows(pattern: RegExp): Promise<void> {
      while (!pattern.test(seen)) await told.promise;
    },
  };
}

test("progress is one line that is cut between its parts, and gone in the end", async () => {
  await withBroker(async ({ bootstrap }) => {
    const fifo = join(freshDir("terminal"), "fifo");
    execFileSync("mkfifo", [fifo]);
    const line = `"$KSTREAM" produce slow <"$FIFO"; echo "code $?"`;
    const { child, seen, shows } = atTerminal(line, {
      ...{ KSTREAM, FIFO: fifo, KSTREAM_BROKERS: bootstrap },
    });
    const input = await open(fifo, "w");
    for (let i = 0; i < 1000; i++) await input.write(`${i}\n`.repeat(10));
    await shows(/\d+ records\/s/);
    await input.close();
    await child.exited;
    const lines = seen().replaceAll("\r\x1b[K", "\r\n").split("\r\n");
    expect(lines).toContainEqual(expect.stringMatching(/^[\d.]+ k?B\/s(, [\d,]+ records\/s)?$/));
    for (const each of lines.filter((each) => each.includes("/s"))) {
      expect(each.length).toBeLessThan(COLUMNS);
    }
    expect(seen()).toEndWith(
      "\r\x1b[Ksent 10000, acknowledged 10000, failed 0\r\ncode 0\r\n",
    );
  }, { args: ["--memory", "--topic", "slow"] });
}, 60_000);

test("top fits the terminal, coloured or not, and q ends it", async () => {
  await withBroker(async ({ bootstrap }) => {
    const { child, seen, shows } = atTerminal(`"$KSTREAM" top --color always`, {
      ...{ KSTREAM, KSTREAM_BROKERS: bootstrap },
    });
    await shows(/a-rather-long-[^]*q quits/);
    child.terminal?.write("q");
    expect(await child.exited).toBe(0);
    expect(seen()).toContain("\x1b[1mTOPIC");
    const frames = seen().replaceAll("\x1b[H", "\r\n").replaceAll("\x1b[?", "\r\n\x1b[?");
    const lines = stripVTControlCharacters(frames).split(/\r+\n/);
    expect(lines.filter((line) => line.length > COLUMNS)).toEqual([]);
  }, { args: ["--memory", "--topic", "a-rather-long-name-for-a-topic"] });
}, 60_000);

test("who types records is told how to end, and sees no progress", async () => {
  await withBroker(async ({ bootstrap }) => {
    const { child, seen, shows } = atTerminal(`"$KSTREAM" produce typed`, {
      ...{ KSTREAM, KSTREAM_BROKERS: bootstrap },
    });
    await shows(/Ctrl-D ends/);
    child.terminal?.write("by hand\n\x04");
    expect(await child.exited).toBe(0);
    expect(seen()).not.toContain("records/s");
    expect(await ok(["consume", "typed", "-e"], { brokers: bootstrap })).toBe("by hand\n");
  }, { args: ["--memory", "--topic", "typed"] });
}, 60_000);

test("help is broken to fit the terminal", async () => {
  const { child, seen } = atTerminal(`"$KSTREAM" group seek --help`, { KSTREAM });
  expect(await child.exited).toBe(0);
  const prose = seen().split(/\r+\n/).filter((line) => !line.startsWith("  kstream "));
  expect(prose.length).toBeGreaterThan(50);
  // Nothing breaks what is to be typed, the name of an option or an example, or a word.
  const broken = prose.filter((line) => /^\S|^ {8}/.test(line) && line.trim().includes(" "));
  expect(broken.filter((line) => line.length > COLUMNS)).toEqual([]);
});

test("doctor says that it watches, and Ctrl-C ends it in a line", async () => {
  await withBroker(async ({ bootstrap }) => {
    await ok(["produce", "orders"], { brokers: bootstrap, input: "a\nb\n" });
    await ok(["consume", "orders", "-g", "g", "-n", "1"], { brokers: bootstrap });
    const { child, seen, shows } = atTerminal(`"$KSTREAM" doctor --watch 60`, {
      ...{ KSTREAM, KSTREAM_BROKERS: bootstrap },
    });
    await shows(/watching 1 group for 60 s/);
    child.terminal?.write("\x03");
    expect(await child.exited).toBe(1);
    expect(seen()).toEndWith("kstream: interrupted\r\n");
  }, { args: ["--memory"] });
}, 60_000);
