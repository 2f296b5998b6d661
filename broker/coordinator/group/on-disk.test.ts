/** The coordinator on hosted partitions of the log engine, over restarts of it. */
import { expect, test } from "bun:test";
import { MetadataImage, type TopicImage } from "../../../cluster/metadata-image.ts";
import { bunCodecs } from "../../../core/compression/bun.ts";
import { Errors } from "../../../core/errors.ts";
import { bunClock } from "../../../core/io/bun/clock.ts";
import { bunRandom } from "../../../core/io/bun/random.ts";
import { inlineOffload } from "../../../core/io/inline-offload.ts";
import { MemoryDisk } from "../../../core/io/memory-disk.ts";
import { DataDir } from "../../../storage/data-dir.ts";
import { BrokerConfig } from "../../config/broker-config.ts";
import { TopicConfig } from "../../config/topic-config.ts";
import { logConfigOf, partitionConfigOf } from "../../log-config.ts";
import { MetadataCache } from "../../metadata-cache.ts";
import { accept } from "../../outcome.ts";
import { PartitionSet } from "../../partition-set.ts";
import { GROUP_METADATA_TOPIC } from "../../topic-names.ts";
import { coordinatorPartition } from "../java-hash.ts";
import { ListLogger } from "../coordinator.test-helper.ts";
import type { JoinRequest } from "./classic/join.ts";
import { startGroupCoordinator } from "./start.ts";
import { subscription } from "./group.test-helper.ts";

const GROUPS_ID = "DDDDDDDDDDDDDDDDDDDDDA";
const T_ID = "BBBBBBBBBBBBBBBBBBBBBA";
const signal = new AbortController().signal;
const never = { connection: signal, stopping: signal };

/** A broker's parts under the coordinator, on this disk. */
async function start(disk: MemoryDisk, durability: "fsync" | "os") {
  const io = { clock: bunClock, random: bunRandom, disk, offload: inlineOffload() };
  const logger = new ListLogger();
  const config = BrokerConfig.of({ "kstream.durability": durability });
  const metadata = new MetadataCache(config, 1);
  const configOf = (topic: TopicImage) => partitionConfigOf(metadata.topicConfig(topic));
  const dataDir = await DataDir.open(io, logger, {
    path: "/data",
    nodeId: 1,
    logConfig: () => logConfigOf(new TopicConfig(config, new Map())),
    codecs: bunCodecs,
  });
  const surroundings = {
    clock: bunClock,
    nodeId: 1,
    replicaLagTimeMaxMs: () => 30_000,
    mayBeInIsr: () => false,
    alterIsr: () => {},
  };
  const partitions = new PartitionSet(surroundings, logger, dataDir, configOf);
  metadata.onChange((delta) => partitions.apply(delta));
  const groups = startGroupCoordinator({
    io,
    logger,
    codecs: bunCodecs,
    config,
    metadata,
    changes: { ensureTopic: (name) => Promise.resolve(accept(metadata.topic(name)!)) },
    partition: (name, index) => {
      const partition = partitions.find(name, index);
      return typeof partition === "number" ? null : partition;
    },
  });
  const { image, delta } = MetadataImage.EMPTY.apply([
    ...topic("t", T_ID, 1),
    ...topic(GROUP_METADATA_TOPIC, GROUPS_ID, 3),
  ], 1);
  metadata.publish(image, delta);
  const stop = async () => {
    groups.close();
    await partitions.close();
    await dataDir.close();
  };
  /** Where the log begins that holds the group. */
  const logStart = (groupId: string) => {
    const partition = partitions.find(GROUP_METADATA_TOPIC, coordinatorPartition(groupId, 3));
    return typeof partition === "number" ? -1 : partition.logStartOffset;
  };
  return { groups, logger, logStart, stop };
}

function topic(name: string, id: string, count: number) {
  return [
    { type: "topic" as const, version: 1 as const, name, id },
    ...Array.from({ length: count }, (_, partition) => ({
      type: "partition" as const,
      version: 1 as const,
      topicId: id,
      partition,
      replicas: [1],
      isr: [1],
      leader: 1,
      leaderEpoch: 0,
      partitionEpoch: 0,
    })),
  ];
}

