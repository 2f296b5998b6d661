/** The files of results: one for a commit and a day, to which each part is added when it is measured. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../tests/harness/process.ts";
import { machine } from "./measure.ts";

/** See the head of the file. */
export class Results {
  private constructor(readonly file: string, private readonly commit: string) {}

  static async ofNow(): Promise<Results> {
    const commit = (await run(["git", "rev-parse", "--short", "HEAD"])).stdout.trim();
    const dir = join(import.meta.dir, "results");
    mkdirSync(dir, { recursive: true });
    const day = new Date().toISOString().slice(0, 10);
    return new Results(join(dir, `${day}-${commit}.json`), commit);
  }

  /** Adds parts, or replaces them; what was measured of others stays. */
  add(parts: Readonly<Record<string, unknown>>): void {
    const head = { machine: machine(), commit: this.commit, at: new Date().toISOString() };
    const all = { ...this.read(), ...head, bun: Bun.version, ...parts };
    writeFileSync(this.file, JSON.stringify(all, null, 2) + "\n");
  }

  read(): Readonly<Record<string, unknown>> {
    if (!existsSync(this.file)) return {};
    const parsed: unknown = JSON.parse(readFileSync(this.file, "utf8"));
    return typeof parsed === "object" && parsed !== null ? { ...parsed } : {};
  }
}
