import { expect, test } from "bun:test";
import { DiskError, type DiskFile, type OpenMode } from "../../../core/io.ts";
import { MemoryDisk } from "../../../core/io/memory-disk.ts";
import { FaultyDisk } from "../../../tests/sim/faulty-disk.ts";
import { SimClock } from "../../../tests/sim/sim-clock.ts";
import { SimRandom } from "../../../tests/sim/sim-random.ts";
import { durableConformance } from "../durable-engine.test-helper.ts";
import { engineConformance } from "../engine.test-helper.ts";
import { BlockCache } from "./block-cache.ts";
import { LogStructuredEngine } from "./log-structured-engine.ts";
import { removeStore } from "./store-files.ts";

const newDisk = () => new MemoryDisk({ wallMs: () => 0, maxBytes: 1e9 });
const disk = newDisk();
/** Small, so that there are many runs and merges. */
const small = () => ({ cache: new BlockCache(20_000), writeBufferBytes: 4000 });

let count = 0;
engineConformance("log-structured", () => LogStructuredEngine.open(disk, `/s${count++}`, small()));
durableConformance(
  "log-structured",
  (store) => LogStructuredEngine.open(disk, `/${store}`, small()),
);

const key = (index: number) => new TextEncoder().encode(`key-${index}`);

async function filled(where: MemoryDisk): Promise<LogStructuredEngine> {
  const engine = LogStructuredEngine.open(where, "/s", small());
  for (let index = 0; index < 2000; index++) {
    engine.put(key(index % 700), new Uint8Array(100).fill(index));
    if (index % 10 === 9) engine.commit(BigInt(index));
    if (index % 200 === 0) await engine.settled();
  }
  await engine.settled();
  return engine;
}

const filesOf = (where: MemoryDisk) => where.list("/s").map(({ name }) => name);

test("files that nothing needs any more are removed", async () => {
  const where = newDisk();
  const engine = await filled(where);
  const runs = filesOf(where).filter((name) => name.endsWith(".run"));
  expect(runs.length).toBeLessThan(10);
  expect(filesOf(where).filter((name) => name.endsWith(".log")).length).toBeLessThan(3);
  engine.close();
});

test("commits of nothing take no room, however many there are", async () => {
  const where = newDisk();
  const engine = LogStructuredEngine.open(where, "/s", small());
  const bytes = () => {
    return filesOf(where).reduce((sum, name) => sum + where.stat(`/s/${name}`)!.sizeBytes, 0);
  };
  engine.put(key(1), new Uint8Array(10));
  engine.commit(7n);
  const before = bytes();
  for (let commit = 0; commit < 1000; commit++) engine.commit(7n);
  expect(bytes()).toBe(before);
  // What is new is the offset alone: transactions of others, records that were left out.
  for (let commit = 8; commit < 2000; commit++) {
    engine.commit(BigInt(commit));
    await engine.settled();
  }
  expect(bytes()).toBeLessThan(3 * small().writeBufferBytes);
  expect(filesOf(where).filter((name) => name.endsWith(".run"))).toHaveLength(1);
  engine.close();
  const again = LogStructuredEngine.open(where, "/s", small());
  expect([again.changelogOffset, again.get(key(1))]).toEqual([1999n, new Uint8Array(10)]);
  again.close();
});

test("runs of commits that fill a buffer each are merged as well, more of them at once", async () => {
  const where = newDisk();
  const engine = LogStructuredEngine.open(where, "/s", small());
  const runs = () => filesOf(where).filter((name) => name.endsWith(".run")).length;
  let most = 0;
  for (let commit = 0; commit < 200; commit++) {
    for (let put = 0; put < 40; put++) {
      engine.put(key((commit * 40 + put) * 7919 % 8009), new Uint8Array(100).fill(commit));
    }
    engine.commit(BigInt(commit));
    await engine.settled();
    most = Math.max(most, runs());
  }
  expect(most).toBeWithin(12, 60);
  for (let commit = 0; commit < 400; commit++) {
    engine.put(key(8009 + commit), new Uint8Array(1000).fill(1));
    engine.commit(BigInt(200 + commit));
  }
  await engine.settled();
  expect(runs()).toBeLessThan(20);
  expect(engine.get(key(7919 * 7999 % 8009))).toEqual(new Uint8Array(100).fill(199));
  engine.close();
});

