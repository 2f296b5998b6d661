/**
 * Files appear together and once, whatever happens in between: a journal per partition of a topic says
 * which staged files become which, and the offset behind them. It is replaced in one step, then the
 * files are renamed; who finds it after a crash does the renames that lack and goes on at its offset.
 *
 *     DIRECTORY/.kstream/CONNECTOR/TOPIC+PARTITION.json
 *     {"next":"1500","renames":[["TOPIC+PARTITION+7.tmp","orders/partition=0/orders+0+….jsonl"]]}
 */
import { access, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { retriable, safePart } from "../../formats/index.ts";
import type { RollingTarget, StagedFile, TopicPartition } from "../../formats/index.ts";

interface Entry {
  readonly next: bigint;
  /** Names of staged files, and their names for good. */
  readonly renames: readonly (readonly [from: string, to: string])[];
}

export class JournaledFolder implements RollingTarget {
  /** Where files are made; on the same file system, so that a rename is a step. */
  readonly staging: string;

  constructor(readonly directory: string, connector: string) {
    this.staging = join(directory, ".kstream", safePart(connector));
  }

  /**
   * Ends what a predecessor has begun in a partition and throws away what it has not. The offset behind
   * what is in files, or null if there is nothing. Throws what is wrong with the journal.
   */
  async recover(of: TopicPartition): Promise<bigint | null> {
    await mkdir(this.staging, { recursive: true });
    const entry = await this.#read(of);
    if (entry !== null) await this.#rename(entry);
    const own = `${of.topic}+${of.partition}+`;
    for (const name of await readdir(this.staging)) {
      if (name.startsWith(own) && name.endsWith(".tmp")) await rm(join(this.staging, name));
    }
    return entry?.next ?? null;
  }

  async publish(of: TopicPartition, files: readonly StagedFile[], next: bigint): Promise<void> {
    const renames = files.map(({ path, name }) =>
      [path.slice(this.staging.length + 1), name] as const
    );
    await retriable(this.directory, async () => {
      await this.#write(of, { next, renames });
      await this.#rename({ next, renames });
    });
  }

  #pathOf({ topic, partition }: TopicPartition): string {
    return join(this.staging, `${topic}+${partition}.json`);
  }

  async #read(of: TopicPartition): Promise<Entry | null> {
    const path = this.#pathOf(of);
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return null;
      throw error;
    });
    if (text === null) return null;
    const entry = parseEntry(text);
    if (entry !== null) return entry;
    throw new Error(
      `${path} is no journal of files: remove it to begin at the offsets of the group`,
    );
  }

  async #write(of: TopicPartition, { next, renames }: Entry): Promise<void> {
    const path = this.#pathOf(of);
    const file = await open(`${path}.new`, "w");
    try {
      await file.writeFile(JSON.stringify({ next: String(next), renames }));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
    await syncFolder(this.staging);
  }

  async #rename({ renames }: Entry): Promise<void> {
    const folders = new Set<string>();
    for (const [from, to] of renames) {
      const staged = join(this.staging, from);
      // It has its name already, and may have been taken away since.
      if (!await exists(staged)) continue;
      const target = join(this.directory, to);
      await mkdir(dirname(target), { recursive: true });
      await rename(staged, target);
      folders.add(dirname(target));
    }
    for (const folder of folders) await syncFolder(folder);
  }
}

function parseEntry(text: string): Entry | null {
  try {
    const { next, renames } = JSON.parse(text) as { next?: unknown; renames?: unknown };
    if (typeof next !== "string" || !/^\d{1,19}$/.test(next) || !Array.isArray(renames)) {
      return null;
    }
    const pairs: (readonly [string, string])[] = [];
    for (const pair of renames as unknown[]) {
      if (!Array.isArray(pair) || pair.length !== 2) return null;
      const [from, to] = pair as unknown[];
      if (typeof from !== "string" || typeof to !== "string") return null;
      if (`${from}/${to}`.split("/").includes("..")) return null;
      pairs.push([from, to]);
    }
    return { next: BigInt(next), renames: pairs };
  } catch {
    return null;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

/** Makes names in a folder durable. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
