import { describe, expect, test } from "bun:test";
import { aloneBroker } from "./metadata-image.ts";
import type { MetadataLog } from "./metadata-log.ts";
import type { MetadataRecord } from "./metadata-records.ts";

/** A log under test; `reopen` gives it as a new process would find it. */
export interface LogUnderTest {
  readonly log: MetadataLog;
  reopen(): Promise<LogUnderTest>;
}

/** All records from a position to the end. */
export async function readAll(log: MetadataLog, from = 0): Promise<MetadataRecord[]> {
  const records: MetadataRecord[] = [];
  for (let position = from;;) {
    const read = await log.read(position);
    if (read.kind === "gone") throw new Error(`gone at ${position}`);
    if (read.changes.length === 0) return records;
    for (const change of read.changes) {
      records.push(...change.records);
      position = change.position;
    }
  }
}

/** What every implementation of `MetadataLog` does; `make` gives an empty one. */
export function metadataLogSuite(name: string, make: () => Promise<LogUnderTest>): void {
  describe(`${name} as a MetadataLog`, () => {
    test("starts empty at position 0", async () => {
      const { log } = await make();
      expect(log.endPosition).toBe(0);
      expect(await log.read(0)).toEqual({ kind: "changes", changes: [] });
      expect(await log.readSnapshot()).toBeNull();
    });

    test("gives back changes whole, in order, each ending where the next begins", async () => {
      const { log } = await make();
      const first = await log.append(0, [aloneBroker(1), aloneBroker(2)]);
      if (!first.ok) throw new Error("refused");
      const second = await log.append(first.position, [aloneBroker(3)]);
      if (!second.ok) throw new Error("refused");
      expect(second.position).toBeGreaterThan(first.position);
      expect(log.endPosition).toBe(second.position);
      expect(await log.read(0)).toEqual({
        kind: "changes",
        changes: [
          { position: first.position, records: [aloneBroker(1), aloneBroker(2)] },
          { position: second.position, records: [aloneBroker(3)] },
        ],
      });
      expect(await readAll(log, first.position)).toEqual([aloneBroker(3)]);
    });

    test("refuses an append at any other position than the end, and appends nothing", async () => {
      const { log } = await make();
      const first = await log.append(0, [aloneBroker(1)]);
      if (!first.ok) throw new Error("refused");
      for (const position of [0, first.position + 1]) {
        expect(await log.append(position, [aloneBroker(9)])).toEqual({
          ok: false,
          reason: "conflict",
          endPosition: first.position,
        });
      }
      expect(await readAll(log, 0)).toEqual([aloneBroker(1)]);
    });

    test("lets only one of two writers append at the same position", async () => {
      const { log } = await make();
      const results = await Promise.all([
        log.append(0, [aloneBroker(1)]),
        log.append(0, [aloneBroker(2)]),
      ]);
      expect(results.map((result) => result.ok)).toEqual([true, false]);
      expect(await readAll(log, 0)).toEqual([aloneBroker(1)]);
    });

    test("tells its followers", async () => {
      const { log } = await make();
      let calls = 0;
      const unsubscribe = log.onAppend(() => calls++);
      const first = await log.append(0, [aloneBroker(1)]);
      expect(calls).toBeGreaterThan(0);
      unsubscribe();
      const before = calls;
      await log.append(first.ok ? first.position : 0, [aloneBroker(2)]);
      expect(calls).toBe(before);
    });

    test("keeps everything that it accepted", async () => {
      const subject = await make();
      const wanted: MetadataRecord[] = [];
      let position = 0;
      for (let id = 0; id < 200; id++) {
        const result = await subject.log.append(position, [aloneBroker(id)]);
        if (!result.ok) throw new Error("refused");
        position = result.position;
        wanted.push(aloneBroker(id));
      }
      const { log } = await subject.reopen();
      expect(log.endPosition).toBe(position);
      expect(await readAll(log, 0)).toEqual(wanted);
    });

    test("begins at its last snapshot, also when it is opened again", async () => {
      const subject = await make();
      const first = await subject.log.append(0, [aloneBroker(1), aloneBroker(2)]);
      if (!first.ok) throw new Error("refused");
      const { position } = first;
      await subject.log.writeSnapshot({ position: 0, records: [] });
      await subject.log.writeSnapshot({ position, records: [aloneBroker(1), aloneBroker(2)] });
      await subject.log.append(position, [aloneBroker(3)]);
      for (const { log } of [subject, await subject.reopen()]) {
        expect(await log.readSnapshot()).toEqual({
          position,
          records: [aloneBroker(1), aloneBroker(2)],
        });
        expect(await log.read(0)).toEqual({ kind: "gone" });
        expect(await readAll(log, position)).toEqual([aloneBroker(3)]);
      }
    });
  });
}
