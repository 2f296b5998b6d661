/** Batches that are found as regions of their file, by one who wrote them and after a restart. */
import { expect, test } from "bun:test";
import { Errors } from "../core/errors.ts";
import { type Chunk, DiskError } from "../core/io.ts";
import { flip, SimWorld } from "../tests/sim/sim-world.ts";

const LOG = "00000000000000000000.log";
/** Above what is read rather than sent as a region. */
const RECORD_BYTES = 20_000;

function worldOfFive(): SimWorld {
  const world = new SimWorld();
  for (let index = 0; index < 5; index++) expect(world.append(1, RECORD_BYTES).ok).toBe(true);
  world.settle();
  return world;
}

function reopen(world: SimWorld, damageAt: number | null = null): void {
  world.clock.run(world.dir.close());
  if (damageAt !== null) world.damage(LOG, flip(damageAt));
  world.dir = world.open();
}

const locate = (world: SimWorld, offset: number, maxBytes = 1_000_000) =>
  world.log.locateCached(offset, maxBytes, Infinity, true) ??
    world.clock.run(world.log.locate(offset, maxBytes, Infinity, true));

/** The bytes of a region, as a socket would send them. */
function bytesOf(chunk: Chunk): Uint8Array {
  expect(chunk).not.toBeInstanceOf(Uint8Array);
  if (chunk instanceof Uint8Array) return chunk;
  const opened = chunk.open();
  const bytes = new Uint8Array(chunk.length);
  expect(opened.file.readSync(bytes, chunk.position)).toBe(chunk.length);
  opened.release();
  return bytes;
}

test("what an earlier process wrote is read before it is sent from its file", () => {
  const world = worldOfFive();
  const written = locate(world, 1);
  reopen(world);
  expect(world.log.locateCached(1, 1_000_000, Infinity, true)).toBeNull();
  const found = locate(world, 1);
  const read = world.read(1);
  if (!written.ok || !found.ok || !read.ok) throw new Error("nothing was found");
  expect([found.nextOffset, read.nextOffset]).toEqual([5, 5]);
  expect(bytesOf(found.records)).toEqual(read.records);
  expect(found.records.length).toBe(written.records.length);
});

test("few bytes are given out in memory, that no later read uses", () => {
  const world = new SimWorld();
  for (let index = 0; index < 3; index++) world.append();
  world.settle();
  reopen(world);
  const first = locate(world, 0, 1);
  if (!first.ok || !(first.records instanceof Uint8Array)) throw new Error("nothing was found");
  const before = first.records.slice();
  expect(first.nextOffset).toBe(1);
  locate(world, 1, 1);
  expect(first.records).toEqual(before);
});

test("a damaged batch that an earlier process wrote is not sent", () => {
  const world = worldOfFive();
  reopen(world, 2 * (RECORD_BYTES + 75));
  expect(locate(world, 2)).toEqual({ ok: false, error: Errors.CORRUPT_MESSAGE });
  expect(locate(world, 0)).toMatchObject({ ok: true, nextOffset: 2 });
  expect(locate(world, 3)).toMatchObject({ ok: true, nextOffset: 5 });
});

test("a region cannot be opened after the log has been cut: its bytes may be others", () => {
  const world = worldOfFive();
  const found = locate(world, 1);
  world.clock.run(world.log.truncateTo(3));
  if (!found.ok || found.records instanceof Uint8Array) throw new Error("no region was found");
  expect(found.records.open).toThrow(DiskError);
});

test("segments that go in front of a read make it miss nothing", () => {
  const world = new SimWorld({ segmentBytes: 3 * (61 + 109) });
  for (let index = 0; index < 10; index++) expect(world.append().ok).toBe(true);
  world.settle();
  world.config = { ...world.config, cleanupPolicy: { delete: true, compact: true } };
  world.kill(() => {
    world.damage("00000000000000000003.log", (bytes) => bytes.slice(0, 2 * (61 + 109)));
  });
  // Offset 5 is missing, which a compacted log may lack: the next batch is in the segment behind.
  const reading = world.log.read(5, 1, Infinity, true);
  expect(world.log.deleteRecordsBefore(3)).toBe(Errors.NONE);
  expect(world.names()).not.toContain(LOG);
  expect(world.clock.run(reading)).toMatchObject({ ok: true, nextOffset: 7 });
});
