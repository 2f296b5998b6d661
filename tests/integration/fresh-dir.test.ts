import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { freshDir, removeLeft } from "../harness/fresh-dir.ts";
import { run } from "../harness/process.ts";

const HOUR_MS = 3_600_000;

test("folders of processes that are gone are removed once they are old; others are not", async () => {
  const folder = freshDir("left");
  const { stdout } = await run(["sh", "-c", "echo $$"]);
  const gone = Number(stdout);
  const old = `kstream-old-p${gone}-abcDEF`;
  const stay = [
    `kstream-mine-p${process.pid}-abcDEF`,
    `kstream-connector-0-${gone}-abcDEF`,
    `others-p${gone}-abcDEF`,
  ];
  for (const name of [old, ...stay]) mkdirSync(join(folder, name, "data"), { recursive: true });
  await removeLeft(folder);
  expect(existsSync(join(folder, old))).toBe(true);
  await removeLeft(folder, Date.now() + HOUR_MS);
  expect(readdirSync(folder).sort()).toEqual(stay.toSorted());
});

test("a script that ends well leaves nothing; one that fails leaves what it had", async () => {
  const script = (code: number) =>
    `import { freshDir } from ${JSON.stringify(join(import.meta.dir, "../harness/fresh-dir.ts"))};
     console.log(freshDir("script")); process.exit(${code});`;
  const folder = async (code: number) => {
    const ended = await run([process.execPath, "-e", script(code)]);
    expect(ended.exitCode).toBe(code);
    return ended.stdout.trim();
  };
  expect(existsSync(await folder(0))).toBe(false);
  expect(existsSync(await folder(1))).toBe(true);
});
