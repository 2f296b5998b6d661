import { expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { silentLogger } from "../../core/logger.ts";
import { freshDir } from "../../tests/harness/fresh-dir.ts";
import { stagingOf } from "./open-snapshots.ts";
import { openState, openStateBeside } from "./open-state.ts";

test("what a killed process has left on its way to a bucket is removed by the next one alone", () => {
  const config = { stateDir: freshDir("open-state"), applicationId: "app", threads: 2 };
  const staging = stagingOf(config);
  const file = join(staging, "half");
  const leave = () => {
    mkdirSync(staging, { recursive: true });
    writeFileSync(file, "x");
  };
  leave();
  const directory = openState(config, silentLogger);
  expect(existsSync(file)).toBe(false);
  // Another thread may be sending it.
  leave();
  openStateBeside(config, silentLogger).close();
  expect(existsSync(file)).toBe(true);
  directory.close();
});
