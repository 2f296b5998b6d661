/** What the log holds is the state: a restart keeps groups, members, assignments and offsets. */
import { expect, test } from "bun:test";
import { Errors } from "../../../core/errors.ts";
import { BatchBuilder } from "../../../core/records/batch-builder.ts";
import { SeededRandom, settle } from "../coordinator.test-helper.ts";
import { GROUP, GroupHarness } from "./group.test-helper.ts";

test("members stay over a restart and their sessions start again", async () => {
  const groups = await new GroupHarness().start();
  const [one, two] = await groups.stable(2) as [string, string];
  await groups.commit(5n, { memberId: one, generationId: 1 });
  await groups.clock.advance(9_000);
  const before = groups.runtime.now(0, (shard) => shard.classic.describe(GROUP));
  await groups.start();
  expect(groups.runtime.now(0, (shard) => shard.classic.describe(GROUP))).toEqual(before);
  expect(groups.offset()).toBe(5n);
  await groups.clock.advance(9_000);
  expect(groups.heartbeat(one, 1)).toBe(Errors.NONE);
  expect(groups.sync({ memberId: two }).answer?.assignment).toEqual(Uint8Array.of(1));
  await groups.clock.advance(2_000);
  expect(groups.heartbeat(two, 1)).toBe(Errors.UNKNOWN_MEMBER_ID);
});

test("while a partition loads, its groups say so", async () => {
  const groups = await new GroupHarness().start();
  await groups.stable(1);
  groups.runtime.resign(0);
  void groups.runtime.elect(0, groups.log);
  expect(groups.heartbeat("x", 1)).toBe(Errors.COORDINATOR_LOAD_IN_PROGRESS);
  expect(await groups.commit(1n)).toBe(Errors.COORDINATOR_LOAD_IN_PROGRESS);
});

test("records of other kinds, other versions and damaged batches are left out", async () => {
  const groups = await new GroupHarness().start();
  await groups.commit(1n);
  const foreign = new BatchBuilder();
  foreign.append(0, Uint8Array.of(0, 99, 1, 2), Uint8Array.of(0, 0));
  foreign.append(0, Uint8Array.of(0, 1), Uint8Array.of(0, 0));
  foreign.append(0, Uint8Array.of(7), null);
  groups.log.append(foreign.build());
  await groups.commit(2n);
  await groups.commit(3n, { topic: "t" });
  groups.log.batches.at(-1)![70] ^= 1;
  await groups.start();
  expect(groups.offset()).toBe(2n);
  expect(groups.logger.lines.some((line) => line.includes("damaged batch"))).toBe(true);
});

test("the state after a replay is the state before, for any sequence of events", async () => {
  let members = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const groups = await new GroupHarness({}, undefined, new SeededRandom(seed)).start();
    const random = new SeededRandom(seed * 7919);
    const ids: string[] = [];
    for (let step = 0; step < 60; step++) await randomStep(groups, random, ids);
    await quiesce(groups);
    const before = snapshot(groups);
    members += before.group?.members.length ?? 0;
    await groups.start();
    expect({ seed, ...snapshot(groups) }).toEqual({ seed, ...before });
  }
  expect(members).toBeGreaterThan(100);
});

async function randomStep(groups: GroupHarness, random: SeededRandom, ids: string[]) {
  const generationId = random.below(6);
  const memberId = ids.length === 0 ? "nobody" : ids[random.below(ids.length)]!;
  switch (random.below(9)) {
    case 0:
      ids.push(groups.joinNew({ sessionTimeoutMs: 6_000 + random.below(20_000) }).memberId);
      break;
    case 1:
      groups.join({ memberId });
      break;
    case 2: {
      const join = groups.join({ groupInstanceId: `i${random.below(3)}` });
      await groups.clock.advance(0);
      if (join.answer !== null && join.answer.error === Errors.NONE) ids.push(join.answer.memberId);
      break;
    }
    case 3:
      groups.heartbeat(memberId, generationId);
      break;
    case 4:
      await groups.leave(memberId);
      break;
    case 5:
      groups.log.failWith = random.below(4) === 0 ? Errors.KAFKA_STORAGE_ERROR : Errors.NONE;
      break;
    case 6:
      await groups.commit(BigInt(step(random)), { memberId, generationId });
      break;
    case 7:
      for (const id of ids) {
        const assignments = new Map(ids.map((each) => [each, Uint8Array.of(random.below(256))]));
        groups.sync({ memberId: id, generationId, assignments });
      }
      break;
    default:
      await groups.clock.advance(random.below(8_000));
  }
}

