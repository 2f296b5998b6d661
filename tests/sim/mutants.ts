/**
 * Breaks the code on purpose, one line at a time, and wants the simulator to notice:
 * `bun tests/sim/mutants.ts [NAME…]`. Each mutant is a copy of the sources with one piece of text
 * replaced. Exit codes: 0 all were caught, 1 one was not, or its text is not there any more.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Mutant, MUTANTS, mutated } from "./mutant-list.ts";

const ROOT = join(import.meta.dir, "../..");
const FOLDERS = ["broker", "client", "cluster", "core", "storage", "testing", "tests/sim"];
/** The simulator's exit codes for a promise broken, and for work that does not go on. */
const CAUGHT = [10, 11, 12];

/** What the simulator says of it, or why it was not noticed. */
type Verdict = { readonly by: string } | { readonly why: string };

function judge(mutant: Mutant): Verdict {
  const { file, world, seeds, focus = [] } = mutant;
  const root = mkdtempSync(join(tmpdir(), "kstream-mutant-"));
  try {
    for (const folder of FOLDERS) {
      cpSync(join(ROOT, folder), join(root, folder), { recursive: true });
    }
    cpSync(join(ROOT, "deno.json"), join(root, "deno.json"));
    symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
    const path = join(root, file);
    const text = mutated(readFileSync(path, "utf8"), mutant);
    if (text === null) return { why: `${mutant.file} has not, or not once: ${mutant.find}` };
    writeFileSync(path, text);
    const args = ["tests/sim/main.ts", "--world", world, "--seeds", String(seeds), ...focus];
    const run = Bun.spawnSync([process.execPath, ...args], { cwd: root, stdout: "pipe" });
    if (!CAUGHT.includes(run.exitCode)) return { why: `not noticed: exit code ${run.exitCode}` };
    const [by = ""] = /^seed \d+: .{0,120}/m.exec(run.stdout.toString()) ?? [];
    return { by };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const only = process.argv.slice(2);
let failures = 0;
for (const [name, mutant] of Object.entries(MUTANTS)) {
  if (only.length > 0 && !only.includes(name)) continue;
  const startedMs = performance.now();
  const verdict = judge(mutant);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const isCaught = "by" in verdict;
  const how = isCaught ? `${verdict.by}; ${seconds} s` : verdict.why;
  console.log(`${isCaught ? "caught" : "FAILED"} ${name}: ${mutant.breaks} (${how})`);
  if (!isCaught) failures++;
}
process.exit(failures === 0 ? 0 : 1);
