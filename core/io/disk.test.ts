import { afterAll, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DiskError } from "../io.ts";
import { BunDisk } from "./bun/disk.ts";
import { syncFileSystem } from "./bun/libc.ts";
import { describeDisk } from "./disk-conformance.test-helper.ts";
import { inlineOffload } from "./inline-offload.ts";
import { MemoryDisk } from "./memory-disk.ts";

const root = mkdtempSync(join(tmpdir(), "kstream-disk-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describeDisk("the system's disk", () => ({
  disk: new BunDisk(),
  dir: mkdtempSync(join(root, "case-")),
}));

// As `serve` has it, but on the thread of the tests.
describeDisk("the system's disk that takes hints", () => ({
  disk: new BunDisk(inlineOffload()),
  dir: mkdtempSync(join(root, "case-")),
}));

test.skipIf(process.platform !== "linux")("the system has a call to write out all files", () => {
  const fd = openSync(root, "r");
  expect(() => syncFileSystem(fd)).not.toThrow();
  closeSync(fd);
});

const options = { wallMs: () => 1, maxBytes: 1 << 20 };

describeDisk("the disk in memory", () => {
  const disk = new MemoryDisk(options);
  disk.makeDir("/d");
  return { disk, dir: "/d" };
});

test.skipIf(process.platform !== "linux")("the system's disk takes the room at once", () => {
  const path = join(root, "room");
  const file = new BunDisk().open(path, "create");
  file.allocateSync(1 << 20);
  expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(1 << 20);
  file.writeSync(new Uint8Array(10), 0);
  file.truncateSync(10);
  expect(statSync(path).blocks * 512).toBeLessThan(1 << 20);
  file.close();
});

test("the disk in memory is full at its bound and takes bytes again after a removal", () => {
  const disk = new MemoryDisk(options);
  const file = disk.open("/a", "create");
  file.writeSync(new Uint8Array(1 << 20), 0);
  const other = disk.open("/b", "create");
  expect(() => other.writeSync(new Uint8Array(1), 0)).toThrow(DiskError);
  expect(other.sizeBytes()).toBe(0);
  disk.remove("/a");
  other.writeSync(new Uint8Array(1), 0);
  expect(disk.freeBytes("/")).toBe((1 << 20) - 1);
});
