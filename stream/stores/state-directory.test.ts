import { expect, test } from "bun:test";
import { MemoryDisk } from "../../core/io/memory-disk.ts";
import { silentLogger } from "../../core/logger.ts";
import { FaultyDisk } from "../../tests/sim/faulty-disk.ts";
import { SimClock } from "../../tests/sim/sim-clock.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { bytes } from "../serdes/basic-serdes.ts";
import { StateDirectory } from "./state-directory.ts";
import { TaskLockedError } from "./task-locks.ts";
import type { StoreSpec } from "./store-spec.ts";

const MINUTE = 60_000;
const common = {
  ...{ keySerde: bytes(), valueSerde: bytes(), isLogged: true, isCached: false },
  changelogConfigs: {},
};
const COUNTS: StoreSpec = { kind: "key-value", name: "counts", isTimestamped: true, ...common };
const WINDOWS: StoreSpec = {
  ...{ kind: "window", name: "windows", retentionMs: 10 * MINUTE, ...common },
  ...{ isTimestamped: true, sizeMs: MINUTE, isTimeOrdered: false },
};

function world() {
  const clock = new SimClock(1_000_000_000);
  const disk = new MemoryDisk({ wallMs: () => clock.wallMs(), maxBytes: 1e9 });
  const io = { disk, clock, random: new SimRandom(1), logger: silentLogger };
  return {
    clock,
    disk,
    open: () => StateDirectory.open(io, { dir: "/state", applicationId: "app" }),
    beside: () => StateDirectory.openBeside(io, { dir: "/state", applicationId: "app" }),
  };
}

/** A key of a window: one byte, start, number. */
function windowKey(name: number, startMs: number): Uint8Array {
  const key = new Uint8Array(13);
  key[0] = name;
  new DataView(key.buffer).setBigInt64(1, BigInt(startMs));
  return key;
}

test("stores are as at their last commit when the directory is opened again", () => {
  const { open } = world();
  const first = open();
  const store = first.open("0_1", COUNTS);
  expect([store.changelogOffset, first.tasks()]).toEqual([null, ["0_1"]]);
  store.engine.put(Uint8Array.of(1), Uint8Array.of(2));
  store.commit(5n);
  store.engine.put(Uint8Array.of(1), Uint8Array.of(3));
  expect(store.uncommittedBytes).toBeGreaterThan(0);
  store.engine.close();
  first.close();
  const second = open();
  const again = second.open("0_1", COUNTS);
  expect([again.changelogOffset, again.engine.get(Uint8Array.of(1))]).toEqual([
    5n,
    Uint8Array.of(2),
  ]);
  again.wipe();
  expect([again.changelogOffset, again.engine.get(Uint8Array.of(1))]).toEqual([null, null]);
  expect(second.processId).toBe(first.processId);
  expect(second.processId).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
});

test("windows are kept over restarts as long as they are to be, and then go", () => {
  const { open } = world();
  let directory = open();
  let store = directory.open("0_0", WINDOWS);
  const reopen = () => {
    store.engine.close();
    directory.close();
    directory = open();
    store = directory.open("0_0", WINDOWS);
  };
  const starts = () =>
    Array.from(store.engine.range({ from: null, to: null }), ([key]) => {
      return Number(new DataView(key.buffer, key.byteOffset).getBigInt64(1)) / MINUTE;
    });
  for (let minute = 0; minute < 12; minute++) {
    store.engine.put(windowKey(7, minute * MINUTE), Uint8Array.of(minute));
  }
  store.commit(1n);
  reopen();
  expect(starts()).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  expect(store.engine.get(windowKey(7, 3 * MINUTE))).toEqual(Uint8Array.of(3));
  expect(store.engine.get(windowKey(8, 3 * MINUTE))).toBeNull();
  // Time is what it was, so this is too late to be kept; the later one has the earliest go.
  store.engine.put(windowKey(7, 21 * MINUTE), Uint8Array.of(21));
  store.engine.put(windowKey(7, 4 * MINUTE), Uint8Array.of(1));
  expect(starts()).toEqual([21]);
  store.commit(2n);
  reopen();
  expect(starts()).toEqual([21]);
  store.engine.put(windowKey(7, 4 * MINUTE), Uint8Array.of(1));
  expect(starts()).toEqual([21]);
  store.wipe();
  expect(starts()).toEqual([]);
});