test("damage is told, and the store is refused until it has been removed", async () => {
  const where = newDisk();
  (await filled(where)).close();
  const largest = where.list("/s").map(({ name }) => name).filter((name) => name.endsWith(".run"))
    .sort((a, b) => where.stat(`/s/${b}`)!.sizeBytes - where.stat(`/s/${a}`)!.sizeBytes)[0]!;
  const file = where.open(`/s/${largest}`, "readwrite");
  file.writeSync(new Uint8Array(300).fill(255), 5000);
  file.close();
  const engine = LogStructuredEngine.open(where, "/s", small());
  expect(() => Array.from(engine.range({ from: null, to: null }))).toThrow(
    `the state store in /s/${largest} cannot be read: a block has another checksum than was written`,
  );
  engine.close();
  expect(() => LogStructuredEngine.open(where, "/s", small())).toThrow("damage was found");
  removeStore(where, "/s");
  const again = LogStructuredEngine.open(where, "/s", small());
  expect([again.changelogOffset, again.approximateCount]).toEqual([null, 0]);
  again.close();
});

for (
  const [what, damage] of [
    ["cut short", (size: number) => ({ cut: size - 10 })],
    ["emptied", () => ({ cut: 0 })],
  ] as const
) {
  test(`a run that is ${what} is told when it is opened`, async () => {
    const where = newDisk();
    (await filled(where)).close();
    const run = filesOf(where).find((name) => name.endsWith(".run"))!;
    const file = where.open(`/s/${run}`, "readwrite");
    file.truncateSync(damage(file.sizeBytes()).cut);
    file.close();
    expect(() => LogStructuredEngine.open(where, "/s", small())).toThrow("cannot be read");
  });
}

test("who goes through a store goes on where it was while buffers become runs and are filled again", () => {
  const engine = LogStructuredEngine.open(newDisk(), "/s", small());
  const value = (index: number) => new Uint8Array(8).fill(index);
  for (let index = 100; index < 150; index++) engine.put(key(index), value(index));
  engine.commit(1n);
  const found: string[] = [];
  for (const [name, bytes] of engine.range({ from: null, to: key(149) })) {
    found.push(`${new TextDecoder().decode(name)}=${bytes[0]}`);
    // Soon more than a buffer holds, all behind what is gone through.
    for (let index = 200; index < 225; index++) engine.put(key(index), new Uint8Array(100).fill(9));
    engine.commit(BigInt(found.length + 1));
  }
  expect(found).toEqual(Array.from({ length: 50 }, (_, at) => `key-${at + 100}=${at + 100}`));
  engine.close();
});

/** Knows which files are open. The number of one that is closed twice may be another's by then. */
class WatchedDisk extends FaultyDisk {
  readonly opened: string[] = [];
  /** So many files can still be made. */
  room = Infinity;

  override open(path: string, mode: OpenMode): DiskFile {
    if (mode === "create" && this.room-- <= 0) throw new DiskError("ENOSPC", path, "ENOSPC");
    const file = super.open(path, mode);
    this.opened.push(path);
    file.close = () => {
      const at = this.opened.indexOf(path);
      if (at < 0) throw new Error(`${path} is closed twice`);
      this.opened.splice(at, 1);
    };
    return file;
  }
}

for (const [what, limit, step] of [["bytes", 9000, 200], ["files", 30, 1]] as const) {
  test(`where a disk has no room for ${what}, files are closed once, and the store is as at a commit`, () => {
    for (let room = 0; room < limit; room += step) {
      const clock = new SimClock(0);
      const where = new WatchedDisk(clock, new SimRandom(1));
      let engine = LogStructuredEngine.open(where, "/s", small());
      for (let index = 0; index < 100; index++) engine.put(key(index), new Uint8Array(30).fill(1));
      engine.commit(1n);
      engine.close();
      clock.run(engine.settled());
      if (what === "files") where.room = room;
      else {
        where.faults.maxBytes = where.list("/s").reduce((sum, { name }) => {
          return sum + where.stat(`/s/${name}`)!.sizeBytes;
        }, room);
      }
      let known = 1n;
      engine = LogStructuredEngine.open(where, "/s", small());
      try {
        for (let commit = 2n; commit < 30n; commit++) {
          for (let index = 0; index < 20; index++) {
            engine.put(key(index), new Uint8Array(30 + Number(commit)));
          }
          engine.commit(commit);
          known = commit;
          if (commit % 5n === 0n) clock.run(engine.settled());
        }
        engine.wipe();
      } catch (error) {
        expect(String(error)).toContain("ENOSPC");
      }
      engine.close();
      clock.run(engine.settled().catch(() => {}));
      expect([room, where.opened]).toEqual([room, []]);
      where.faults.maxBytes = where.room = Infinity;
      engine = LogStructuredEngine.open(where, "/s", small());
      const offset = engine.changelogOffset;
      // A commit may be whole though what came behind it was refused; and all may be wiped.
      expect([known, known + 1n, null]).toContain(offset);
      if (offset !== null) expect(engine.get(key(99))).toEqual(new Uint8Array(30).fill(1));
      engine.close();
    }
  });
}
