/**
 * A real Chromium without a screen, brought in once: the system's, or Debian's packages unpacked into
 * the cache of the compatibility suites, with the libraries that the system lacks.
 */
import { type Browser, chromium } from "playwright-core";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CACHE } from "../compat/install.ts";
import { run } from "../harness/process.ts";

const PACKAGE = "chromium-headless-shell";
const FOLDER = join(CACHE, "chromium");
const STAMP = join(FOLDER, ".complete");
const TIMEOUT_MS = 600_000;
const UNPACKED = join(FOLDER, "usr/lib/chromium/chromium-headless-shell");

function ofSystem(): string | null {
  return Bun.which("chromium-headless-shell") ?? Bun.which("chromium") ?? Bun.which("chrome");
}

/** Brings Chromium in; null once it is there, else why it cannot be had. */
export async function needChromium(): Promise<string | null> {
  if (ofSystem() !== null || existsSync(STAMP)) return null;
  if (Bun.which("apt-get") === null || Bun.which("dpkg-deb") === null) {
    return `needs Chromium (apt-get install ${PACKAGE})`;
  }
  mkdirSync(FOLDER, { recursive: true });
  let names = await wanted();
  if (names.length === 0 && process.getuid?.() === 0) {
    await run(["apt-get", "update", "-qq"], { timeoutMs: TIMEOUT_MS });
    names = await wanted();
  }
  if (names.length === 0) return `needs Chromium, and no ${PACKAGE} is to be had from Debian`;
  const download = ["apt-get", "download", "-qq", ...names];
  let got = await run(download, { cwd: FOLDER, timeoutMs: TIMEOUT_MS });
  if (got.exitCode !== 0 && process.getuid?.() === 0) {
    await run(["apt-get", "update", "-qq"], { timeoutMs: TIMEOUT_MS });
    got = await run(download, { cwd: FOLDER, timeoutMs: TIMEOUT_MS });
  }
  if (got.exitCode !== 0) return `needs Chromium: ${got.stderr.trim().split("\n").at(-1)}`;
  for (const archive of readdirSync(FOLDER).filter((file) => file.endsWith(".deb"))) {
    await run(["dpkg-deb", "-x", archive, FOLDER], { cwd: FOLDER, timeoutMs: TIMEOUT_MS });
  }
  if (!existsSync(UNPACKED)) return "needs Chromium, and Debian's package lacks it";
  writeFileSync(STAMP, "");
  return null;
}

/** The package and all that it depends on and the system lacks. */
async function wanted(): Promise<string[]> {
  const listed = await run(
    ["apt-get", "install", "--print-uris", "-y", "-qq", "--no-install-recommends", PACKAGE],
    { timeoutMs: TIMEOUT_MS },
  );
  if (listed.exitCode !== 0) return [];
  return [...listed.stdout.matchAll(/^'[^']*' ([^_\s]+)_/gm)].map((match) => match[1] ?? "");
}

/** Starts it. */
export async function startBrowser(): Promise<Browser> {
  const system = ofSystem();
  const folders = system !== null ? [] : [...libraryFolders()];
  const libraryPath = [...folders, process.env["LD_LIBRARY_PATH"]].filter(Boolean).join(":");
  return await chromium.launch({
    executablePath: system ?? UNPACKED,
    // Containers give it no namespaces of its own, and little shared memory.
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
    env: { ...process.env, LD_LIBRARY_PATH: libraryPath },
  });
}

function* libraryFolders(): Generator<string> {
  const found = new Bun.Glob("usr/lib/*-linux-gnu/**/*.so*");
  const seen = new Set<string>();
  for (const path of found.scanSync({ cwd: FOLDER, absolute: true, onlyFiles: false })) {
    const folder = path.slice(0, path.lastIndexOf("/"));
    if (!seen.has(folder)) yield folder;
    seen.add(folder);
  }
}
