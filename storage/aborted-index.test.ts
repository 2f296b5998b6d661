import { expect, test } from "bun:test";
import { DiskError } from "../core/io.ts";
import { FaultyDisk } from "../tests/sim/faulty-disk.ts";
import { SimClock } from "../tests/sim/sim-clock.ts";
import { SimRandom } from "../tests/sim/sim-random.ts";
import { AbortedIndex } from "./aborted-index.ts";
import { OpenFiles } from "./open-files.ts";

const PATH = "/log/00000000000000000000.txnindex";
const ENTRIES = [3, 7].map((lastOffset) => ({
  ...{ producerId: 1, firstOffset: lastOffset - 2, lastOffset },
  lastStableOffset: lastOffset + 1,
}));

test("a list that is made anew counts only once all of it is durable", async () => {
  const disk = new FaultyDisk(new SimClock(0), new SimRandom(1));
  disk.makeDir("/log");
  const files = new OpenFiles(disk, 10);
  const open = () => new AbortedIndex(files, () => PATH, disk.stat(PATH)?.sizeBytes ?? null);
  const index = open();
  for (const entry of ENTRIES) index.append(entry);
  for (const error of [new DiskError("EIO", PATH, "no sync"), null]) {
    disk.faults.failingWritePercent = error === null ? 100 : 0;
    const sync = () => error === null ? Promise.resolve() : Promise.reject(error);
    await expect(open().replace(ENTRIES, sync)).rejects.toThrow(DiskError);
    expect(open().isWhole).toBe(false);
  }
  disk.faults.failingWritePercent = 0;
  await open().replace(ENTRIES, () => Promise.resolve());
  expect(open().isWhole).toBe(true);
  expect(open().entries()).toEqual(ENTRIES);
});
