import { expect, test } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { freshDir, KSTREAM } from "../harness/broker-process.ts";

const ROOT = join(import.meta.dir, "../..");

async function run(command: readonly string[], cwd: string) {
  const child = Bun.spawn([...command], { cwd, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [output, said, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { output, said, exitCode };
}

for (const kind of ["source", "sink"] as const) {
  test(`a new ${kind} does what is printed, and its test passes`, async () => {
    const dir = freshDir("new");
    const flags = kind === "sink" ? ["--sink"] : [];
    const made = await run([KSTREAM, "connect", "new", "my-one", ...flags], dir);
    expect([made.said, made.exitCode]).toEqual(["", 0]);
    const commands = made.output.split("\n").filter((line) => line.startsWith("  kstream "))
      .map((line) => line.trim().split(" ").slice(1));
    expect(commands.map(([, verb]) => verb)).toEqual(["validate", "test", "run"]);
    const validated = await run([KSTREAM, ...commands[0]!], dir);
    expect([validated.said.trim(), validated.exitCode]).toEqual(["1 config well", 0]);
    if (kind === "source") {
      const { output, exitCode } = await run([KSTREAM, ...commands[1]!, "-n", "2"], dir);
      expect(exitCode).toBe(0);
      expect(output).toContain('"value":{"n":1}');
    }
    // The package, as it is in the sources.
    const installed = join(dir, "my-one/node_modules/kstream");
    mkdirSync(installed, { recursive: true });
    symlinkSync(join(ROOT, "connect"), join(installed, "connect"));
    const exports = {
      "./connect": "./connect/index.ts",
      "./connect/testing": "./connect/testing/index.ts",
    };
    await Bun.write(join(installed, "package.json"), JSON.stringify({ name: "kstream", exports }));
    const tested = await run([process.execPath, "test"], join(dir, "my-one"));
    expect(tested.said).toContain("1 pass");
    const again = await run([KSTREAM, "connect", "new", "my-one"], dir);
    expect([again.exitCode, again.said]).toEqual([2, expect.stringContaining("not empty")]);
  });
}
