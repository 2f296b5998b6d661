import { expect, test } from "bun:test";
import { join } from "node:path";

/** A program that runs a connector of this folder's neighbours on its own standard streams. */
async function program(source: string, input: string): Promise<{ out: string; code: number }> {
  const child = Bun.spawn([process.execPath, "-e", source], {
    cwd: join(import.meta.dir, ".."),
    stdin: Buffer.from(input),
    stdout: "pipe",
  });
  return { out: await new Response(child.stdout).text(), code: await child.exited };
}

test("standard input is read to its end", async () => {
  const { out, code } = await program(
    `import stdin from "./stdin/stdin.ts"; import { startSource } from "../testing/index.ts";
     const run = startSource(stdin, { topic: "t", format: "jsonl" });
     while (await run.next() !== null);
     console.log(JSON.stringify(run.values()));`,
    '{"a":1}\n\n2',
  );
  expect([out, code]).toEqual(['[{"a":1},2]\n', 0]);
});

test("records are lines of standard output, also more than a pipe holds", async () => {
  const { out, code } = await program(
    `import stdout from "./stdout/stdout.ts"; import { runSink, sinkRecords } from "../testing/index.ts";
     const values = Array.from({ length: 100_000 }, (_, n) => n % 2 ? "text" : { n });
     const run = await runSink(stdout, {}, sinkRecords(values));
     await runSink(stdout, { content: "record" }, sinkRecords([null]));
     process.exit(run.committed()["test-0"] === 100_000n ? 0 : 1);`,
    "",
  );
  const lines = out.trimEnd().split("\n");
  expect([lines.length, code]).toEqual([100_001, 0]);
  expect(lines.slice(0, 3)).toEqual(['{"n":0}', "text", '{"n":2}']);
  expect(JSON.parse(lines.at(-1)!)).toMatchObject({ topic: "test", offset: 0, value: null });
});

test("a task that waits for input ends when it is told", async () => {
  const child = Bun.spawn([
    process.execPath,
    "-e",
    `import stdin from "./stdin/stdin.ts"; import { startSource } from "../testing/index.ts";
     const run = startSource(stdin, { topic: "t" });
     const next = run.next(); setTimeout(() => void run.stop(), 10);
     console.log(await next); process.exit(0);`,
  ], { cwd: join(import.meta.dir, ".."), stdin: "pipe", stdout: "pipe" });
  expect(await new Response(child.stdout).text()).toBe("null\n");
  void child.stdin.end();
});
