/**
 * Installs the clients that ours is measured against, once, into the cache of the compatibility
 * suites: a Node of its own, which the newest of them needs, and node-rdkafka, which compiles
 * librdkafka for it (a C++ compiler and make). Our own client is packed and installed each time.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CACHE } from "../../tests/compat/install.ts";
import { runOk } from "../../tests/harness/process.ts";

const NODE = "node@24.21.0";
const ADDONS = ["lz4-napi@2.10.0", "snappy@7.4.3", "@node-rs/crc32@1.10.8"];
/** What is measured, as the tables name it. */
export const OTHERS = {
  kafkajs: "kafkajs@2.2.4",
  platformatic: "@platformatic/kafka@2.12.1",
  rdkafka: "node-rdkafka@3.6.1",
} as const;
const PACKAGES = [...Object.values(OTHERS), ...ADDONS];
const INSTALL_TIMEOUT_MS = 900_000;
const ROOT = join(import.meta.dir, "../..");
const HERE = join(CACHE, `javascript-clients-${Bun.hash([NODE, ...PACKAGES].join()).toString(16)}`);
const NODE_HOME = join(HERE, "runtime/node_modules/node/node_modules", nodePackage());

/** The Node that runs all clients but where ours runs on Bun. */
export const NODE_BINARY = join(NODE_HOME, "bin/node");
/** Where the programs are run: in reach of the packages that they import. */
export const PROGRAMS = join(HERE, "clients");

function nodePackage(): string {
  return `node-${process.platform}-${process.arch}`;
}

function folder(name: string): string {
  const path = join(HERE, name);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "package.json"), `{"private":true,"type":"module"}\n`);
  return path;
}

async function npmInstall(cwd: string, packages: readonly string[], env = {}): Promise<void> {
  const command = ["npm", "install", "--no-audit", "--silent", ...packages];
  await runOk(command, { cwd, env, timeoutMs: INSTALL_TIMEOUT_MS });
}

/** Installs what is missing; returns why it cannot be had, or null. */
export async function needClients(): Promise<string | null> {
  for (const program of ["npm", "make", "g++", "python3"]) {
    if (Bun.which(program) === null) return `needs ${program} to install other clients`;
  }
  const stamp = join(HERE, ".complete");
  if (existsSync(stamp)) return null;
  try {
    await npmInstall(folder("runtime"), [NODE]);
    // Its headers, for the addon to be compiled for it; librdkafka's build does not bear `make -j`.
    const env = { PATH: `${NODE_HOME}/bin:${process.env["PATH"]}`, npm_config_nodedir: NODE_HOME };
    await npmInstall(folder("clients"), PACKAGES, env);
  } catch (error) {
    return `other clients could not be installed: ${String(error).trim().split("\n").at(-1)}`;
  }
  writeFileSync(stamp, "");
  return null;
}

/** Packs our client as its users get it, and puts it and the programs beside the others. */
export async function installOurs(): Promise<void> {
  await runOk([process.execPath, "scripts/package.ts"], { cwd: ROOT, timeoutMs: 300_000 });
  const packed = [
    "npm",
    "pack",
    "--silent",
    "--pack-destination",
    HERE,
    join(ROOT, "dist/package"),
  ];
  const archive = join(HERE, (await runOk(packed, { timeoutMs: 60_000 })).stdout.trim());
  // Where the programs find it, too: among the others npm would build node-rdkafka again.
  rmSync(join(HERE, "node_modules"), { recursive: true, force: true });
  await npmInstall(folder("."), [archive, ...ADDONS]);
  const programs = readdirSync(import.meta.dir).filter((name) => name.endsWith(".mjs"));
  for (const name of programs) copyFileSync(join(import.meta.dir, name), join(PROGRAMS, name));
}