test("a directory is for one process, and for state alone", () => {
  const { open, disk } = world();
  const first = open();
  expect(open).toThrow(
    'the state of "app" in /state/app is in use: another process holds its lock: end that one',
  );
  first.close();
  open().close();
  disk.makeDir("/state/app/photos");
  expect(open).toThrow('/state/app is not a state directory of "app": there is "photos" in it');
});

test("a store that is to be of another kind is refused", () => {
  const directory = world().open();
  directory.open("0_0", COUNTS).engine.close();
  expect(() => directory.open("0_0", { ...WINDOWS, name: "counts" })).toThrow(
    'the state store "counts" in /state/app/0_0/counts is of another topology: it is kept as key-value',
  );
  directory.open("0_0", COUNTS).engine.close();
});

test("a store that was killed as it was made is made again", () => {
  const { open, disk } = world();
  const directory = open();
  directory.open("0_0", COUNTS).engine.close();
  const path = "/state/app/0_0/counts/KIND";
  disk.remove(path);
  disk.open(`${path}.new`, "create").close();
  directory.open("0_0", COUNTS).engine.close();
  disk.remove(path);
  disk.open(path, "create").close();
  directory.open("0_0", COUNTS).engine.close();
  expect(() => directory.open("0_0", { ...WINDOWS, name: "counts" })).toThrow("key-value");
});

test("a damaged store begins with nothing", async () => {
  const { open, disk } = world();
  const directory = open();
  const store = directory.open("0_0", COUNTS);
  store.engine.put(Uint8Array.of(1), new Uint8Array(17e6));
  store.commit(5n);
  await Bun.sleep(0);
  store.engine.close();
  const data = "/state/app/0_0/counts/data";
  const run = disk.list(data).find(({ name }) => name.endsWith(".run"))!.name;
  const file = disk.open(`${data}/${run}`, "readwrite");
  file.truncateSync(9);
  file.close();
  const again = directory.open("0_0", COUNTS);
  expect([again.changelogOffset, again.engine.approximateCount]).toEqual([null, 0]);
});

test("so does one of windows whose damage is found as it is opened", async () => {
  const { open, disk } = world();
  const directory = open();
  const store = directory.open("0_0", WINDOWS);
  store.engine.put(windowKey(7, MINUTE), Uint8Array.of(1));
  store.engine.put(windowKey(7, 2 * MINUTE), new Uint8Array(17e6));
  store.commit(5n);
  await Bun.sleep(0);
  store.engine.close();
  const data = "/state/app/0_0/windows/data";
  const run = disk.list(data).find(({ name }) => name.endsWith(".run"))!.name;
  const file = disk.open(`${data}/${run}`, "readwrite");
  file.writeSync(Uint8Array.of(255), 5);
  file.close();
  const again = directory.open("0_0", WINDOWS);
  expect([again.changelogOffset, again.engine.approximateCount]).toEqual([null, 0]);
  again.engine.close();
  // Nobody holds the task any more.
  directory.open("0_0", WINDOWS).engine.close();
});

test("a store that was killed before it had data is kept otherwise as well as any", () => {
  const { open, disk } = world();
  const directory = open();
  directory.open("0_0", WINDOWS).engine.close();
  const data = "/state/app/0_0/windows/data";
  for (const { name } of disk.list(data)) disk.remove(`${data}/${name}`);
  disk.rename(data, "/elsewhere");
  directory.open("0_0", { ...WINDOWS, retentionMs: 60 * MINUTE }).engine.close();
});

