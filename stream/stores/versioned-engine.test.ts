import { expect, test } from "bun:test";
import { seededBelow } from "./engine.test-helper.ts";
import { MemoryEngine } from "./memory-engine.ts";
import { VersionedEngine } from "./versioned-engine.ts";

const RETENTION_MS = 300_000;
const open = () => new VersionedEngine(RETENTION_MS, () => new MemoryEngine(), null);
const textOf = (bytes: Uint8Array | undefined) => bytes === undefined ? null : String(bytes);

test("at each time there is what the last version up to then says, whatever order they came in", () => {
  const below = seededBelow(3);
  const engine = open();
  // By key: versions by their times, null where there is no value from then on.
  const model = new Map<number, Map<number, Uint8Array | null>>();
  let nowMs = 0;
  const counts = { latest: 0, late: 0, expired: 0 };
  for (let step = 0; step < 3000; step++) {
    nowMs += below(2000);
    const key = below(3);
    const atMs = Math.max(0, nowMs - below(4) * below(RETENTION_MS / 2));
    const value = below(4) === 0 ? null : Uint8Array.of(below(256));
    const outcome = engine.putVersion(Uint8Array.of(key), value, atMs);
    counts[outcome]++;
    const versions = model.get(key) ?? new Map();
    if (outcome !== "expired") model.set(key, versions.set(atMs, value));
    else expect(atMs).toBeLessThan(nowMs - RETENTION_MS);
    const times = [...versions.keys()].sort((one, other) => one - other);
    const askedMs = Math.max(0, nowMs - below(RETENTION_MS - 2000));
    const before = times.filter((time) => time <= askedMs).at(-1);
    const wanted = before === undefined ? null : versions.get(before) ?? null;
    const found = engine.versionAt(Uint8Array.of(key), askedMs);
    expect(found === null ? null : textOf(found.value)).toBe(
      wanted === null ? null : String(wanted),
    );
    if (found === null) continue;
    expect(found.fromMs).toBe(before!);
    expect(found.toMs).toBe(times.find((time) => time > askedMs) ?? null);
  }
  expect(Math.min(counts.latest, counts.late, counts.expired)).toBeGreaterThan(50);
});

test("what is longer ago than the history is not known, unless it still is", () => {
  const engine = open();
  const [old, changed] = [Uint8Array.of(1), Uint8Array.of(2)];
  engine.putVersion(old, Uint8Array.of(7), 10);
  engine.putVersion(changed, Uint8Array.of(8), 10);
  engine.putVersion(changed, Uint8Array.of(9), 20);
  engine.putVersion(changed, Uint8Array.of(9), RETENTION_MS + 16);
  expect(engine.versionAt(old, 10)?.value).toEqual(Uint8Array.of(7));
  expect(engine.versionAt(changed, 15)).toBeNull();
  expect(engine.versionAt(changed, 16)?.toMs).toBe(20);
});
