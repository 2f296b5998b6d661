/**
 * A real Chromium without a screen, brought in once: the system's, or Debian's packages unpacked into
 * the cache of the compatibility suites, with the libraries that the system lacks.
 */
import { type Browser, chromium } from "playwright-core";
import { DebianPackages } from "../harness/debian-packages.ts";

const packages = new DebianPackages("chromium", "chromium-headless-shell");
const UNPACKED = packages.path("usr/lib/chromium/chromium-headless-shell");

function ofSystem(): string | null {
  return Bun.which("chromium-headless-shell") ?? Bun.which("chromium") ?? Bun.which("chrome");
}

/** Brings Chromium in; null once it is there, else why it cannot be had. */
export async function needChromium(): Promise<string | null> {
  return ofSystem() !== null ? null : await packages.need();
}

/** Starts it. */
export async function startBrowser(): Promise<Browser> {
  const system = ofSystem();
  return await chromium.launch({
    executablePath: system ?? UNPACKED,
    // Containers give it no namespaces of its own, and little shared memory.
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
    env: { ...process.env, LD_LIBRARY_PATH: packages.libraryPath() },
  });
}
