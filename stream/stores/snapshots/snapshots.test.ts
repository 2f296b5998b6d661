/** Snapshots of stores on disk: taken, brought in elsewhere, and left where they are of no use. */
import { expect, test } from "bun:test";
import { BunDisk } from "../../../core/io/bun/disk.ts";
import type { Disk } from "../../../core/io.ts";
import { MemoryDisk } from "../../../core/io/memory-disk.ts";
import { silentLogger } from "../../../core/logger.ts";
import { freshDir } from "../../../tests/harness/fresh-dir.ts";
import { SimClock } from "../../../tests/sim/sim-clock.ts";
import { SimRandom } from "../../../tests/sim/sim-random.ts";
import { bytes } from "../../serdes/basic-serdes.ts";
import type { OpenState } from "../open-state.ts";
import { StateDirectory } from "../state-directory.ts";
import type { StoreSpec } from "../store-spec.ts";
import { loadSnapshot, type SnapshotWish } from "./load-snapshot.ts";
import { MemorySnapshots } from "./memory-snapshots.test-helper.ts";
import type { PinnedStore } from "./pinned-store.ts";
import { pruneSnapshots } from "./prune-snapshots.ts";
import { takeSnapshot } from "./take-snapshot.ts";

const DAY_MS = 86_400_000;
const FOLDER = "counts-changelog/0/";
const common = {
  ...{ keySerde: bytes(), valueSerde: bytes(), isLogged: true, isCached: false },
  changelogConfigs: {},
};
const COUNTS: StoreSpec = { kind: "key-value", name: "counts", isTimestamped: true, ...common };
const WINDOWS: StoreSpec = {
  ...{ kind: "window", name: "windows", retentionMs: 600_000, ...common },
  ...{ isTimestamped: true, sizeMs: 60_000, isTimeOrdered: false },
};
const PLAIN: StoreSpec = { ...COUNTS, isTimestamped: false };

class World {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly random = new SimRandom(7);
  readonly place = new MemorySnapshots(this.clock);
  readonly refused: string[] = [];
  #unique = 0;

  /** Of the store that was opened last. */
  disk = this.#disk(0);

  #disk(maxBytes: number): MemoryDisk {
    return new MemoryDisk({ wallMs: () => this.clock.wallMs(), maxBytes });
  }

  /** A store of a machine that has nothing; `room`: bytes of its disk. */
  store(spec: StoreSpec = COUNTS, room = 1e9): OpenState {
    return this.storeOn(this.disk = this.#disk(room), "/state", spec);
  }

  storeOn(disk: Disk, dir: string, spec = COUNTS): OpenState {
    const { clock, random } = this;
    const io = { disk, clock, random, logger: silentLogger };
    const options = { dir, applicationId: "app", writeBufferBytes: 2000 };
    return StateDirectory.open(io, options).open("0_0", spec);
  }

  async take(from: OpenState | PinnedStore, topicId = "one", kind = "") {
    const pinned = "copies" in from ? from.copies.pin()! : from;
    const taken = await takeSnapshot(this.place, pinned, {
      ...{ folder: FOLDER, topicId, nowMs: this.clock.wallMs(), onProgress: () => {} },
      kind: kind || ("copies" in from ? from.copies.kind : ""),
      ...{ unique: `a${this.#unique++}`, signal: new AbortController().signal },
    });
    pinned.release();
    return taken;
  }

  async load(into: OpenState, wish: Partial<SnapshotWish> = {}): Promise<bigint | null> {
    const objects = await this.place.list(FOLDER);
    const { kind } = into.copies;
    const loaded = await loadSnapshot(
      this.place,
      FOLDER,
      objects,
      {
        ...{ kind, topicId: "one", earliest: 0, latest: 1e9 },
        ...{ nowMs: this.clock.wallMs(), ageMaxMs: DAY_MS, ...wish },
      },
      into.copies,
      {
        signal: new AbortController().signal,
        refused: (_name, why) => void this.refused.push(why),
      },
    );
    return loaded?.changelogOffset ?? null;
  }

  records(): string[] {
    return [...this.place.objects.keys()].filter((name) => name.endsWith(".snapshot")).sort();
  }

  /** Of the files of stores, by size. */
  files(): string[] {
    const { objects } = this.place;
    return [...objects.keys()].filter((name) => !name.endsWith(".snapshot"))
      .sort((one, other) => objects.get(other)!.bytes.length - objects.get(one)!.bytes.length);
  }
}

