/** Fetch of the metadata and FetchSnapshot, as those who ask see them. */
import { expect, test } from "bun:test";
import { decodeChanges, decodeSnapshot } from "../../cluster/metadata-batches.ts";
import { METADATA_LOG_ID } from "../../cluster/local-metadata-log.ts";
import { Connection } from "../../core/connection.ts";
import { Errors } from "../../core/errors.ts";
import { fetch } from "../../core/protocol/01-fetch.ts";
import { fetchSnapshot } from "../../core/protocol/59-fetch-snapshot.ts";
import type { Authorizer } from "../authorizer.ts";
import { CLUSTER_ID, MetadataWorld, nodeRecord } from "./metadata-node.test-helper.ts";

interface Asked {
  readonly nodeId?: number;
  readonly epoch?: number;
  readonly offset?: number;
  readonly partition?: number;
  readonly clusterId?: string | null;
  readonly maxWaitMs?: number;
  readonly version?: number;
}

/** Two nodes, of which the first is the controller in term 1; and a client. */
class Scene {
  readonly world: MetadataWorld;
  readonly #connections = new Map<number, Connection>();

  constructor(authorizer?: Authorizer, recordsKept = 100) {
    this.world = new MetadataWorld(1, recordsKept, authorizer);
    const first = this.world.start(1);
    this.world.clock.advance(1000);
    this.world.start(2);
    expect(this.world.controller()).toBe(first);
    this.change(nodeRecord(1), nodeRecord(2));
    this.world.clock.advance(1000);
  }

  change(...records: Parameters<MetadataWorld["nodes"][number]["change"]>): void {
    const { world } = this;
    expect(world.clock.run(world.controller().change(...records))).toBeTrue();
  }

  #to(nodeId: number): Connection {
    const known = this.#connections.get(nodeId);
    if (known !== undefined) return known;
    const { clock, network } = this.world.hosts.host(`10.0.1.${nodeId}`).start();
    const address = { host: `10.0.0.${nodeId}`, port: 9092 };
    const opened = this.world.clock.run(
      Connection.open({ clock, network }, address, { clientId: "c" }),
    );
    this.#connections.set(nodeId, opened);
    return opened;
  }

  async ask(asked: Asked) {
    const { nodeId = 1, epoch = 1, offset = 0, partition = 0, clusterId = CLUSTER_ID } = asked;
    const { topic, topicId } = METADATA_LOG_ID;
    const response = await this.#to(nodeId).request(fetch, {
      clusterId,
      maxWaitMs: asked.maxWaitMs ?? 500,
      minBytes: 1,
      topics: [{
        topic,
        topicId,
        partitions: [{
          partition,
          currentLeaderEpoch: epoch,
          fetchOffset: BigInt(offset),
          partitionMaxBytes: 1_000_000,
        }],
      }],
      forgottenTopicsData: [],
    }, asked.version === undefined ? {} : { maxVersion: asked.version });
    const answer = response.responses[0]?.partitions[0];
    return { error: answer?.errorCode ?? response.errorCode, answer };
  }

  error(asked: Asked): number {
    return this.world.clock.run(this.ask(asked)).error;
  }

  async part(endOffset: number, epoch: number, position: number) {
    const response = await this.#to(1).request(fetchSnapshot, {
      clusterId: CLUSTER_ID,
      topics: [{
        name: METADATA_LOG_ID.topic,
        partitions: [{
          partition: 0,
          currentLeaderEpoch: 1,
          snapshotId: { endOffset: BigInt(endOffset), epoch },
          position: BigInt(position),
        }],
      }],
    });
    const answer = response.topics[0]?.partitions[0];
    return { error: answer?.errorCode ?? response.errorCode, answer };
  }
}

test("the controller alone answers, in its own term, brokers of its own cluster", () => {
  const scene = new Scene();
  expect(scene.error({})).toBe(Errors.NONE);
  expect(scene.error({ version: 12 })).toBe(Errors.NONE);
  expect(scene.error({ epoch: 0 })).toBe(Errors.FENCED_LEADER_EPOCH);
  expect(scene.error({ epoch: 2 })).toBe(Errors.UNKNOWN_LEADER_EPOCH);
  const { error, answer } = scene.world.clock.run(scene.ask({ nodeId: 2 }));
  expect(error).toBe(Errors.NOT_LEADER_OR_FOLLOWER);
  expect(answer?.currentLeader).toEqual({ leaderId: 1, leaderEpoch: 1 });
  expect(scene.error({ clusterId: null })).toBe(Errors.NONE);
  expect(scene.error({ clusterId: "another" })).toBe(Errors.INCONSISTENT_CLUSTER_ID);
  for (const wrong of [{ partition: 1 }, { offset: -1 }, { epoch: -1 }, { maxWaitMs: -1 }]) {
    expect(scene.error(wrong)).toBe(Errors.INVALID_REQUEST);
  }
  expect(scene.error({ version: 11 })).toBe(Errors.INVALID_REQUEST);
  expect(scene.error({ offset: 3 })).toBe(Errors.OFFSET_OUT_OF_RANGE);
});

