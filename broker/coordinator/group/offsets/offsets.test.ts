/** Committed offsets: who may commit, what is kept, and what goes when. */
import { expect, test } from "bun:test";
import { errorName, Errors } from "../../../../core/errors.ts";
import { recordsCount } from "../../../../core/records/batch-header.ts";
import { ZERO_UUID } from "../../../../core/protocol/schema.ts";
import { GROUP, GroupHarness, subscription } from "../group.test-helper.ts";

const HOUR_MS = 3_600_000;
const start = (config = {}) => new GroupHarness(config).start();

test("the codes of commits", async () => {
  const groups = await start();
  const rows: [string, number][] = [
    ["GROUP_ID_NOT_FOUND", await groups.commit(1n, { memberId: "x", generationId: 1 })],
    ["NONE", await groups.commit(1n)],
  ];
  expect(groups.offset()).toBe(1n);
  const [one] = await groups.stable(1) as [string];
  rows.push(
    ["UNKNOWN_MEMBER_ID", await groups.commit(2n)],
    ["UNKNOWN_MEMBER_ID", await groups.commit(2n, { memberId: "x", generationId: 1 })],
    ["ILLEGAL_GENERATION", await groups.commit(2n, { memberId: one, generationId: 2 })],
    ["NONE", await groups.commit(3n, { memberId: one, generationId: 1 })],
    [
      "OFFSET_METADATA_TOO_LARGE",
      await groups.commit(4n, { memberId: one, generationId: 1, metadata: "x".repeat(4097) }),
    ],
    [
      "NONE",
      await groups.commit(5n, { memberId: one, generationId: 1, metadata: "x".repeat(4096) }),
    ],
  );
  const two = groups.joinNew();
  rows.push(["NONE", await groups.commit(6n, { memberId: one, generationId: 1 })]);
  groups.join({ memberId: one });
  expect(two.answer?.generationId).toBe(2);
  rows.push(["REBALANCE_IN_PROGRESS", await groups.commit(7n, { memberId: one, generationId: 2 })]);
  expect(rows.map(([, code]) => errorName(code))).toEqual(rows.map(([name]) => name));
  expect(groups.offset()).toBe(6n);
});

test("any int64 may be committed", async () => {
  const groups = await start();
  for (const offset of [-1n, 0n, 2n ** 63n - 1n, -(2n ** 63n)]) {
    expect(await groups.commit(offset)).toBe(Errors.NONE);
    expect(groups.offset()).toBe(offset);
  }
});

test("a commit is answered, and may be read, only when it is in the log for good", async () => {
  const groups = await start();
  groups.log.autoCommit = false;
  let committed: number | null = null;
  let read: bigint | null = null;
  void groups.commit(7n).then((error) => committed = error);
  void groups.runtime.read(0, (shard) => shard.offsets.get(GROUP, "t", 0)).then((outcome) => {
    read = outcome.ok ? outcome.value?.offset ?? null : null;
  });
  await groups.clock.advance(1_000);
  expect([committed, read]).toEqual([null, null]);
  groups.log.commit();
  await groups.clock.advance(0);
  expect([committed, read] as unknown[]).toEqual([Errors.NONE, 7n]);
});

test("a commit that cannot be written changes nothing", async () => {
  const groups = await start();
  await groups.commit(1n);
  groups.log.failWith = Errors.KAFKA_STORAGE_ERROR;
  expect(await groups.commit(2n)).toBe(Errors.NOT_COORDINATOR);
  expect(groups.offset()).toBe(1n);
});

test("a commit that is not committed in time says so", async () => {
  const groups = await start();
  groups.log.autoCommit = false;
  const commit = groups.commit(1n);
  await groups.clock.advance(5_000);
  expect(await commit).toBe(Errors.COORDINATOR_NOT_AVAILABLE);
});