const step = (random: SeededRandom) => random.below(1_000_000);

/** Brings the group to rest: everybody who is there rejoins and syncs, so that it is stable. */
async function quiesce(groups: GroupHarness) {
  groups.log.failWith = Errors.NONE;
  await groups.clock.advance(5_000);
  const present = groups.runtime.now(0, (shard) => shard.classic.describe(GROUP));
  const members = (present.ok ? present.value?.members : undefined) ?? [];
  const joins = members.map(({ memberId, groupInstanceId }) =>
    groups.join({ memberId, groupInstanceId })
  );
  for (let second = 0; second < 120 && groups.state() === "PreparingRebalance"; second++) {
    await groups.clock.advance(1_000);
  }
  joins.push(groups.joinNew());
  for (const { memberId, groupInstanceId } of members) groups.join({ memberId, groupInstanceId });
  for (let second = 0; second < 120 && groups.state() === "PreparingRebalance"; second++) {
    await groups.clock.advance(1_000);
  }
  const joined = groups.runtime.now(0, (shard) => shard.classic.describe(GROUP));
  const generationId = joins.at(-1)!.answer!.generationId;
  const memberIds = (joined.ok ? joined.value?.members ?? [] : []).map((each) => each.memberId);
  const assignments = new Map(memberIds.map((memberId, i) => [memberId, Uint8Array.of(i)]));
  for (const memberId of memberIds) groups.sync({ memberId, generationId, assignments });
  await settle();
  expect(groups.state()).toBe("Stable");
}

function snapshot(groups: GroupHarness) {
  const outcome = groups.runtime.now(0, (shard) => ({
    group: shard.classic.describe(GROUP),
    listing: shard.list(),
    offsets: [...shard.offsets.all(GROUP)].map(([topic, each]) => [topic, [...each]]),
  }));
  if (!outcome.ok) throw new Error(`no shard: ${outcome.error}`);
  return outcome.value;
}

test("a log that is much longer than the state is rewritten, and gives the same state", async () => {
  const groups = await new GroupHarness().start();
  const [one] = await groups.stable(3) as [string];
  const commit = (offset: number) =>
    groups.commit(BigInt(offset), { memberId: one, generationId: 1, metadata: "x".repeat(4_000) });
  let longest = 0;
  for (let offset = 0; offset < 4_000; offset++) {
    await commit(offset);
    longest = Math.max(longest, groups.log.batches.length);
  }
  expect(groups.log.logStartOffset).toBeGreaterThan(2_000);
  expect(longest).toBeLessThan(1_200);
  const before = snapshot(groups);
  await groups.start();
  expect(snapshot(groups)).toEqual(before);
});

test("a log with records of a later version is never rewritten", async () => {
  const groups = await new GroupHarness().start();
  const foreign = new BatchBuilder();
  foreign.append(0, Uint8Array.of(0, 99, 1, 2), Uint8Array.of(0, 0));
  groups.log.append(foreign.build());
  await groups.start();
  for (let offset = 0; offset < 2_000; offset++) {
    await groups.commit(BigInt(offset), { metadata: "x".repeat(4_000) });
  }
  expect(groups.log.logStartOffset).toBe(0);
});

test("what is written while a rewrite runs is newer than the rewrite", async () => {
  const groups = await new GroupHarness().start();
  groups.topics.set("u", groups.topics.get("t")!);
  await groups.commit(1n, { topic: "u" });
  groups.log.autoCommit = false;
  for (let offset = 0; offset < 1_100; offset++) {
    void groups.commit(BigInt(offset), { metadata: "x".repeat(4_000) });
  }
  void groups.commit(2n, { topic: "u" });
  groups.log.commit();
  await settle();
  expect(groups.log.logStartOffset).toBeGreaterThan(0);
  await groups.start();
  expect([groups.offset("t"), groups.offset("u")]).toEqual([1_099n, 2n]);
});