const commit = (groupId: string, offset: bigint) => ({
  groupId,
  memberId: "",
  groupInstanceId: null,
  generationId: -1,
  retentionMs: null,
  knowsGroupIdNotFound: true,
  knowsStaleMemberEpoch: true,
  isTransactional: false,
  topics: [{
    name: "t",
    topicId: T_ID,
    partitions: [{ partition: 0, offset, leaderEpoch: 0, metadata: "" }],
  }],
});

for (const durability of ["fsync", "os"] as const) {
  test(`groups and offsets survive restarts on the log engine (${durability})`, async () => {
    const disk = new MemoryDisk({ wallMs: () => bunClock.wallMs(), maxBytes: 1e9 });
    const names = Array.from({ length: 20 }, (_, i) => `group-${i}`);
    for (let round = 0n; round < 4n; round++) {
      const { groups, logger, stop } = await start(disk, durability);
      expect(await Promise.all(names.map((name) => groups.find(name)))).toEqual(
        names.map(() => ({ ok: true, value: 1 })),
      );
      if (round > 0n) {
        for (const name of names) {
          const outcome = await groups.fetchOffsets(
            name,
            (shard) => shard.offsets.get(name, "t", 0),
          );
          expect(outcome).toMatchObject({ ok: true, value: { offset: round - 1n } });
        }
      }
      const commits = await Promise.all(
        names.map((name) => groups.commitOffsets(commit(name, round))),
      );
      expect(commits.every((each) => each.ok)).toBe(true);
      expect(logger.lines).toEqual([]);
      await stop();
    }
  });
}

test("a member goes on after a restart as if nothing had been", async () => {
  const disk = new MemoryDisk({ wallMs: () => bunClock.wallMs(), maxBytes: 1e9 });
  const first = await start(disk, "fsync");
  await first.groups.find("g");
  const request: JoinRequest = {
    groupId: "g",
    memberId: "",
    groupInstanceId: null,
    protocolType: "consumer",
    protocols: [{ name: "range", metadata: subscription("t") }],
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    reason: null,
    clientId: "c",
    clientHost: "/127.0.0.1",
    requiresKnownMemberId: false,
    supportsSkippingAssignment: true,
  };
  const { memberId, generationId } = await first.groups.joinGroup(request, never);
  const sync = {
    groupId: "g",
    memberId,
    groupInstanceId: null,
    generationId,
    protocolType: null,
    protocolName: null,
    assignments: new Map([[memberId, Uint8Array.of(9)]]),
  };
  expect((await first.groups.syncGroup(sync, never)).error).toBe(Errors.NONE);
  await first.stop();
  const second = await start(disk, "fsync");
  await second.groups.find("g");
  expect(second.groups.heartbeat(sync)).toBe(Errors.NONE);
  const again = await second.groups.syncGroup({ ...sync, assignments: new Map() }, never);
  expect(again.assignment).toEqual(Uint8Array.of(9));
  await second.stop();
});

test("on the log engine the log of a busy group stays short", async () => {
  const disk = new MemoryDisk({ wallMs: () => bunClock.wallMs(), maxBytes: 1e9 });
  const { groups, stop } = await start(disk, "os");
  await groups.find("g");
  const [first] = commit("g", 0n).topics;
  const bulk = (offset: bigint) => ({
    ...commit("g", offset),
    topics: [{
      ...first!,
      partitions: Array.from({ length: 100 }, (_, partition) => ({
        partition,
        offset,
        leaderEpoch: 0,
        metadata: "x".repeat(1_000),
      })),
    }],
  });
  for (let offset = 0n; offset < 200n; offset++) await groups.commitOffsets(bulk(offset));
  await stop();
  const again = await start(disk, "os");
  await again.groups.find("g");
  const outcome = await again.groups.fetchOffsets("g", (shard) => shard.offsets.get("g", "t", 99));
  expect(outcome).toMatchObject({ ok: true, value: { offset: 199n } });
  expect(again.logStart("g")).toBeGreaterThan(10_000);
  await again.stop();
});