test("a commit keeps the member's session alive", async () => {
  const groups = await start();
  const [one] = await groups.stable(1) as [string];
  for (let i = 0; i < 5; i++) {
    await groups.clock.advance(9_000);
    expect(await groups.commit(1n, { memberId: one, generationId: 1 })).toBe(Errors.NONE);
  }
});

test("offsets of a group go when it has been empty for the retention time, and it with them", async () => {
  const groups = await start({ offsetsRetentionMs: 24 * HOUR_MS, maxSessionTimeoutMs: 1e9 });
  const [one] = await groups.stable(1, { sessionTimeoutMs: 100 * HOUR_MS }) as [string];
  await groups.commit(1n, { memberId: one, generationId: 1 });
  await groups.clock.advance(30 * HOUR_MS);
  expect(groups.offset()).toBe(1n);
  await groups.leave(one);
  await groups.clock.advance(23 * HOUR_MS);
  expect(groups.offset()).toBe(1n);
  await groups.clock.advance(1.5 * HOUR_MS);
  expect(groups.offset()).toBeNull();
  expect(groups.state()).toBe("Dead");
  await groups.start();
  expect([groups.offset(), groups.state()]).toEqual([null, "Dead"]);
});

test("very many offsets go in small steps, each when the one before is committed", async () => {
  const groups = await start({ offsetsRetentionMs: 24 * HOUR_MS });
  await groups.runtime.write(0, (shard) =>
    shard.offsets.commit({
      groupId: GROUP,
      memberId: "",
      groupInstanceId: null,
      generationId: -1,
      retentionMs: null,
      knowsGroupIdNotFound: true,
      knowsStaleMemberEpoch: true,
      isTransactional: false,
      topics: [{
        name: "t",
        topicId: groups.topics.get("t") ?? ZERO_UUID,
        partitions: Array.from({ length: 1200 }, (_, partition) => ({
          partition,
          offset: 1n,
          leaderEpoch: -1,
          metadata: "",
        })),
      }],
    }));
  const before = groups.log.batches.length;
  groups.log.autoCommit = false;
  await groups.clock.advance(24.1 * HOUR_MS);
  expect(groups.log.batches.length).toBe(before + 1);
  groups.log.autoCommit = true;
  await groups.clock.advance(HOUR_MS);
  const sizes = groups.log.batches.slice(before).map((batch) => recordsCount(batch, 0));
  expect(Math.max(...sizes)).toBeLessThan(600);
  expect(groups.state()).toBe("Dead");
  const left = groups.runtime.now(0, (shard) => shard.offsets.all(GROUP).size);
  expect(left).toEqual({ ok: true, value: 0 });
});

test("offsets of a consumer without a group go after the retention since its last commit", async () => {
  const groups = await start({ offsetsRetentionMs: 24 * HOUR_MS });
  await groups.commit(1n);
  await groups.clock.advance(23 * HOUR_MS);
  await groups.commit(2n);
  await groups.clock.advance(23 * HOUR_MS);
  expect(groups.offset()).toBe(2n);
  await groups.clock.advance(2 * HOUR_MS);
  expect(groups.state()).toBe("Dead");
});

test("a topic that a stable group does not read any more loses its offsets, one that it reads does not", async () => {
  const groups = await start({ offsetsRetentionMs: 24 * HOUR_MS });
  groups.topics.set("old", ZERO_UUID.replace("A", "C"));
  await groups.commit(1n, { topic: "old" });
  await groups.commit(2n);
  await groups.stable(1, {
    sessionTimeoutMs: 1_000_000_000,
    protocols: [{ name: "range", metadata: subscription("t") }],
  });
  await groups.clock.advance(25 * HOUR_MS);
  expect(groups.offset("old")).toBeNull();
  expect(groups.offset("t")).toBe(2n);
});

