/**
 * The client library as an npm package: packed, installed into an empty folder and used there from
 * Node, Deno and Bun, with and without addons, against the built binary or (`--control`) Kafka.
 */
import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { freshDir } from "../../harness/broker-process.ts";
import { runOk } from "../../harness/process.ts";
import { needNode } from "../install.ts";
import { type CompatSuite, expectContains } from "../suite.ts";
import { withTarget } from "../target.ts";

const ROOT = join(import.meta.dir, "../../..");
const ADDONS = ["@node-rs/crc32", "lz4-napi", "snappy"];
const COMMANDS: readonly (readonly [string, readonly string[]])[] = [
  ["Node", ["node", "--test", "suite.mjs"]],
  ["Deno", ["deno", "test", "--no-check", "-A", "suite.mjs"]],
  ["Bun", ["bun", "test", "--timeout", "60000", "./suite.mjs"]],
];

/** Packs the package and installs it, with these packages besides, into a folder of its own. */
async function install(...besides: string[]): Promise<string> {
  const dir = freshDir("package");
  const timeoutMs = 300_000;
  await runOk([process.execPath, "scripts/package.ts"], { cwd: ROOT, timeoutMs });
  const packed = join(ROOT, "dist/package");
  const { stdout } = await runOk(["npm", "pack", "--silent", "--pack-destination", dir, packed]);
  await Bun.write(join(dir, "package.json"), `{"private":true,"type":"module"}`);
  const archive = join(dir, stdout.trim());
  await runOk(["npm", "install", "--silent", "--no-audit", archive, ...besides], {
    cwd: dir,
    timeoutMs,
  });
  copyFileSync(join(ROOT, "tests/package/suite.mjs"), join(dir, "suite.mjs"));
  return dir;
}

async function runEverywhere(besides: readonly string[]): Promise<void> {
  const dir = await install(...besides);
  try {
    await withTarget(async ({ bootstrap }) => {
      for (const [runtime, command] of COMMANDS) {
        const env = { BOOTSTRAP: bootstrap, RUN: runtime.toLowerCase() };
        const { stdout, stderr } = await runOk(command, { cwd: dir, env, timeoutMs: 180_000 });
        expectContains(stdout + stderr, /(pass 6|6 passed|6 pass)\b/, runtime);
      }
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

export const npmPackage: CompatSuite = {
  name: "npm-package",
  needs: [needNode],
  inSample: false,
  control: true,
  cases: [
    { name: "without addons, on Node, Deno and Bun", run: () => runEverywhere([]) },
    { name: "with addons, on Node, Deno and Bun", run: () => runEverywhere(ADDONS) },
  ],
};
