/**
 * The client library as an npm package: packed, installed into an empty folder and used there from
 * Node, Deno and Bun, with and without addons, against the built binary or (`--control`) Kafka.
 */
import { copyFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { freshDir } from "../../harness/broker-process.ts";
import { runOk } from "../../harness/process.ts";
import { needNode } from "../install.ts";
import { consumerCases } from "../library/consumer-cases.ts";
import { QUICK_GROUPS } from "../library/library-case.ts";
import { shareCases } from "../library/share-cases.ts";
import { type CompatSuite, expectContains } from "../suite.ts";
import { CONTROL, withTarget } from "../target.ts";

const ROOT = join(import.meta.dir, "../../..");
const ADDONS = ["@node-rs/crc32", "lz4-napi", "snappy"];
const COMMANDS: readonly (readonly [string, readonly string[]])[] = [
  ["Node", ["node", "--test"]],
  ["Deno", ["deno", "test", "--no-check", "-A"]],
  ["Bun", ["bun", "test", "--timeout", "60000"]],
];
/** How to run a program, rather than tests. */
const RUNTIMES: readonly (readonly [string, readonly string[]])[] = [
  ["Node", ["node"]],
  ["Deno", ["deno", "run", "--no-check", "-A"]],
  ["Bun", ["bun"]],
];
const SOAK_MS = 60_000;
/** The package's own tests, and how many there are. */
const SUITE = { file: "./suite.mjs", count: 7 };
/** The library's cases as they run on Bun in the suite client-library. */
const LIBRARY = { file: "./library.mjs", count: consumerCases.length + shareCases.length };

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

/** Bundles tests of the library, which import what they test from the package in this folder. */
async function bundle(dir: string, name: "library" | "soak"): Promise<void> {
  const client = `${ROOT}/client/`;
  const result = await Bun.build({
    entrypoints: [join(ROOT, `tests/package/${name}.ts`)],
    target: "node",
    outdir: dir,
    naming: `${name}.mjs`,
    plugins: [{
      name: "installed package",
      setup(build) {
        build.onResolve({ filter: /\/client\/.*\.ts$/ }, ({ path, importer }) => {
          const source = join(dirname(importer), path);
          if (!source.startsWith(client)) return undefined;
          const file = source.slice(client.length).replace(/\.ts$/, ".js");
          const installed = `./node_modules/kstream/lib/client/${file}`;
          return { path: file === "package/bun.js" ? "kstream" : installed, external: true };
        });
      },
    }],
  });
  if (!result.success) throw new AggregateError(result.logs, `${name} does not bundle`);
}

async function runEverywhere(
  suites: readonly { readonly file: string; readonly count: number }[],
  besides: readonly string[],
): Promise<void> {
  const dir = await install(...besides);
  try {
    await bundle(dir, "library");
    await withTarget(async ({ bootstrap }) => {
      for (const [runtime, command] of COMMANDS) {
        for (const { file, count } of suites) {
          const env = { BOOTSTRAP: bootstrap, RUN: runtime.toLowerCase() };
          const options = { cwd: dir, env, timeoutMs: 180_000 };
          const { stdout, stderr } = await runOk([...command, file], options);
          const passed = new RegExp(`(pass ${count}|\\b${count} passed|\\b${count} pass)\\b`);
          expectContains(stdout + stderr, passed, runtime);
        }
      }
    }, QUICK_GROUPS);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** One broker for all: groups and topics are of each run's own. */
async function soakEverywhere(kind: string): Promise<void> {
  const dir = await install();
  try {
    await bundle(dir, "soak");
    await withTarget(async ({ bootstrap }) => {
      for (const [runtime, command] of RUNTIMES) {
        const env = { BOOTSTRAP: bootstrap, KIND: kind, SOAK_MS: `${SOAK_MS}` };
        const options = { cwd: dir, env, timeoutMs: 3 * SOAK_MS };
        const { stdout } = await runOk([...command, "./soak.mjs"], options);
        console.log(`      ${runtime}, ${CONTROL ? "Kafka" : "kstream"}: ${stdout.trim()}`);
      }
    }, QUICK_GROUPS);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** A broker in the process of a user's tests. */
async function runTesting(): Promise<void> {
  const dir = await install();
  try {
    copyFileSync(join(ROOT, "tests/package/testing.mjs"), join(dir, "testing.test.mjs"));
    const options = { cwd: dir, timeoutMs: 60_000 };
    const { stderr } = await runOk([process.execPath, "test", "./testing.test.mjs"], options);
    expectContains(stderr, /\b2 pass\b/, "Bun");
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
    {
      name: "without addons, on Node, Deno and Bun",
      run: () => runEverywhere([SUITE, LIBRARY], []),
    },
    { name: "kstream/testing, on Bun", run: () => runTesting() },
    { name: "with addons, on Node, Deno and Bun", run: () => runEverywhere([SUITE], ADDONS) },
    ...["cooperative-sticky", "consumer"].map((kind) => ({
      name: `soak of rebalances, ${kind}, on Node, Deno and Bun`,
      run: () => soakEverywhere(kind),
    })),
  ],
};
