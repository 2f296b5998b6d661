/**
 * A disk in memory, for `serve --memory` and for tests: everything is gone with the process, and
 * syncing costs nothing. It never fails but for want of room.
 */
import type { Disk, DiskEntry, DiskFile, DiskLock, OpenMode } from "../io.ts";
import { DiskError } from "../io.ts";

/** Files grow in pieces of this size, so that growth never copies a whole file. */
const PIECE_BYTES = 256 * 1024;
const FIRST_PIECE_BYTES = 512;

/** The bytes of a file, in pieces. Only the first piece is ever smaller than the others. */
class PieceList {
  sizeBytes = 0;
  private readonly pieces: Uint8Array[] = [];

  read(into: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(into.length, this.sizeBytes - position));
    for (let done = 0; done < count;) {
      const at = position + done;
      const start = at % PIECE_BYTES;
      const piece = this.pieces[Math.floor(at / PIECE_BYTES)]!;
      const some = Math.min(count - done, PIECE_BYTES - start);
      into.set(piece.subarray(start, start + some), done);
      done += some;
    }
    return count;
  }

  write(from: Uint8Array, position: number): void {
    this.resize(Math.max(this.sizeBytes, position + from.length));
    for (let done = 0; done < from.length;) {
      const at = position + done;
      const start = at % PIECE_BYTES;
      const some = Math.min(from.length - done, PIECE_BYTES - start);
      this.pieces[Math.floor(at / PIECE_BYTES)]!.set(from.subarray(done, done + some), start);
      done += some;
    }
  }

  /** New bytes are zero, also where the file has been larger before. */
  resize(sizeBytes: number): void {
    const count = Math.ceil(sizeBytes / PIECE_BYTES);
    if (sizeBytes < this.sizeBytes) {
      this.pieces.length = count;
      const rest = sizeBytes % PIECE_BYTES;
      if (rest > 0) this.pieces[count - 1]!.fill(0, rest);
    }
    while (this.pieces.length < count) {
      const isFirst = this.pieces.length === 0 && sizeBytes <= PIECE_BYTES;
      this.pieces.push(new Uint8Array(isFirst ? FIRST_PIECE_BYTES : PIECE_BYTES));
    }
    const first = this.pieces[0];
    const needed = Math.min(sizeBytes, PIECE_BYTES);
    if (first !== undefined && first.length < needed) {
      const grown = new Uint8Array(Math.min(PIECE_BYTES, Math.max(needed, first.length * 2)));
      grown.set(first);
      this.pieces[0] = grown;
    }
    this.sizeBytes = sizeBytes;
  }
}

interface Node {
  readonly bytes: PieceList;
  modifiedMs: number;
}

/** Options of a `MemoryDisk`. */
export interface MemoryDiskOptions {
  readonly wallMs: () => number;
  /** Beyond this, writes fail with ENOSPC. */
  readonly maxBytes: number;
}

/** See the head of this file. */
export class MemoryDisk implements Disk {
  private readonly files = new Map<string, Node>();
  private readonly dirs = new Set<string>(["", "/", "."]);
  private readonly locks = new Set<string>();
  private usedBytes = 0;

  constructor(private readonly options: MemoryDiskOptions) {}

  open(path: string, mode: OpenMode): DiskFile {
    let node = this.files.get(path);
    if (this.dirs.has(path)) throw refusal("EISDIR", path);
    if (mode === "create") {
      if (node !== undefined) throw refusal("EEXIST", path);
      if (!this.dirs.has(parentOf(path))) throw refusal("ENOENT", path);
      node = { bytes: new PieceList(), modifiedMs: this.options.wallMs() };
      this.files.set(path, node);
    }
    if (node === undefined) throw refusal("ENOENT", path);
    return this.fileOf(path, node, mode !== "read");
  }

  makeDir(path: string): void {
    for (let at = path; !this.dirs.has(at); at = parentOf(at)) {
      if (this.files.has(at)) throw refusal("ENOTDIR", at);
      this.dirs.add(at);
    }
  }

