/** Damaged batches that are mended with the bytes that another replica has. */
import { expect, test } from "bun:test";
import { Errors } from "../core/errors.ts";
import { flip, SimWorld } from "../tests/sim/sim-world.ts";

const LOG = "00000000000000000000.log";
const BATCH_BYTES = 61 + 109;

/** Ten batches of a record each, those with these numbers damaged, found by reads. */
function damagedWorld(...numbers: readonly number[]): { world: SimWorld; whole: Uint8Array } {
  const world = new SimWorld();
  for (let index = 0; index < 10; index++) world.append();
  world.settle();
  const read = world.read(0);
  if (!read.ok) throw new Error("nothing was written");
  const whole = read.records.slice();
  world.clock.run(world.dir.close());
  for (const number of numbers) world.damage(LOG, flip(number * BATCH_BYTES + 80));
  world.dir = world.open();
  return { world, whole };
}

const isReadable = (world: SimWorld, offset: number) => world.read(offset, 1).ok;

function find(world: SimWorld, offset: number) {
  const damage = world.clock.run(world.log.findDamage(offset));
  if (damage === null) throw new Error(`nothing is damaged at ${offset}`);
  return damage;
}

test("what fits takes the place of the damage, durably", () => {
  const { world, whole } = damagedWorld(4, 5);
  expect(world.read(4, 1)).toEqual({ ok: false, error: Errors.CORRUPT_MESSAGE });
  const damage = find(world, 5);
  expect(damage).toMatchObject({ offset: 4, nextOffset: 6, sizeBytes: 2 * BATCH_BYTES });
  const records = whole.subarray(4 * BATCH_BYTES);
  expect(world.clock.run(world.log.mend(damage, records))).toBe(true);
  world.cutPower();
  for (let offset = 0; offset < 10; offset++) expect(isReadable(world, offset)).toBe(true);
  expect(world.clock.run(world.log.findDamage(4))).toBeNull();
});

test("the end of a log is mended, too", () => {
  const { world, whole } = damagedWorld(9);
  const damage = find(world, 9);
  expect(damage).toMatchObject({ offset: 9, nextOffset: 10 });
  expect(world.clock.run(world.log.mend(damage, whole.subarray(9 * BATCH_BYTES)))).toBe(true);
  expect(isReadable(world, 9)).toBe(true);
});

test("what does not fit changes nothing", () => {
  const { world, whole } = damagedWorld(4);
  const damage = find(world, 4);
  const before = whole.subarray(3 * BATCH_BYTES, 4 * BATCH_BYTES);
  const spoilt = whole.slice(4 * BATCH_BYTES);
  spoilt[90]! ^= 1;
  const half = whole.subarray(4 * BATCH_BYTES, 4 * BATCH_BYTES + 80);
  for (const records of [before, spoilt, half, new Uint8Array(0)]) {
    expect(world.clock.run(world.log.mend(damage, records))).toBe(false);
  }
  expect(isReadable(world, 4)).toBe(false);
  expect(isReadable(world, 5)).toBe(true);
  // The log is cut while somebody fetches what was damaged.
  world.clock.run(world.log.truncateTo(4));
  const late = world.clock.run(world.log.mend(damage, whole.subarray(4 * BATCH_BYTES)));
  expect([late, world.log.logEndOffset]).toEqual([false, 4]);
});