const key = (number: number) => new TextEncoder().encode(`key ${number}`);

/** Puts so many, in commits of 20. */
function fill(store: OpenState, from: number, to: number, value: number): void {
  for (let i = from; i < to; i++) {
    store.engine.put(key(i), new Uint8Array(30).fill(value));
    if (i % 20 === 19) store.commit(BigInt(i + 1));
  }
  store.commit(BigInt(to));
}

function contents(store: OpenState): Map<string, number> {
  const found = Array.from(store.engine.range({ from: null, to: null }), ([name, value]) => {
    return [Buffer.from(name).toString(), value[0]!] as const;
  });
  return new Map(found);
}

test("what was at a commit is brought in elsewhere, whatever has become of the store since", async () => {
  const world = new World();
  // One that forgets files which are closed and removed.
  const disk = new BunDisk(null);
  const dir = freshDir("snapshots");
  const store = world.storeOn(disk, `${dir}/one`);
  expect(store.copies.pin()).toBeNull();
  for (const to of [5, 200, 900, 915]) {
    fill(store, 0, to, to % 256);
    const was = contents(store);
    const pinned = store.copies.pin()!;
    // What is not committed is not in it, and merges remove the runs that it has.
    store.engine.put(key(0), Uint8Array.of(1));
    if (to === 900) store.wipe();
    fill(store, 0, 2000, 99);
    await world.take(pinned, "one", store.copies.kind);
    const other = world.storeOn(disk, `${dir}/${to}`);
    expect(await world.load(other)).toBe(BigInt(to));
    expect([other.changelogOffset, contents(other)]).toEqual([BigInt(to), was]);
    // It is a store as any other.
    fill(other, 0, 1500, 3);
    const size = Math.max(1500, was.size);
    expect([contents(other).size, other.changelogOffset]).toEqual([size, 1500n]);
    other.engine.close();
    world.place.objects.clear();
  }
  store.engine.close();
  expect(store.copies.pin()).toBeNull();
});

test("windows come with their time", async () => {
  const world = new World();
  const [store, other] = [world.store(WINDOWS), world.store(WINDOWS)];
  const windowKey = (startMs: number) => {
    const bytesOf = new Uint8Array(13).fill(7);
    new DataView(bytesOf.buffer).setBigInt64(1, BigInt(startMs));
    return bytesOf;
  };
  const starts = [...Array(14).keys()].map((minute) => minute * 60_000);
  for (const startMs of starts) store.engine.put(windowKey(startMs), Uint8Array.of(1));
  store.commit(3n);
  await world.take(store);
  expect(await world.load(other)).toBe(3n);
  expect(contents(other)).toEqual(contents(store));
  expect(contents(other).size).toBe(10);
  // Time is what it was there: this is too late.
  other.engine.put(windowKey(0), Uint8Array.of(1));
  expect(other.engine.get(windowKey(0))).toBeNull();
});

test("what is there is not copied again, and what the last two do not need goes", async () => {
  const world = new World();
  const store = world.store();
  fill(store, 0, 1000, 1);
  const first = await world.take(store);
  expect(first.copiedBytes).toBe(first.bytes);
  store.engine.put(key(0), Uint8Array.of(2));
  store.commit(1001n);
  const second = await world.take(store);
  expect(second.copiedBytes).toBeLessThan(second.bytes / 5);
  expect(world.records()).toHaveLength(2);
  for (let round = 2; round < 6; round++) {
    fill(store, 0, 1000 * round, round);
    await world.take(store);
  }
  expect(world.records()).toHaveLength(2);
  const kept = [...world.place.objects.values()].reduce((sum, each) => sum + each.bytes.length, 0);
  expect(kept).toBeLessThan(3 * store.sizeBytes);
  const other = world.store();
  expect(await world.load(other)).toBe(5000n);
  expect(contents(other)).toEqual(contents(store));
  // The one before it is as whole.
  world.place.objects.delete(world.records()[1]!);
  const earlier = world.store();
  expect(await world.load(earlier)).toBe(4000n);
  expect(contents(earlier).size).toBe(4000);
});

