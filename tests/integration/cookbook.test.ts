/**
 * The cookbook (`docs/cookbook.md`): each `sh` block, run as a script against a broker of its own,
 * prints what the `text` block behind it says, both streams together.
 */
import { expect, test } from "bun:test";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { freshDir, KSTREAM, startBrokerProcess } from "../harness/broker-process.ts";
import { run } from "../harness/process.ts";

const COOKBOOK = join(import.meta.dir, "../../docs/cookbook.md");
/** A section with its script and what that prints. */
const RECIPE = /^## (.+)\n(?:(?!^## )[^])*?^```sh\n([^]*?)^```\n\n^```text\n([^]*?)^```$/gm;

const recipes = [...readFileSync(COOKBOOK, "utf8").matchAll(RECIPE)]
  .map(([, title = "", script = "", output = ""]) => ({ title, script, output }));

/** How long something took is not always the same. */
const withoutTimes = (text: string) => text.replace(/\b\d+ ms\b/g, "… ms");

/** Runs a script in an empty directory and returns what it prints. */
async function runScript(script: string): Promise<string> {
  const broker = await startBrokerProcess({ args: ["--memory"] });
  try {
    const home = freshDir("cookbook");
    const bin = freshDir("bin");
    symlinkSync(KSTREAM, join(bin, "kstream"));
    const { exitCode, stdout } = await run([
      "bash",
      "-euo",
      "pipefail",
      "-c",
      `exec 2>&1\n${script}`,
    ], {
      cwd: home,
      env: {
        PATH: `${bin}:${process.env["PATH"]}`,
        XDG_CONFIG_HOME: home,
        KSTREAM_BROKERS: broker.bootstrap,
      },
      timeoutMs: 50_000,
    });
    return exitCode === 0 ? stdout : `${stdout}exit code ${exitCode}\n`;
  } finally {
    await broker.stop();
  }
}

test("every recipe is a script with what it prints", () => {
  const text = readFileSync(COOKBOOK, "utf8");
  const titles = [...text.matchAll(/^## (.+)$/gm)].map((match) => match[1] ?? "");
  expect(recipes.map(({ title }) => title)).toEqual(titles);
  expect(recipes.length).toBeGreaterThan(4);
});

for (const { title, script, output } of recipes) {
  test(title, async () => {
    expect(withoutTimes(await runScript(script))).toBe(output);
  }, 60_000);
}
