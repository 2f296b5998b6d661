import { expect, test } from "bun:test";
import { type Offload, OffloadError } from "../io.ts";
import { OffloadPool } from "./bun/offload.ts";
import { inlineOffload } from "./inline-offload.ts";
import { sumTask } from "./offload.test-helper.ts";

const SCRIPT = new URL("./offload.test-helper.ts", import.meta.url).href;
const pool = () => new OffloadPool({ script: SCRIPT, workersMax: 2, idleMs: 20 });

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await Bun.sleep(1);
}

const offloads: readonly [string, () => Offload][] = [["inline", inlineOffload], ["workers", pool]];
for (const [name, make] of offloads) {
  test(`${name}: each session remembers its own calls`, async () => {
    const offload = make();
    const sessions = [1, 2, 3].map(() => offload.open(sumTask));
    const sums = sessions.map(() => 0);
    for (let round = 0; round < 5; round++) {
      await Promise.all(sessions.map(async (session, index) => {
        const answer = await session.call({ bytes: new Uint8Array([index, round]) });
        sums[index] = answer.sum;
        expect([...answer.bytes]).toEqual([round, index]);
      }));
    }
    for (const session of sessions) session.end();
    expect(sums).toEqual([10, 15, 20]);
  });

  test(`${name}: a task that throws fails its call, not the others`, async () => {
    const offload = make();
    const [bad, good] = [offload.open(sumTask), offload.open(sumTask)];
    await expect(bad.call({ bytes: new Uint8Array([255]) })).rejects.toThrow("255 is too much");
    expect((await good.call({ bytes: new Uint8Array([7]) })).sum).toBe(7);
    bad.end();
    good.end();
  });
}

test("workers start with the first session and end when they are idle", async () => {
  const offload = pool();
  expect(offload.workerCount).toBe(0);
  const sessions = [1, 2, 3].map(() => offload.open(sumTask));
  expect(offload.workerCount).toBe(2);
  for (const session of sessions) session.end();
  await until(() => offload.workerCount === 0);
  const later = offload.open(sumTask);
  expect((await later.call({ bytes: new Uint8Array([4]) })).sum).toBe(4);
  later.end();
});

test("bytes are moved, and a call whose worker ends is refused", async () => {
  const offload = pool();
  const session = offload.open(sumTask);
  const bytes = new Uint8Array([1, 2]);
  const answer = session.call({ bytes });
  expect(bytes.length).toBe(0);
  expect((await answer).sum).toBe(3);
  await expect(session.call({ bytes: new Uint8Array([254]) })).rejects.toBeInstanceOf(OffloadError);
  await expect(session.call({ bytes: new Uint8Array([1]) })).rejects.toBeInstanceOf(OffloadError);
  session.end();
});