test("one that is no use is left with a reason, and the store has nothing", async () => {
  const world = new World();
  const store = world.store();
  fill(store, 0, 900, 1);
  const taken = world.clock.wallMs();
  await world.take(store);
  const refuse = async (wish: Partial<SnapshotWish>, why: RegExp, spec = COUNTS) => {
    const other = world.store(spec);
    world.refused.length = 0;
    expect(await world.load(other, wish)).toBeNull();
    expect(world.refused).toHaveLength(1);
    expect(world.refused[0]).toMatch(why);
    expect([other.changelogOffset, contents(other).size]).toEqual([null, 0]);
    other.engine.put(key(1), Uint8Array.of(1));
    other.commit(1n);
    other.engine.close();
  };
  await refuse({ topicId: "two" }, /made again/);
  await refuse({ latest: 899 }, /ends at 899/);
  await refuse({ earliest: 901 }, /begins at 901/);
  await refuse({ nowMs: taken + DAY_MS + 1 }, /so old/);
  await refuse({}, /kept as key-value with timestamps, this one as key-value$/, PLAIN);
  const bounds = { latest: 900, earliest: 900, nowMs: taken + DAY_MS };
  expect(await world.load(world.store(), bounds)).toBe(900n);
});

test("one that is damaged anywhere gives way to the one before it", async () => {
  const world = new World();
  const store = world.store();
  fill(store, 0, 900, 1);
  await world.take(store);
  const { objects } = world.place;
  const before = new Set(objects.keys());
  fill(store, 0, 950, 2);
  await world.take(store);
  const fresh = [...objects.keys()].filter((name) => !before.has(name));
  expect(fresh.length).toBeGreaterThan(3);
  const fallsBack = async (why: RegExp) => {
    const other = world.store();
    world.refused.length = 0;
    expect(await world.load(other)).toBe(900n);
    expect(world.refused).toHaveLength(1);
    expect(world.refused[0]).toMatch(why);
    expect(contents(other).size).toBe(900);
    other.engine.close();
  };
  for (const name of fresh) {
    const whole = objects.get(name)!;
    const why = name.endsWith(".snapshot") ? /another checksum/ : /other bytes than were put/;
    const flipped = Uint8Array.from(whole.bytes);
    flipped[flipped.length >> 1]! ^= 1;
    objects.set(name, { ...whole, bytes: flipped });
    await fallsBack(why);
    objects.set(name, { ...whole, bytes: whole.bytes.subarray(0, whole.bytes.length - 9) });
    await fallsBack(why);
    if (!name.endsWith(".snapshot")) {
      objects.set(name, { ...whole, bytes: Buffer.concat([whole.bytes, Uint8Array.of(0)]) });
      await fallsBack(why);
      objects.delete(name);
      await fallsBack(/ENOENT/);
    }
    objects.set(name, whole);
  }
  expect(await world.load(world.store())).toBe(950n);
});

test("a store that is damaged is not copied", async () => {
  const world = new World();
  const store = world.store();
  const { disk } = world;
  fill(store, 0, 900, 1);
  const dir = "/state/app/0_0/counts/data";
  for (const { name } of disk.list(dir)) {
    if (!name.endsWith(".run")) continue;
    const file = disk.open(`${dir}/${name}`, "readwrite");
    const byte = new Uint8Array(1);
    file.readSync(byte, 1000);
    file.writeSync(Uint8Array.of(byte[0]! ^ 1), 1000);
  }
  expect(await world.take(store).catch(String)).toContain("a block has another checksum");
  expect(world.records()).toEqual([]);
});

test("one that says of itself what is not in it is no use", async () => {
  const world = new World();
  const store = world.store();
  fill(store, 0, 900, 1);
  const pinned = store.copies.pin()!;
  await world.take({ ...pinned, changelogOffset: 901n }, "one", store.copies.kind);
  const other = world.store();
  expect(await world.load(other)).toBeNull();
  expect(world.refused[0]).toMatch(/at offset 900, not 901/);
  expect([other.changelogOffset, contents(other).size]).toEqual([null, 0]);
  // A file that nobody expects there.
  const strange = { name: "../x", sizeBytes: 1, digest: null, pieces: pinned.files[0]!.pieces };
  const bad = { changelogOffset: 902n, release: () => {}, files: [strange] };
  await world.take(bad, "one", store.copies.kind);
  world.refused.length = 0;
  expect(await world.load(other)).toBeNull();
  expect(world.refused[0]).toMatch(/another version/);
});