  list(path: string): DiskEntry[] {
    if (!this.dirs.has(path)) throw refusal("ENOENT", path);
    const within = (name: string) => name !== path && parentOf(name) === path;
    const entry = (name: string, isDirectory: boolean) => ({
      name: name.slice(path.length + (path.endsWith("/") ? 0 : 1)),
      isDirectory,
    });
    return [
      ...[...this.dirs].filter(within).map((name) => entry(name, true)),
      ...[...this.files.keys()].filter(within).map((name) => entry(name, false)),
    ];
  }

  stat(path: string): { sizeBytes: number; modifiedMs: number; isDirectory: boolean } | null {
    if (this.dirs.has(path)) return { sizeBytes: 0, modifiedMs: 0, isDirectory: true };
    const node = this.files.get(path);
    if (node === undefined) return null;
    return { sizeBytes: node.bytes.sizeBytes, modifiedMs: node.modifiedMs, isDirectory: false };
  }

  rename(from: string, to: string): void {
    const node = this.files.get(from);
    if (node !== undefined) {
      if (!this.dirs.has(parentOf(to))) throw refusal("ENOENT", to);
      this.files.delete(from);
      this.remove(to);
      this.files.set(to, node);
      return;
    }
    if (!this.dirs.delete(from)) throw refusal("ENOENT", from);
    this.dirs.add(to);
    for (const path of [...this.dirs].filter((name) => name.startsWith(`${from}/`))) {
      this.dirs.delete(path);
      this.dirs.add(to + path.slice(from.length));
    }
    for (const [path, moved] of [...this.files]) {
      if (!path.startsWith(`${from}/`)) continue;
      this.files.delete(path);
      this.files.set(to + path.slice(from.length), moved);
    }
  }

  remove(path: string): void {
    const node = this.files.get(path);
    if (node === undefined) return;
    this.files.delete(path);
    this.usedBytes -= node.bytes.sizeBytes;
  }

  removeTree(path: string): Promise<void> {
    const within = (name: string) => name === path || name.startsWith(`${path}/`);
    for (const name of [...this.files.keys()].filter(within)) this.remove(name);
    for (const name of [...this.dirs].filter(within)) this.dirs.delete(name);
    return Promise.resolve();
  }

  syncDir(_path: string): Promise<void> {
    return Promise.resolve();
  }

  flushHint(_path: string): Promise<void> {
    return Promise.resolve();
  }

  freeBytes(_path: string): number {
    return Math.max(0, this.options.maxBytes - this.usedBytes);
  }

  lock(path: string): DiskLock | null {
    if (this.locks.has(path)) return null;
    if (!this.files.has(path)) this.open(path, "create");
    this.locks.add(path);
    return { release: () => void this.locks.delete(path) };
  }

  private resize(path: string, node: Node, sizeBytes: number): void {
    const growth = sizeBytes - node.bytes.sizeBytes;
    if (growth > this.options.maxBytes - this.usedBytes) throw refusal("ENOSPC", path);
    node.bytes.resize(sizeBytes);
    this.usedBytes += growth;
    node.modifiedMs = this.options.wallMs();
  }

  private fileOf(path: string, node: Node, mayWrite: boolean): DiskFile {
    const writeSync = (from: Uint8Array, position: number) => {
      if (!mayWrite) throw refusal("EBADF", path);
      this.resize(path, node, Math.max(node.bytes.sizeBytes, position + from.length));
      node.bytes.write(from, position);
    };
    return {
      path,
      sizeBytes: () => node.bytes.sizeBytes,
      readSync: (into, position) => node.bytes.read(into, position),
      isCached: () => true,
      read: (into, position) => Promise.resolve(node.bytes.read(into, position)),
      writeSync,
      writevSync: (from, position) => {
        let at = position;
        for (const bytes of from) {
          writeSync(bytes, at);
          at += bytes.length;
        }
      },
      sync: () => Promise.resolve(),
      truncateSync: (sizeBytes) => this.resize(path, node, sizeBytes),
      allocateSync: () => {},
      close: () => {},
    };
  }
}

function parentOf(path: string): string {
  const at = path.lastIndexOf("/");
  return at < 0 ? "" : at === 0 ? "/" : path.slice(0, at);
}

function refusal(code: string, path: string): DiskError {
  return new DiskError(code, path, `${code}: ${path}`);
}
