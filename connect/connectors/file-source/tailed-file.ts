/**
 * A file that grows, as `tail -F` follows it: through rotation (it is renamed, another takes its name)
 * and truncation (it is copied and cut to nothing). Each file is read to its end before the next one; a
 * last line without its end waits for it.
 */
import { open, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { LineParser, LineReader } from "../../formats/index.ts";
import type { Line, LineSettings } from "../../formats/index.ts";
import type { SourceMap, TaskContext } from "../../index.ts";
import { continues, headOf, isWholeHead, siblings } from "./identity.ts";
import type { Left, Sibling } from "./identity.ts";

/** Lines, and where the file is behind each of them. */
export interface Lines {
  readonly lines: readonly Line[];
  readonly offsetOf: (line: Line) => SourceMap;
}

/** After so many looks at a file that nobody writes to and that has no name any more, it is closed. */
const REMOVED_LOOKS = 20;
const FINISHED_MAX = 100;

export class TailedFile {
  #file: FileHandle | null = null;
  #inode = "";
  #position = 0;
  #head = "";
  #parser: LineParser;
  /** Files that were rotated away before they were read. */
  #backlog: { readonly path: string; readonly position: number }[] = [];
  #complaint = "";
  #idleLooks = 0;
  #wasRemoved = false;
  /** Inodes of files that were read to their end, the latest last. */
  #finished: string[] = [];
  /** Size and time of the file at the last look. */
  #state = "";

  constructor(
    readonly path: string,
    readonly settings: LineSettings,
    /** Where it was left; it is looked for at the first `advance`. */
    private left: Left | null,
    /** What is there at first is not read. */
    private fromEnd: boolean,
    readonly context: Pick<TaskContext<unknown>, "log" | "signal">,
  ) {
    this.#parser = new LineParser(settings);
  }

  get inode(): string {
    return this.#inode;
  }

  /** Everything that is there now. */
  async *advance(): AsyncGenerator<Lines> {
    if (this.left !== null) {
      if (this.#wasRemoved && !await isThere(this.path)) return;
      await this.#find(this.left);
      this.left = null;
      this.#wasRemoved = false;
    }
    while (!this.context.signal.aborted) {
      if (this.#file === null && !await this.#openNext()) return;
      // Asked before the read: what was written up to there is read, too.
      const isOver = await this.#isReplaced();
      if (!isOver && !await this.#hasChanged()) return await this.#letGoIfRemoved();
      if (await this.#isTruncated() || (yield* this.#read(isOver)) === "cut") {
        await this.#restart();
        continue;
      }
      if (!isOver) return;
      await this.#leave();
    }
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = null;
  }

  /** The file that was being read, under its name or another, and those that came after it. */
  async #find(left: Left): Promise<void> {
    if (await holds(this.path, left)) {
      return void this.#backlog.push({ path: this.path, position: left.position });
    }
    const rotated = await siblings(this.path);
    const matching: Sibling[] = [];
    for (const sibling of rotated) if (await holds(sibling.path, left)) matching.push(sibling);
    const itself = left.head === null
      ? undefined
      : matching.find(({ inode }) => inode === left.inode) ?? matching.at(-1);
    if (itself === undefined) {
      this.context.log.warn("the file is another one, or cut: it is read from its start", {
        file: this.path,
        position: left.position,
      });
      return;
    }
    this.#backlog.push({ path: itself.path, position: left.position });
    const later = rotated.slice(rotated.indexOf(itself) + 1);
    this.#backlog.push(...later.map(({ path }) => ({ path, position: 0 })));
  }

  /** False: there is nothing to open yet. */
  async #openNext(): Promise<boolean> {
    const { path, position } = this.#backlog.shift() ?? { path: this.path, position: 0 };
    try {
      this.#file = await open(path, "r");
    } catch (error) {
      this.#complain(error);
      return false;
    }
    const { ino, size } = await this.#file.stat();
    this.#inode = String(ino);
    this.#position = this.fromEnd && path === this.path ? size : position;
    this.fromEnd = false;
    this.#complaint = "";
    this.context.log.info("reading", { file: path, position: this.#position });
    await this.#begin();
    return true;
  }

  /** Once, until it is another one. */
  #complain(error: unknown): void {
    const why = error instanceof Error ? error.message : String(error);
    if (why === this.#complaint) return;
    this.#complaint = why;
    this.context.log.warn("the file cannot be read, it is tried again", { file: this.path, why });
  }

  async #begin(): Promise<void> {
    this.#head = await headOf(this.#file!, this.#position);
    this.#parser = new LineParser(this.settings);
    if (this.settings.format !== "csv" || this.#position === 0) return;
    // The header stands where nobody will read any more.
    const reader = new LineReader(this.#readFrom(0), this.#parser, 0, false);
    while (this.#parser.columns === null && await reader.next() !== null);
  }

  /** A file without a name keeps its room on the disk as long as it is open. */
  async #letGoIfRemoved(): Promise<void> {
    this.#idleLooks = await isThere(this.path) ? 0 : this.#idleLooks + 1;
    if (this.#idleLooks < REMOVED_LOOKS) return;
    this.#idleLooks = 0;
    this.#wasRemoved = true;
    this.left = { position: this.#position, inode: this.#inode, head: this.#head };
    await this.close();
  }

  async #hasChanged(): Promise<boolean> {
    const { size, mtimeMs } = await this.#file!.stat();
    const state = `${size} ${mtimeMs}`;
    // The clock of files is coarse: what has just been written to may be again at the same time.
    const isSettled = size === this.#position && state === this.#state;
    this.#state = state;
    return !isSettled;
  }

  async #isTruncated(): Promise<boolean> {
    return !await continues(this.#file!, {
      position: this.#position,
      inode: null,
      head: this.#head,
    });
  }

  async #restart(): Promise<void> {
    this.context.log.info("the file was cut: it is read from its start", { file: this.path });
    this.#position = 0;
    await this.#begin();
  }

  /** Whether another file has its name and something in it: then nobody writes to this one. */
  async #isReplaced(): Promise<boolean> {
    if (this.#backlog.length > 0) return true;
    const there = await stat(this.path).catch(() => null);
    return there !== null && String(there.ino) !== this.#inode && there.size > 0;
  }

  /** Files that were rotated in between two looks come next. */
  async #leave(): Promise<void> {
    const { mtimeMs } = await this.#file!.stat();
    await this.close();
    this.#finished = [...this.#finished.slice(1 - FINISHED_MAX), this.#inode];
    if (this.#backlog.length > 0) return;
    // Times of files are coarse: one that came after may have the same.
    const later = (await siblings(this.path))
      .filter(({ modifiedMs, inode }) => modifiedMs >= mtimeMs && !this.#finished.includes(inode));
    this.#backlog.push(...later.map(({ path }) => ({ path, position: 0 })));
  }

  #readFrom(start: number) {
    const file = this.#file!;
    let position = start;
    return async (into: Uint8Array, at: number) => {
      const { bytesRead } = await file.read(into, at, into.length - at, position);
      position += bytesRead;
      return bytesRead;
    };
  }

  /** What is read of a file that is cut meanwhile may be of both, and is not given on. */
  async *#read(isWhole: boolean): AsyncGenerator<Lines, "end" | "cut"> {
    const start = this.#position;
    const reader = new LineReader(this.#readFrom(start), this.#parser, start, isWhole);
    for (;;) {
      const lines = await reader.next();
      if (lines === null || this.context.signal.aborted) return "end";
      if (await this.#isTruncated()) return "cut";
      this.#position = reader.position;
      if (!isWholeHead(this.#head)) this.#head = await headOf(this.#file!, this.#position);
      if (lines.length === 0) continue;
      const [inode, head] = [this.#inode, this.#head];
      yield { lines, offsetOf: (line) => ({ position: line.end, inode, head }) };
    }
  }
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(() => true, () => false);
}

async function holds(path: string, left: Left): Promise<boolean> {
  const file = await open(path, "r").catch(() => null);
  if (file === null) return false;
  try {
    return await continues(file, left);
  } finally {
    await file.close();
  }
}