test("a snapshot that ends half-way counts for nothing and is gone on with later", async () => {
  const world = new World();
  const store = world.store();
  fill(store, 0, 900, 1);
  world.place.refuses = (name) => name.endsWith(".snapshot");
  expect(await world.take(store).catch(String)).toContain("ENOSPC");
  expect(await world.load(world.store())).toBeNull();
  world.place.refuses = () => false;
  const taken = await world.take(store);
  expect(taken.copiedBytes).toBe(0);
  expect(await world.load(world.store())).toBe(900n);
});

test("a file that another owner has removed meanwhile is noticed", async () => {
  const world = new World();
  const store = world.store();
  fill(store, 0, 900, 1);
  world.place.refuses = (name) => {
    if (name.endsWith(".snapshot")) world.place.objects.delete(world.files()[0]!);
    return false;
  };
  expect(await world.take(store).catch(String)).toContain("has been removed meanwhile");
  world.place.refuses = () => false;
  await world.take(store);
  expect(await world.load(world.store())).toBe(900n);
});

test("a disk without room for it keeps its store as it was", async () => {
  const world = new World();
  const store = world.store();
  fill(store, 0, 900, 1);
  await world.take(store);
  const small = world.store(COUNTS, 20_000);
  expect(await world.load(small).catch(String)).toContain("ENOSPC");
  expect([small.changelogOffset, contents(small).size]).toEqual([null, 0]);
  fill(small, 0, 20, 1);
  expect(contents(small).size).toBe(20);
});

test("what others have left goes after a day, and the newest offset counts, whoever was last", async () => {
  const world = new World();
  const [owner, zombie] = [world.store(), world.store()];
  fill(owner, 0, 900, 1);
  fill(zombie, 0, 700, 2);
  await world.take(owner);
  await world.take(zombie);
  expect(await world.load(world.store())).toBe(900n);
  await world.take(zombie, "another topic");
  world.place.objects.set(`${FOLDER}half.new`, {
    bytes: Uint8Array.of(1),
    modifiedMs: world.clock.wallMs(),
  });
  const names = new Set(world.place.objects.keys());
  world.clock.jumpWall(DAY_MS / 2);
  await world.take(owner);
  for (const name of world.files()) names.delete(name);
  expect([...names].filter((name) => !name.endsWith(".snapshot"))).toEqual([]);
  world.clock.jumpWall(DAY_MS);
  fill(owner, 0, 950, 1);
  await world.take(owner);
  expect(world.records()).toHaveLength(2);
  expect(world.place.objects.has(`${FOLDER}half.new`)).toBe(false);
  expect(await world.load(world.store())).toBe(950n);
});

test("what is left of changelogs that are no more goes once it is of no use to anybody", async () => {
  const world = new World();
  const { place, clock } = world;
  const store = world.store();
  store.engine.put(Uint8Array.of(1), Uint8Array.of(2));
  store.commit(5n);
  await world.take(store);
  const files = [...place.objects.keys()];
  expect(files.length).toBeGreaterThan(1);
  const copied = (folder: string) => {
    const names = files.map((name) => name.replace(FOLDER, folder));
    names.forEach((name, at) => place.objects.set(name, place.objects.get(files[at]!)!));
    return names;
  };
  const renamed = copied("old-changelog/0/");
  const half = `${renamed.find((name) => name.endsWith(".snapshot"))}.${crypto.randomUUID()}.new`;
  place.objects.set(half, place.objects.get(files[0]!)!);
  const foreign = ["notes-changelog/0/notes.txt", "old-changelog/notes.txt", "photos/0/a"];
  for (const name of foreign) place.objects.set(name, place.objects.get(files[0]!)!);
  const prune = () =>
    pruneSnapshots(
      ...[place, (changelog: string) => changelog === "counts-changelog"] as const,
      ...[clock.wallMs(), new AbortController().signal] as const,
    );
  clock.advance(6 * DAY_MS);
  // Another version of the application is at work with it.
  const young = copied("used-changelog/3/");
  const { bytes } = place.objects.get(young[0]!)!;
  place.objects.set(young[0]!, { bytes, modifiedMs: clock.wallMs() });
  expect(await prune()).toEqual([]);
  clock.advance(1.1 * DAY_MS);
  expect(await prune()).toEqual(["old-changelog"]);
  expect([...place.objects.keys()].sort()).toEqual([...files, ...young, ...foreign].sort());
});
