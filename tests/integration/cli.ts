/** The built binary as somebody at a shell uses it. */
import { expect } from "bun:test";
import { existsSync } from "node:fs";
import { freshDir, KSTREAM } from "../harness/broker-process.ts";
import { run } from "../harness/process.ts";
import type { Finished, RunOptions } from "../harness/process.ts";

if (!existsSync(KSTREAM)) throw new Error(`${KSTREAM} is missing: run make build`);

/** A directory without kstream.toml, so that the developer's own settings stay outside. */
const EMPTY_DIR = freshDir("cwd");

/** Nor the developer's profiles. */
const ENVIRONMENT = { XDG_CONFIG_HOME: EMPTY_DIR };

/** What a command may be given besides its arguments. */
export interface CliOptions extends RunOptions {
  /** `host:port` of the cluster. */
  readonly brokers?: string;
}

/** Runs `kstream` with these arguments. Nothing listens where no brokers are given. */
export function kstream(args: readonly string[], options: CliOptions = {}): Promise<Finished> {
  return run([KSTREAM, ...args], {
    cwd: EMPTY_DIR,
    timeoutMs: 20_000,
    ...options,
    env: { ...ENVIRONMENT, KSTREAM_BROKERS: options.brokers ?? "127.0.0.1:1", ...options.env },
  });
}

/** As `kstream`, and it must end with 0; returns stdout. */
export async function ok(args: readonly string[], options: CliOptions = {}): Promise<string> {
  const finished = await kstream(args, options);
  if (finished.exitCode !== 0) {
    throw new Error(`${args.join(" ")} ended with ${finished.exitCode}: ${finished.stderr}`);
  }
  return finished.stdout;
}

/** As `kstream`, and it must fail so, with one line on stderr that holds all of `words`. */
export async function fails(
  args: readonly string[],
  exitCode: number,
  words: readonly string[],
  options: CliOptions = {},
): Promise<Finished> {
  const finished = await kstream(args, options);
  expect([args, finished.exitCode, finished.stderr]).toEqual([args, exitCode, finished.stderr]);
  expect(finished.stderr).toMatch(/^kstream: [^\n]+\n$/);
  for (const word of words) expect(finished.stderr).toContain(word);
  return finished;
}

/** Runs a line of shell in which `kstream` is the binary under test. */
export function shell(line: string, options: CliOptions = {}): Promise<Finished> {
  return run(["bash", "-o", "pipefail", "-c", `kstream() { "${KSTREAM}" "$@"; }; ${line}`], {
    cwd: EMPTY_DIR,
    timeoutMs: 20_000,
    ...options,
    env: { ...ENVIRONMENT, KSTREAM_BROKERS: options.brokers ?? "127.0.0.1:1", ...options.env },
  });
}
