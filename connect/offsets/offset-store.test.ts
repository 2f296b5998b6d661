/** What every store of offsets has to do. */
import { describe, expect, test } from "bun:test";
import { MemoryDisk } from "../../core/io/memory-disk.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { FileOffsetStore } from "./file-offset-store.ts";
import { MemoryOffsetStore } from "./memory-offset-store.ts";
import type { OffsetStore } from "./offset-store.ts";

const disk = () => {
  const made = new MemoryDisk({ wallMs: () => 0, maxBytes: 1 << 20 });
  made.makeDir("/offsets");
  return made;
};

const STORES: Readonly<Record<string, () => OffsetStore>> = {
  memory: () => new MemoryOffsetStore(),
  file: () => new FileOffsetStore(disk(), "/offsets/offsets.json"),
};

for (const [name, open] of Object.entries(STORES)) {
  describe(name, () => {
    test("what is set is there, whatever the order of keys", async () => {
      const store = open();
      await store.set("a", [{ partition: { file: "x", host: 1 }, offset: { at: 7 } }]);
      expect(await store.get("a", [{ host: 1, file: "x" }, { file: "x" }])).toEqual([
        { at: 7 },
        null,
      ]);
      expect(await store.get("b", [{ host: 1, file: "x" }])).toEqual([null]);
    });

    test("the latest counts, and null forgets", async () => {
      const store = open();
      await store.set("a", [{ partition: { p: 1 }, offset: { at: 1 } }]);
      await store.set("a", [
        { partition: { p: 1 }, offset: { at: 2 } },
        { partition: { p: 2 }, offset: { at: 9 } },
      ]);
      await store.set("a", [{ partition: { p: 2 }, offset: null }]);
      expect(await store.list("a")).toEqual([{ partition: { p: 1 }, offset: { at: 2 } }]);
      expect(await store.list("none")).toEqual([]);
    });
  });
}

test("a file is read again, and one that is no such file is refused with its name", async () => {
  const io = disk();
  const store = new FileOffsetStore(io, "/offsets/offsets.json");
  await Promise.all(
    Array.from(
      { length: 20 },
      (_, at) => store.set("a", [{ partition: { p: 1 }, offset: { at } }]),
    ),
  );
  await store.close();
  const again = new FileOffsetStore(io, "/offsets/offsets.json");
  expect(await again.get("a", [{ p: 1 }])).toEqual([{ at: 19 }]);
  for (const text of ["{", "[1]", '{"a":[{"partition":{}}]}', '{"a":{}}']) {
    const file = io.open(
      "/offsets/bad.json",
      io.stat("/offsets/bad.json") === null ? "create" : "readwrite",
    );
    file.truncateSync(0);
    file.writeSync(new TextEncoder().encode(text), 0);
    file.close();
    expect(() => new FileOffsetStore(io, "/offsets/bad.json")).toThrow(OperatorError);
  }
});
