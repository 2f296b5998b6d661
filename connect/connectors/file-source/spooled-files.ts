/** A folder that whole files are put into. */
import { createHash } from "node:crypto";
import { access, mkdir, rename, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Spool, SpooledFile, Version } from "../../formats/index.ts";
import type { SourceMap, TaskClock } from "../../index.ts";

/** What becomes of a file whose records are all safe. */
export type WhenDone =
  | { readonly kind: "keep" }
  | { readonly kind: "delete" }
  | { readonly kind: "move"; readonly directory: string };

/** Null if it has gone. */
async function versionOf(path: string): Promise<Version | null> {
  const stats = await stat(path).catch(() => null);
  if (stats?.isFile() !== true) return null;
  return { size: stats.size, modifiedMs: Math.floor(stats.mtimeMs) };
}

/** A folder as a spool. */
export class FolderSpool implements Spool {
  constructor(
    readonly paths: () => Promise<string[]>,
    readonly whenDone: WhenDone,
    readonly settleMs: number,
    readonly clock: TaskClock,
  ) {}

  async *list() {
    const files: SpooledFile[] = [];
    for (const name of await this.paths()) {
      const version = await versionOf(name);
      const isSettled = version !== null &&
        this.clock.wallMs() - version.modifiedMs >= this.settleMs;
      if (isSettled) files.push({ name, version });
    }
    yield files;
  }

  async fetch(path: string) {
    return await versionOf(path) === null ? null : { path, release: () => Promise.resolve() };
  }

  partitionOf(filename: string): SourceMap {
    return { filename };
  }

  nameOf({ filename }: SourceMap): string | null {
    return typeof filename === "string" ? filename : null;
  }

  /** One that has gone is done. */
  async finish(path: string): Promise<void> {
    const { whenDone } = this;
    if (whenDone.kind === "delete") return await rm(path, { force: true });
    if (whenDone.kind !== "move") return;
    const { directory } = whenDone;
    await mkdir(directory, { recursive: true });
    await rename(path, await freeName(directory, path)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
  }
}

/** A file of the same name may have been moved there before. */
async function freeName(directory: string, path: string): Promise<string> {
  const wanted = join(directory, basename(path));
  if (!await isThere(wanted)) return wanted;
  const { size, modifiedMs } = await versionOf(path) ?? { size: 0, modifiedMs: 0 };
  const hash = createHash("sha256").update(`${size} ${modifiedMs}`).digest("hex").slice(0, 8);
  return `${wanted}.${modifiedMs}-${hash}`;
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(() => true, () => false);
}
