import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { batchOf, openIn } from "./kill-writer.test-helper.ts";

const ROUNDS = 6;
const COMMITS = 60;
const dir = mkdtempSync(join(tmpdir(), "kstream-store-kill-"));
afterAll(() => rmSync(dir, { recursive: true }));

/** Has a process commit some more, and kills it in the middle; gives the last commit that it told of. */
async function killed(commits: number): Promise<number> {
  const child = Bun.spawn([
    process.execPath,
    join(import.meta.dir, "kill-writer.test-helper.ts"),
    dir,
  ], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let told = "";
  for await (const chunk of child.stdout) {
    told += new TextDecoder().decode(chunk);
    if (told.split("\n").length > commits && !child.killed) child.kill("SIGKILL");
  }
  await child.exited;
  return Number(told.slice(0, told.lastIndexOf("\n")).split("\n").at(-1));
}

test("a process that is killed leaves the store as it was at a commit", async () => {
  const model = new Map<string, string>();
  let applied = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const told = await killed(COMMITS + round * 17);
    const engine = openIn(dir);
    const offset = Number(engine.changelogOffset);
    expect(offset).toBeGreaterThanOrEqual(told);
    for (; applied < offset; applied++) {
      for (const [key, value] of batchOf(applied)) {
        if (value === null) model.delete(key);
        else model.set(key, value);
      }
    }
    const found = Array.from(
      engine.range({ from: null, to: null }),
      ([key, value]) => [`${Buffer.from(key)}`, `${Buffer.from(value)}`] as const,
    );
    expect(new Map(found)).toEqual(model);
    engine.close();
  }
  expect(applied).toBeGreaterThan(ROUNDS * COMMITS);
});
