/** New start offsets of a share group stay, whatever goes wrong while they are set. */
import { beforeEach, expect, test } from "bun:test";
import { type ErrorCode, Errors } from "../../../../core/errors.ts";
import { settle } from "../../coordinator.test-helper.ts";
import type { SharePersister } from "../../share/share-coordinator.ts";
import { shareFailure } from "../../share/share-shard.ts";
import { GROUP, GroupHarness, topicIdOf } from "../group.test-helper.ts";
import { ShareGroupCoordinator } from "./share-group-coordinator.ts";

const TOPIC_ID = topicIdOf("s");

let harness: GroupHarness;
let shares: ShareGroupCoordinator;
/** The start offset that each partition was initialized with last. */
let starts: Map<number, number>;
/** How the share coordinator answers for partitions where it does not do what it is asked. */
let errors: Map<number, ErrorCode>;
/** Runs before each of its answers. */
let onInitialize: (partition: number) => Promise<void>;

beforeEach(async () => {
  harness = await new GroupHarness().start();
  harness.setTopic("s", 2);
  starts = new Map();
  errors = new Map();
  onInitialize = () => Promise.resolve();
  const initialize: SharePersister["initialize"] = async ({ partition }, _epoch, startOffset) => {
    const error = errors.get(partition) ?? Errors.NONE;
    if (error === Errors.NONE) starts.set(partition, startOffset);
    await onInitialize(partition);
    return shareFailure(error);
  };
  const nobody = () => Promise.reject(new Error("nobody asks for that"));
  shares = new ShareGroupCoordinator({
    groups: {
      run: (_groupId, operation) => harness.runtime.write(0, operation),
      fetchOffsets: (_groupId, look) => harness.runtime.read(0, look),
      shareHeartbeatIntervalMs: () => 5_000,
    },
    persister: { initialize, read: nobody, write: nobody, delete: nobody, summary: nobody },
    forgetGroup: () => {},
  });
});

const alter = (...offsets: [number, number][]) =>
  shares.alterOffsets(
    GROUP,
    new Map([[
      TOPIC_ID,
      offsets.map(([partition, startOffset]) => ({ partition, startOffset })),
    ]]),
  );

const join = () =>
  shares.heartbeat({
    groupId: GROUP,
    memberId: "m",
    memberEpoch: 0,
    rackId: null,
    clientId: "c",
    clientHost: "/127.0.0.1",
    subscribedTopicNames: ["s"],
  });

test("where one partition has failed, the others begin where they were told", async () => {
  errors.set(1, Errors.COORDINATOR_NOT_AVAILABLE);
  const altered = await alter([0, 57], [1, 58]);
  if (!altered.ok) throw new Error(altered.message);
  expect(altered.value.get(TOPIC_ID)?.map(({ errorCode }) => errorCode)).toEqual([
    Errors.NONE,
    Errors.COORDINATOR_NOT_AVAILABLE,
  ]);
  errors.clear();
  expect((await join()).ok).toBe(true);
  expect([...starts]).toEqual([[0, 57], [1, -1]]);
});

test("a member that joins meanwhile does not undo them", async () => {
  let joining: Promise<unknown> | null = null;
  onInitialize = async () => {
    joining ??= join();
    await settle();
  };
  expect((await alter([0, 57])).ok).toBe(true);
  await joining;
  await harness.clock.advance(0);
  expect((await join()).ok).toBe(true);
  expect(starts.get(0)).toBe(57);
});

test("it is an error if the group cannot note them", async () => {
  onInitialize = () => {
    harness.log.failWith = Errors.KAFKA_STORAGE_ERROR;
    return Promise.resolve();
  };
  expect(await alter([0, 57])).toMatchObject({ ok: false });
});