test("what is kept of tasks that nobody has open is told, as of their last commits", () => {
  const { open, beside, disk, clock } = world();
  const directory = open();
  const other = beside();
  const positions = () =>
    new Map(directory.restingPositions((task) => {
      return task === "9_9" ? [] : ["counts", "windows"];
    }));
  const counts = directory.open("0_0", COUNTS);
  const windows = directory.open("0_0", WINDOWS);
  directory.open("0_1", COUNTS).engine.close();
  directory.open("9_9", COUNTS).engine.close();
  counts.engine.put(Uint8Array.of(1), Uint8Array.of(2));
  counts.commit(5n);
  expect(positions()).toEqual(new Map());
  windows.commit(7n);
  counts.engine.put(Uint8Array.of(1), new Uint8Array(17e6));
  counts.commit(11n);
  counts.commit(12n);
  counts.engine.put(Uint8Array.of(2), Uint8Array.of(2));
  counts.engine.close();
  windows.engine.close();
  expect(positions()).toEqual(new Map([["0_0", 19n]]));
  const again = other.open("0_0", COUNTS);
  expect(positions()).toEqual(new Map());
  again.commit(20n);
  clock.jumpWall(1);
  again.engine.close();
  expect(positions()).toEqual(new Map([["0_0", 27n]]));
  disk.open("/state/app/0_0/windows/data/CORRUPT", "create").close();
  clock.jumpWall(1);
  other.open("0_0", COUNTS).engine.close();
  expect(positions()).toEqual(new Map([["0_0", 20n]]));
});

test("a task is open in one thread at a time; the next one has what was committed", async () => {
  const { open, beside, clock } = world();
  const directory = open();
  const [one, other] = [beside(), beside()];
  expect([one.processId, other.processId]).toEqual([directory.processId, directory.processId]);
  const counts = one.open("0_0", COUNTS);
  const windows = one.open("0_0", WINDOWS);
  counts.engine.put(Uint8Array.of(1), Uint8Array.of(2));
  counts.commit(5n);
  other.open("0_1", COUNTS).engine.close();
  expect(() => other.open("0_0", COUNTS)).toThrow(TaskLockedError);
  counts.engine.close();
  expect(() => other.open("0_0", COUNTS)).toThrow(TaskLockedError);
  // However old it is, it is used.
  clock.jumpWall(10 * MINUTE);
  expect(await directory.removeUnused(MINUTE)).toEqual(["0_1"]);
  windows.engine.close();
  const after = other.open("0_0", COUNTS);
  expect([after.changelogOffset, after.engine.get(Uint8Array.of(1))]).toEqual([
    5n,
    Uint8Array.of(2),
  ]);
  expect(() => one.open("0_0", COUNTS)).toThrow(TaskLockedError);
});

test("a task is let go of though the disk takes nothing any more", () => {
  const clock = new SimClock(1_000_000_000);
  const disk = new FaultyDisk(clock, new SimRandom(1));
  const told: unknown[] = [];
  const logger = { ...silentLogger, warn: (message: string) => void told.push(message) };
  const io = { disk, clock, random: new SimRandom(1), logger };
  const options = { dir: "/state", applicationId: "app" };
  const one = StateDirectory.open(io, options);
  const other = StateDirectory.openBeside(io, options);
  const store = one.open("0_0", COUNTS);
  disk.faults.maxBytes = 0;
  store.engine.close();
  expect(told).toEqual(["when a task was used last is not kept"]);
  disk.faults.maxBytes = 1e9;
  other.open("0_0", COUNTS).engine.close();
});

test("what was brought in half is removed when the store is opened again", async () => {
  const { open, disk } = world();
  const directory = open();
  const store = directory.open("0_0", COUNTS);
  const { dir } = await store.copies.incoming();
  disk.open(`${dir}/1.run`, "create").close();
  store.engine.close();
  const again = directory.open("0_0", COUNTS);
  await Bun.sleep(0);
  expect(disk.stat(dir)).toBeNull();
  again.engine.close();
});

test("tasks that nobody has used for long are removed", async () => {
  const { open, clock, disk } = world();
  const directory = open();
  const kept = directory.open("0_0", COUNTS);
  directory.open("0_1", COUNTS).engine.close();
  clock.jumpWall(10 * MINUTE);
  directory.open("1_0", COUNTS).engine.close();
  expect(await directory.removeUnused(10 * MINUTE)).toEqual(["0_1"]);
  expect(directory.tasks()).toEqual(["0_0", "1_0"]);
  expect(disk.stat("/state/app/0_1")).toBeNull();
  kept.engine.put(Uint8Array.of(1), Uint8Array.of(1));
  kept.commit(1n);
});
