/** What every place for snapshots does. */
import { expect } from "bun:test";
import type { SnapshotStore } from "./snapshot-store.ts";

async function* pieces(...all: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const each of all) {
    await Promise.resolve();
    yield new TextEncoder().encode(each);
  }
}

async function* broken(): AsyncGenerator<Uint8Array> {
  yield* pieces("some of it");
  throw new Error("the disk has failed");
}

async function textOf(store: SnapshotStore, name: string): Promise<string> {
  const found: Uint8Array[] = [];
  for await (const piece of store.get(name)) found.push(piece.slice());
  return Buffer.concat(found).toString();
}

/** `wallMs`: about the time where it is. */
export async function requireSnapshotStore(store: SnapshotStore, wallMs: number): Promise<void> {
  const listed = async (folder: string) =>
    (await store.list(folder)).map(({ name, sizeBytes }) => [name, sizeBytes] as const)
      .sort(([one], [other]) => one < other ? -1 : 1);
  expect(await listed("a/0/")).toEqual([]);
  await store.put("a/0/one", pieces("what ", "is ", "in it"));
  await store.put("a/0/none", pieces());
  await store.put("a/01/other", pieces("x"));
  const large = "0123456789".repeat(700_000);
  await store.put("b/0/large", pieces(large.slice(0, 1_500_000), large.slice(1_500_000)));
  expect(await listed("a/0/")).toEqual([["a/0/none", 0], ["a/0/one", 13]]);
  expect([await textOf(store, "a/0/one"), await textOf(store, "a/0/none")])
    .toEqual(["what is in it", ""]);
  expect(await textOf(store, "b/0/large") === large).toBe(true);
  const [{ modifiedMs } = { modifiedMs: 0 }] = await store.list("b/0/");
  expect(Math.abs(modifiedMs - wallMs)).toBeLessThan(3_600_000);
  await store.put("a/0/one", pieces("else"));
  expect(await textOf(store, "a/0/one")).toBe("else");
  // What is half put is not there, and leaves what was.
  expect(await store.put("a/0/one", broken()).catch(String)).toContain("the disk has failed");
  expect(await store.put("a/0/new", broken()).catch(String)).toContain("the disk has failed");
  expect(await textOf(store, "a/0/one")).toBe("else");
  const missing = await textOf(store, "a/0/new").catch((error: { code?: string }) => error.code);
  expect(["ENOENT", "NoSuchKey"]).toContain(missing ?? "");
  // Whoever does not read to the end is let go of.
  for await (const _piece of store.get("b/0/large")) break;
  await store.remove("a/0/one");
  await store.remove("a/0/one");
  expect(await listed("a/0/")).toEqual([["a/0/none", 0]]);
  expect(await listed("a/")).toEqual([["a/0/none", 0], ["a/01/other", 1]]);
}
