/**
 * A log file that grows, as `tail -F` follows it: through rotation (it is renamed, another of its name
 * is created) and truncation (it is copied, then cut to nothing). Each file is an input of its own,
 * read to its end before the next begins; a last line without its end waits for it.
 */
import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Clock } from "../../core/io.ts";
import { sleep } from "../../core/io.ts";
import { fileId, Head, idOf, isSameFile, openFile, openInput, readHead } from "./inputs.ts";
import { ReplacedInputError } from "./inputs.ts";
import type { FileId, InputPosition, OpenInput, OpenInputs } from "./inputs.ts";

/** What following needs of its surroundings. */
export interface FollowContext {
  readonly clock: Clock;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** How often it is looked where the system tells of no change (as on a network's file system). */
const LOOK_EVERY_MS = 1000;
/** Names of files that rotation has packed. */
const PACKED = /\.(?:gz|bz2|xz|zst|lz4)$/;

/** `path` and what comes in its place, until the signal. */
export function followedInputs(path: string, context: FollowContext): OpenInputs {
  return async function* (from) {
    const changes = new Changes(path, context);
    try {
      let start = from;
      if (from !== null) {
        for await (const { name, at } of filesSince(path, from, context)) {
          start = null;
          if (name === path) start = at;
          else yield await followed(name, at, null, context);
        }
      }
      if (await statOrNull(path) === null) context.say(`kstream: waiting for ${path}`);
      while (!context.signal.aborted) {
        if (await statOrNull(path) === null) {
          await changes.next();
          continue;
        }
        yield await followed(path, start, changes, context);
        start = null;
      }
    } finally {
      changes.close();
    }
  };
}

/** The input in a file; `changes` null: it has been rotated away, and its end is its end. */
async function followed(
  path: string,
  from: InputPosition | null,
  changes: Changes | null,
  context: FollowContext,
): Promise<OpenInput> {
  const file = await openFile(path);
  const id = await fileId(file);
  const head = new Head();
  if (from !== null) await readHead(file, head, from);
  const reader = new FollowedFile(path, file, id, from?.position ?? 0, changes, context);
  return openInput(path, from?.position ?? 0, head, id, (into, at) => reader.read(into, at));
}

class FollowedFile {
  /** Nothing more will be written to it, as far as can be known. */
  #over: boolean;

  constructor(
    readonly path: string,
    readonly file: FileHandle,
    readonly id: FileId,
    private position: number,
    readonly changes: Changes | null,
    readonly context: FollowContext,
  ) {
    this.#over = changes === null;
  }

  async read(into: Uint8Array, at: number): Promise<number> {
    const { signal } = this.context;
    while (!signal.aborted) {
      // Asked before the read: what was written up to there is then read, too.
      const wasOver = this.#over;
      const count = (await this.file.read(into, at, into.length - at, this.position)).bytesRead;
      this.position += count;
      if (count > 0) return count;
      if (wasOver || await this.#isTruncated()) break;
      if (await this.#isReplaced()) this.#over = true;
      else await this.changes?.next();
    }
    await this.file.close();
    return 0;
  }

  async #isTruncated(): Promise<boolean> {
    const { size } = await this.file.stat();
    if (size >= this.position) return false;
    this.context.say(`kstream: ${this.path} was truncated: going on at its start`);
    return true;
  }

  /** Whether another file has taken its name, and is written to: then nobody writes to this one. */
  async #isReplaced(): Promise<boolean> {
    const there = await statOrNull(this.path);
    return there !== null && !isSameFile(idOf(there), this.id) && there.size > 0n;
  }
}

/**
 * The files in which an ingest goes on that was left at `from`: the one that it was reading, also
 * under another name, those that came after it, and `path` at last. Throws `ReplacedInputError`.
 */
async function* filesSince(
  path: string,
  from: InputPosition,
  { say }: FollowContext,
): AsyncGenerator<{ readonly name: string; readonly at: InputPosition | null }> {
  const current = await statOrNull(path);
  if (current !== null && isSameFile(idOf(current), from.file) && await holds(path, from)) {
    yield { name: path, at: from };
    return;
  }
  const rotated = await rotatedFiles(path);
  const found = await findFile(rotated, from);
  if (found < 0) {
    throw new ReplacedInputError("it was rotated or truncated, and what was read is not found");
  }
  for (const [i, { name }] of rotated.slice(found).entries()) {
    say(`kstream: first the rest of ${name}`);
    yield { name, at: i === 0 ? from : null };
  }
}

/** Index of the file that was read up to `from`: itself, else a copy of it, the newest. */
async function findFile(
  files: readonly RotatedFile[],
  from: InputPosition,
): Promise<number> {
  const itself = files.findIndex(({ id }) => isSameFile(id, from.file));
  if (itself >= 0 && await holds(files[itself]!.name, from)) return itself;
  for (let i = files.length - 1; i >= 0; i--) if (await holds(files[i]!.name, from)) return i;
  return -1;
}

/** Whether the file begins as the one did that was read. */
async function holds(path: string, from: InputPosition): Promise<boolean> {
  let file: FileHandle | null = null;
  try {
    file = await openFile(path);
    await readHead(file, new Head(), from);
    return true;
  } catch {
    return false;
  } finally {
    await file?.close();
  }
}

interface RotatedFile {
  readonly name: string;
  readonly id: FileId;
  readonly modifiedMs: number;
}

/** Files beside `path` whose names begin with its own, the oldest first. */
async function rotatedFiles(path: string): Promise<RotatedFile[]> {
  const own = basename(path);
  const files: RotatedFile[] = [];
  for (const entry of await readdir(dirname(path))) {
    if (entry === own || !entry.startsWith(own) || PACKED.test(entry)) continue;
    const name = join(dirname(path), entry);
    const stats = await statOrNull(name);
    if (stats === null || !stats.isFile()) continue;
    files.push({ name, id: idOf(stats), modifiedMs: Number(stats.mtimeMs) });
  }
  return files.sort((a, b) => a.modifiedMs - b.modifiedMs);
}

async function statOrNull(path: string) {
  try {
    return await stat(path, { bigint: true });
  } catch {
    return null;
  }
}

/** Tells of changes beside a path: by the system's word, and now and then without it. */
class Changes {
  #watcher: FSWatcher | null = null;
  #wake: AbortController | null = null;
  /** Something changed while nobody waited. */
  #changed = false;

  constructor(path: string, readonly context: FollowContext) {
    const own = basename(path);
    try {
      this.#watcher = watch(dirname(path), { persistent: false }, (_event, name) => {
        if (name === null || name.startsWith(own)) this.#tell();
      });
      this.#watcher.on("error", () => this.close());
    } catch {
      // Then it is looked now and then.
    }
  }

  /** Resolves at the next change, after a while, or at the signal. */
  async next(): Promise<void> {
    if (!this.#changed) {
      this.#wake = new AbortController();
      const signal = AbortSignal.any([this.#wake.signal, this.context.signal]);
      await sleep(this.context.clock, LOOK_EVERY_MS, signal).catch(() => {});
      this.#wake = null;
    }
    this.#changed = false;
  }

  #tell(): void {
    this.#changed = true;
    this.#wake?.abort();
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = null;
  }
}
