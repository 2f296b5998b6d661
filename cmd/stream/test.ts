/**
 * `kstream stream test`: tests of applications, by Bun's test runner, which is in this program. It is a
 * process of its own, which gets `test-library.ts` first.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { OperatorError } from "../../core/operator-error.ts";
import { assert } from "../../core/assert.ts";
import { onInterrupt } from "../terminal.ts";

export interface TestAppOptions {
  readonly name?: string | undefined;
  readonly watch?: boolean | undefined;
  /** Seconds. */
  readonly timeout: number;
}

/** Gives the exit code: that of the runner. Throws `OperatorError`. */
export async function testApps(
  files: readonly string[],
  { name, watch, timeout }: TestAppOptions,
): Promise<number> {
  const gone = files.find((file) => !existsSync(file));
  if (gone !== undefined) throw new OperatorError(`there is no ${gone}`, "", "", 2);
  const folder = mkdtempSync(join(tmpdir(), "kstream-test-"));
  try {
    const command = [
      ...[process.execPath, "test", "--preload", await libraryIn(folder)],
      ...["--timeout", String(timeout * 1000)],
      ...(watch === true ? ["--watch"] : []),
      ...(name === undefined ? [] : ["--test-name-pattern", name]),
      ...files.map((file) => resolve(file)),
    ];
    const stopped = onInterrupt();
    const env = { ...process.env, BUN_BE_BUN: "1" };
    const runner = Bun.spawn(command, { env, stdio: ["inherit", "inherit", "inherit"] });
    // Ctrl-C is for both of them, SIGTERM for this process alone.
    stopped.addEventListener("abort", () => runner.kill("SIGTERM"), { once: true });
    return await runner.exited;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** From the sources it is read as it stands there. */
async function libraryIn(folder: string): Promise<string> {
  const source = join(import.meta.dir, "test-library.ts");
  if (existsSync(source)) return source;
  const embedded = Bun.embeddedFiles
    .find((file) => "name" in file && /library[^/]*\.bundle$/.test(String(file.name)));
  assert(embedded !== undefined, "the binary has the library for tests");
  const file = join(folder, "library.js");
  await Bun.write(file, embedded);
  return file;
}
