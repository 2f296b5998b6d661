/**
 * The disk of the operating system. Calls that only touch the page cache are synchronous (a 4 KB
 * write costs 1 µs, through the pool 12: `bench/disk-calls.ts`); what may wait for the device goes
 * through the runtime's thread pool. Directory locks are `flock`: the kernel drops them with the
 * process, however it ends.
 */
import * as fs from "node:fs";
import type { Disk, DiskEntry, DiskFile, DiskLock, Offload, OpenMode } from "../../io.ts";
import { DiskError } from "../../io.ts";
import { flushTask } from "./flush-task.ts";
import { flock, isInPageCache, reserveRoom } from "./libc.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;
/** Most buffers that one writev takes (IOV_MAX is 1024 on Linux and macOS). */
const WRITEV_MAX_BUFFERS = 1024;
const FLAGS: Readonly<Record<OpenMode, string>> = { read: "r", readwrite: "r+", create: "wx+" };

/** Makes a `DiskError` of whatever the runtime threw. */
function asDiskError(error: unknown, path: string): DiskError {
  if (error instanceof DiskError) return error;
  const code = error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : "EIO";
  return new DiskError(code, path, error instanceof Error ? error.message : String(error));
}

function guarded<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw asDiskError(error, path);
  }
}

/** An open file of the operating system. `fd` is for `core/io/bun/` alone. */
export class BunDiskFile implements DiskFile {
  constructor(readonly path: string, readonly fd: number) {}

  sizeBytes(): number {
    return guarded(this.path, () => fs.fstatSync(this.fd).size);
  }

  readSync(into: Uint8Array, position: number): number {
    return guarded(this.path, () => {
      let done = 0;
      while (done < into.length) {
        const count = fs.readSync(this.fd, into, done, into.length - done, position + done);
        if (count === 0) break;
        done += count;
      }
      return done;
    });
  }

  isCached(position: number, length: number): boolean {
    return isInPageCache(this.fd, position, length);
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let done = 0;
    while (done < into.length) {
      const count = await this.readOnce(into, done, position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  private readOnce(into: Uint8Array, start: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.read(this.fd, into, start, into.length - start, position, (error, count) => {
        if (error) reject(asDiskError(error, this.path));
        else resolve(count);
      });
    });
  }

  writeSync(from: Uint8Array, position: number): void {
    guarded(this.path, () => {
      let done = 0;
      while (done < from.length) {
        done += fs.writeSync(this.fd, from, done, from.length - done, position + done);
      }
    });
  }

  writevSync(from: readonly Uint8Array[], position: number): void {
    let at = position;
    for (let first = 0; first < from.length; first += WRITEV_MAX_BUFFERS) {
      const some = from.slice(first, first + WRITEV_MAX_BUFFERS);
      const wanted = some.reduce((sum, buffer) => sum + buffer.length, 0);
      const written = guarded(this.path, () => fs.writevSync(this.fd, some, at));
      if (written < wanted) this.writeRest(some, written, at);
      at += wanted;
    }
  }

  /** After a short writev: writes what is left one buffer at a time, which reports the cause. */
  private writeRest(buffers: readonly Uint8Array[], written: number, position: number): void {
    let skip = written;
    let at = position;
    for (const buffer of buffers) {
      if (skip < buffer.length) this.writeSync(buffer.subarray(skip), at + skip);
      skip = Math.max(0, skip - buffer.length);
      at += buffer.length;
    }
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.fd, (error) => {
        if (error) reject(asDiskError(error, this.path));
        else resolve();
      });
    });
  }

  truncateSync(sizeBytes: number): void {
    guarded(this.path, () => fs.ftruncateSync(this.fd, sizeBytes));
  }

  allocateSync(sizeBytes: number): void {
    reserveRoom(this.fd, sizeBytes);
  }

  close(): void {
    guarded(this.path, () => fs.closeSync(this.fd));
  }
}

/** The file systems of this machine. */
export class BunDisk implements Disk {
  /** `offload` has threads that may be held up; without it, `flushHint` does nothing. */
  constructor(private readonly offload: Offload | null = null) {}

  open(path: string, mode: OpenMode): DiskFile {
    return guarded(path, () => new BunDiskFile(path, fs.openSync(path, FLAGS[mode], 0o644)));
  }

  makeDir(path: string): void {
    guarded(path, () => fs.mkdirSync(path, { recursive: true, mode: 0o755 }));
  }

  list(path: string): DiskEntry[] {
    return guarded(
      path,
      () =>
        fs.readdirSync(path, { withFileTypes: true })
          .map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() })),
    );
  }

  stat(path: string): { sizeBytes: number; modifiedMs: number; isDirectory: boolean } | null {
    return guarded(path, () => {
      const stats = fs.statSync(path, { throwIfNoEntry: false });
      if (stats === undefined) return null;
      return {
        sizeBytes: stats.size,
        modifiedMs: Math.floor(stats.mtimeMs),
        isDirectory: stats.isDirectory(),
      };
    });
  }

  rename(from: string, to: string): void {
    guarded(from, () => fs.renameSync(from, to));
  }

  remove(path: string): void {
    guarded(path, () => fs.rmSync(path, { force: true }));
  }

  removeTree(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.rm(path, { force: true, recursive: true }, (error) => {
        if (error === null) resolve();
        else reject(asDiskError(error, path));
      });
    });
  }

  async syncDir(path: string): Promise<void> {
    const fd = guarded(path, () => fs.openSync(path, "r"));
    try {
      await new Promise<void>((resolve, reject) => {
        fs.fsync(fd, (error) => error ? reject(asDiskError(error, path)) : resolve());
      });
    } finally {
      fs.closeSync(fd);
    }
  }

  async flushHint(path: string): Promise<void> {
    if (this.offload === null) return;
    const session = this.offload.open(flushTask);
    try {
      await session.call({ bytes: new TextEncoder().encode(path) });
    } catch {
      // The worker is gone, and the hint with it.
    } finally {
      session.end();
    }
  }

  freeBytes(path: string): number {
    return guarded(path, () => {
      const stats = fs.statfsSync(path);
      return stats.bavail * stats.bsize;
    });
  }

  lock(path: string): DiskLock | null {
    const fd = guarded(path, () => fs.openSync(path, "a+", 0o644));
    if (flock(fd, LOCK_EX | LOCK_NB) !== 0) {
      fs.closeSync(fd);
      return null;
    }
    let held = true;
    return {
      release: () => {
        if (held) fs.closeSync(fd);
        held = false;
      },
    };
  }
}
