import { expect, test } from "bun:test";
import { Errors } from "../core/errors.ts";
import { accept, refuse } from "./outcome.ts";
import { ProducerIds } from "./producer-ids.ts";

/** Ids in blocks of ten, from a controller that can be away. */
function source() {
  const controller = { isAway: false, blocks: 0 };
  const ids = new ProducerIds({
    allocateProducerIds: () =>
      Promise.resolve(
        controller.isAway
          ? refuse(Errors.COORDINATOR_LOAD_IN_PROGRESS, "")
          : accept({ firstProducerId: 100 * controller.blocks++, count: 10 }),
      ),
  });
  return { controller, ids };
}

async function take(ids: ProducerIds, count: number): Promise<number[]> {
  const taken = await Promise.all(Array.from({ length: count }, () => ids.next()));
  return taken.map((outcome) => outcome.ok ? outcome.value : -1);
}

test("ids come block by block, and none twice", async () => {
  const { ids } = source();
  const first = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  expect(await take(ids, 25)).toEqual([
    ...first,
    ...first.map((id) => id + 100),
    ...[200, 201, 202, 203, 204],
  ]);
});

test("the next block is there before it is needed", async () => {
  const { controller, ids } = source();
  ids.prefetch();
  await Promise.resolve();
  controller.isAway = true;
  expect(await take(ids, 8)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  controller.isAway = false;
  expect(await take(ids, 1)).toEqual([8]);
  controller.isAway = true;
  expect(await take(ids, 12)).toEqual([9, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, -1]);
  controller.isAway = false;
  expect(await take(ids, 1)).toEqual([200]);
});
