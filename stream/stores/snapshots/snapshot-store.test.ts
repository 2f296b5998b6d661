import { expect, test } from "bun:test";
import { join } from "node:path";
import { freshDir } from "../../../tests/harness/fresh-dir.ts";
import { SimClock } from "../../../tests/sim/sim-clock.ts";
import { FolderSnapshots } from "./folder-snapshots.ts";
import { MemorySnapshots } from "./memory-snapshots.test-helper.ts";
import { requireSnapshotStore } from "./snapshot-store.test-helper.ts";

test("a folder keeps snapshots", async () => {
  const dir = freshDir("snapshots");
  await requireSnapshotStore(new FolderSnapshots(join(dir, "app")), Date.now());
  // One that cannot be is told.
  const store = new FolderSnapshots("/dev/null/app");
  expect(await store.put("a", nothing()).catch(String)).toContain("ENOTDIR");
});

async function* nothing(): AsyncGenerator<Uint8Array> {}

test("so does memory, in tests", async () => {
  const clock = new SimClock(1_000_000_000);
  await requireSnapshotStore(new MemorySnapshots(clock), clock.wallMs());
});
