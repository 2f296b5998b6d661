/** What every `Disk` has to do, as tests: `describeDisk` runs them against one implementation. */
import { describe, expect, test } from "bun:test";
import { type Disk, DiskError } from "../io.ts";

const bytes = (...values: number[]) => new Uint8Array(values);

function codeOf(action: () => unknown): string | null {
  try {
    action();
    return null;
  } catch (error) {
    return error instanceof DiskError ? error.code : String(error);
  }
}

function readAll(disk: Disk, path: string): number[] {
  const file = disk.open(path, "read");
  const into = new Uint8Array(file.sizeBytes());
  expect(file.readSync(into, 0)).toBe(into.length);
  file.close();
  return [...into];
}

/** Runs the suite; `make` gives a disk and an empty directory on it. */
export function describeDisk(name: string, make: () => { disk: Disk; dir: string }): void {
  describe(name, () => {
    test("writes at positions and reads back, also beyond the end", async () => {
      const { disk, dir } = make();
      const file = disk.open(`${dir}/a`, "create");
      file.writeSync(bytes(1, 2, 3), 0);
      file.writevSync([bytes(4), bytes(5, 6)], 3);
      file.writeSync(bytes(9), 8);
      await file.sync();
      expect(file.sizeBytes()).toBe(9);
      const into = new Uint8Array(20);
      expect(await file.read(into, 1)).toBe(8);
      expect([...into.subarray(0, 8)]).toEqual([2, 3, 4, 5, 6, 0, 0, 9]);
      expect(file.readSync(into, 9)).toBe(0);
      file.close();
    });

    test("holds large writes over many pieces", () => {
      const { disk, dir } = make();
      const file = disk.open(`${dir}/a`, "create");
      const large = Uint8Array.from({ length: 700_001 }, (_, index) => index % 251);
      file.writeSync(large, 13);
      const into = new Uint8Array(large.length);
      expect(file.readSync(into, 13)).toBe(large.length);
      expect(Buffer.compare(into, large)).toBe(0);
      file.close();
    });

    test("cuts and extends with zeros", () => {
      const { disk, dir } = make();
      const file = disk.open(`${dir}/a`, "create");
      file.writeSync(bytes(1, 2, 3, 4), 0);
      file.truncateSync(2);
      file.truncateSync(4);
      file.close();
      expect(readAll(disk, `${dir}/a`)).toEqual([1, 2, 0, 0]);
    });

    test("room that is reserved changes nothing that is read, and can be given back", () => {
      const { disk, dir } = make();
      const file = disk.open(`${dir}/a`, "create");
      file.allocateSync(100_000);
      file.writeSync(bytes(1, 2), 0);
      expect(file.sizeBytes()).toBe(2);
      file.truncateSync(2);
      file.close();
      expect(readAll(disk, `${dir}/a`)).toEqual([1, 2]);
    });

    test("takes a hint to flush, also for what is not there, and is as before", async () => {
      const { disk, dir } = make();
      const file = disk.open(`${dir}/a`, "create");
      file.writeSync(bytes(1, 2), 0);
      await disk.flushHint(dir);
      await disk.flushHint(`${dir}/none`);
      file.close();
      expect(readAll(disk, `${dir}/a`)).toEqual([1, 2]);
    });

    test("opens only what is there, creates only what is not", () => {
      const { disk, dir } = make();
      expect(codeOf(() => disk.open(`${dir}/a`, "read"))).toBe("ENOENT");
      expect(codeOf(() => disk.open(`${dir}/a`, "readwrite"))).toBe("ENOENT");
      expect(codeOf(() => disk.open(`${dir}/none/a`, "create"))).toBe("ENOENT");
      disk.open(`${dir}/a`, "create").close();
      expect(codeOf(() => disk.open(`${dir}/a`, "create"))).toBe("EEXIST");
    });

    test("lists, stats, renames over, removes", async () => {
      const { disk, dir } = make();
      disk.makeDir(`${dir}/one/two`);
      disk.makeDir(`${dir}/one`);
      for (const name of ["a", "b"]) {
        const file = disk.open(`${dir}/one/${name}`, "create");
        file.writeSync(new TextEncoder().encode(name), 0);
        file.close();
      }
      disk.rename(`${dir}/one/a`, `${dir}/one/b`);
      const listed = disk.list(`${dir}/one`).sort((x, y) => x.name < y.name ? -1 : 1);
      expect(listed).toEqual([
        { name: "b", isDirectory: false },
        { name: "two", isDirectory: true },
      ]);
      expect(readAll(disk, `${dir}/one/b`)).toEqual([97]);
      expect(disk.stat(`${dir}/one/a`)).toBeNull();
      expect(disk.stat(`${dir}/one/b`)).toMatchObject({ sizeBytes: 1, isDirectory: false });
      expect(disk.stat(`${dir}/one`)?.isDirectory).toBe(true);
      disk.rename(`${dir}/one`, `${dir}/uno`);
      await disk.syncDir(dir);
      expect(readAll(disk, `${dir}/uno/b`)).toEqual([97]);
      disk.remove(`${dir}/uno/b`);
      disk.remove(`${dir}/uno/b`);
      await disk.removeTree(`${dir}/uno`);
      await disk.removeTree(`${dir}/uno`);
      expect(disk.list(dir)).toEqual([]);
    });

    test("keeps an open file that is renamed or removed", () => {
      const { disk, dir } = make();
      const file = disk.open(`${dir}/a`, "create");
      file.writeSync(bytes(1), 0);
      disk.rename(`${dir}/a`, `${dir}/b`);
      file.writeSync(bytes(2), 1);
      expect(readAll(disk, `${dir}/b`)).toEqual([1, 2]);
      disk.remove(`${dir}/b`);
      expect(file.readSync(new Uint8Array(2), 0)).toBe(2);
      file.close();
    });

    test("locks once", () => {
      const { disk, dir } = make();
      const lock = disk.lock(`${dir}/.lock`);
      expect(lock).not.toBeNull();
      expect(disk.lock(`${dir}/.lock`)).toBeNull();
      lock!.release();
      lock!.release();
      const again = disk.lock(`${dir}/.lock`);
      expect(again).not.toBeNull();
      again!.release();
    });

    test("knows how much is free", () => {
      const { disk, dir } = make();
      expect(disk.freeBytes(dir)).toBeGreaterThan(0);
    });
  });
}
