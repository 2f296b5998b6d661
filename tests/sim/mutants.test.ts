import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { MUTANTS, mutated } from "./mutant-list.ts";

const ROOT = join(import.meta.dir, "../..");

test("what is broken on purpose is still there to be broken", () => {
  const gone = Object.entries(MUTANTS)
    .filter(([, mutant]) =>
      mutated(readFileSync(join(ROOT, mutant.file), "utf8"), mutant) === null
    );
  expect(gone.map(([name]) => name)).toEqual([]);
});