test("offsets of a deleted topic go, also when the deletion was not seen or the name came back", async () => {
  const groups = await start();
  await groups.commit(1n);
  groups.topics.delete("t");
  await groups.start();
  groups.topics.set("t", ZERO_UUID.replace("A", "B"));
  expect(groups.offset()).toBeNull();
  await groups.commit(2n);
  groups.topics.set("t", ZERO_UUID.replace("A", "D"));
  expect(groups.offset()).toBeNull();
  await groups.runtime.write(0, (shard) => shard.offsets.dropDeleted());
  groups.topics.set("t", ZERO_UUID.replace("A", "B"));
  expect(groups.offset()).toBeNull();
});

test("offsets can be deleted of topics that nobody reads", async () => {
  const groups = await start();
  groups.topics.set("u", ZERO_UUID.replace("A", "C"));
  const remove = async (topic: string) => {
    const outcome = await groups.runtime.write(
      0,
      (shard) => shard.offsets.delete(GROUP, [{ name: topic, partitions: [0] }]),
    );
    if (!outcome.ok) return outcome.error;
    return outcome.value.ok ? outcome.value.topics[0]!.partitions[0]!.error : outcome.value.error;
  };
  expect(await remove("t")).toBe(Errors.GROUP_ID_NOT_FOUND);
  await groups.commit(1n);
  await groups.commit(2n, { topic: "u" });
  await groups.stable(1);
  expect(await remove("t")).toBe(Errors.GROUP_SUBSCRIBED_TO_TOPIC);
  expect(await remove("u")).toBe(Errors.NONE);
  expect([groups.offset("t"), groups.offset("u")]).toEqual([1n, null]);
  const connect = await start();
  await connect.stable(1, { protocolType: "connect" });
  const outcome = await connect.runtime.write(0, (shard) => shard.offsets.delete(GROUP, []));
  expect(outcome).toMatchObject({ ok: true, value: { error: Errors.NON_EMPTY_GROUP } });
});

test("groups are deleted with their offsets when they are empty", async () => {
  const groups = await start();
  const remove = async () => {
    const outcome = await groups.runtime.write(0, (shard) => shard.deleteGroups([GROUP]));
    return outcome.ok ? outcome.value.get(GROUP) : outcome.error;
  };
  expect(await remove()).toBe(Errors.GROUP_ID_NOT_FOUND);
  const [one] = await groups.stable(1) as [string];
  await groups.commit(1n, { memberId: one, generationId: 1 });
  expect(await remove()).toBe(Errors.NON_EMPTY_GROUP);
  await groups.leave(one);
  expect(await remove()).toBe(Errors.NONE);
  expect([groups.state(), groups.offset()]).toEqual(["Dead", null]);
  await groups.start();
  expect([groups.state(), groups.offset()]).toEqual(["Dead", null]);
});

test("many offsets of deleted topics go in several batches, a commit in one", async () => {
  const groups = await start();
  const names = Array.from({ length: 3_000 }, (_, i) => `topic-${"x".repeat(200)}-${i}`);
  for (const name of names) groups.topics.set(name, ZERO_UUID.replace("A", "C"));
  const outcome = await groups.runtime.write(0, (shard) =>
    shard.offsets.commit({
      groupId: GROUP,
      memberId: "",
      groupInstanceId: null,
      generationId: -1,
      retentionMs: null,
      knowsGroupIdNotFound: true,
      knowsStaleMemberEpoch: true,
      isTransactional: false,
      topics: names.map((name) => ({
        name,
        topicId: ZERO_UUID,
        partitions: [{ partition: 0, offset: 1n, leaderEpoch: -1, metadata: "" }],
      })),
    }));
  expect(outcome.ok).toBe(true);
  expect(groups.log.batches.length).toBe(1);
  groups.topics.clear();
  await groups.runtime.write(0, (shard) => shard.offsets.dropDeleted());
  expect(groups.log.batches.length).toBeGreaterThan(2);
  const left = groups.runtime.now(0, (shard) => shard.offsets.all(GROUP).size);
  expect(left).toEqual({ ok: true, value: 0 });
});