test("nobody reads the metadata who is no broker", () => {
  const scene = new Scene({ authorize: (_who, peer) => !peer.host.startsWith("10.0.1.") });
  expect(scene.error({})).toBe(Errors.CLUSTER_AUTHORIZATION_FAILED);
  expect(scene.world.clock.run(scene.part(2, 1, 0)).error).toBe(
    Errors.CLUSTER_AUTHORIZATION_FAILED,
  );
});

test("who has everything waits for more, as long as he wants", () => {
  const scene = new Scene();
  const { clock } = scene.world;
  const startMs = clock.monotonicMs();
  const { answer } = clock.run(scene.ask({ offset: 2, maxWaitMs: 3000 }));
  expect(answer?.records).toHaveLength(0);
  expect(answer?.highWatermark).toBe(2n);
  expect(clock.monotonicMs() - startMs).toBeWithin(3000, 3010);
  const waiting = scene.ask({ offset: 2, maxWaitMs: 3000 });
  clock.advance(1000);
  scene.change(nodeRecord(3));
  const sinceMs = clock.monotonicMs();
  const changes = decodeChanges(clock.run(waiting).answer!.records!);
  expect(changes).toEqual([{ position: 3, records: [nodeRecord(3)] }]);
  expect(clock.monotonicMs() - sinceMs).toBeLessThan(10);
});

test("an answer has as many changes as it holds, in the order of the log", () => {
  const scene = new Scene();
  for (const id of [3, 4, 5]) scene.change(nodeRecord(id));
  const { answer } = scene.world.clock.run(scene.ask({}));
  expect(decodeChanges(answer!.records!)).toEqual([
    { position: 2, records: [nodeRecord(1), nodeRecord(2)] },
    ...[3, 4, 5].map((position) => ({ position, records: [nodeRecord(position)] })),
  ]);
});

test("who waits is told when his controller loses the office", () => {
  const scene = new Scene();
  const { clock, nodes } = scene.world;
  const waiting = scene.ask({ offset: 2, maxWaitMs: 60_000 });
  clock.advance(1000);
  void nodes[0]!.election.resign();
  const startMs = clock.monotonicMs();
  expect(clock.run(waiting).error).not.toBe(Errors.NONE);
  expect(clock.monotonicMs() - startMs).toBeLessThan(1000);
});

test("who is too far behind is given a snapshot, in parts that fit together", () => {
  const scene = new Scene(undefined, 4);
  const { clock } = scene.world;
  for (let id = 3; id < 20; id++) scene.change(nodeRecord(id));
  const { snapshotId, records } = clock.run(scene.ask({})).answer!;
  expect(records).toHaveLength(0);
  expect(snapshotId).toEqual({ endOffset: 19n, epoch: 1 });
  // It stays what it is, also for others who ask meanwhile.
  scene.change(nodeRecord(20));
  expect(clock.run(scene.ask({})).answer?.snapshotId).toEqual(snapshotId);
  const { answer: whole } = clock.run(scene.part(19, 1, 0));
  const bytes = whole!.unalignedRecords!;
  expect(Number(whole!.size)).toBe(bytes.length);
  expect(decodeSnapshot(bytes).position).toBe(19);
  const { answer: rest } = clock.run(scene.part(19, 1, 100));
  expect(rest!.unalignedRecords).toEqual(bytes.subarray(100));
  expect(clock.run(scene.part(19, 1, bytes.length)).error).toBe(Errors.POSITION_OUT_OF_RANGE);
  expect(clock.run(scene.part(19, 1, -1)).error).toBe(Errors.POSITION_OUT_OF_RANGE);
  expect(clock.run(scene.part(18, 1, 0)).error).toBe(Errors.SNAPSHOT_NOT_FOUND);
  clock.advance(3 * 60_000);
  expect(clock.run(scene.part(19, 1, 0)).error).toBe(Errors.SNAPSHOT_NOT_FOUND);
});
