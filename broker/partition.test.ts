import { describe, expect, test } from "bun:test";
import { NO_CODECS } from "../core/compression/codec.ts";
import { errorName, Errors } from "../core/errors.ts";
import { silentLogger } from "../core/logger.ts";
import { BatchBuilder } from "../core/records/batch-builder.ts";
import { inlineOffload } from "../core/io/inline-offload.ts";
import { MetadataImage } from "../cluster/metadata-image.ts";
import type { IsrProposal } from "../cluster/replication/leader-replicas.ts";
import type { MetadataRecord, PartitionRecord } from "../cluster/metadata-records.ts";
import { DataDir } from "../storage/data-dir.ts";
import { DEFAULT_LOG_CONFIG, type Durability } from "../storage/log-config.ts";
import { FaultyDisk } from "../tests/sim/faulty-disk.ts";
import { SimClock } from "../tests/sim/sim-clock.ts";
import { SimRandom } from "../tests/sim/sim-random.ts";
import { waitForData, type Watch } from "./delayed.ts";
import { Partition } from "./partition.ts";
import { PartitionSet } from "./partition-set.ts";

const TOPIC_ID = "abcdefghijklmnopqrstuA";
const SYNC_MS = 10;
const LAG_MS = 1000;

/** One broker's partitions on a virtual clock and a disk whose syncs take up to `SYNC_MS`. */
class World {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly disk: FaultyDisk;
  readonly random = new SimRandom(7);
  readonly alive = new Set<number>();
  readonly proposals: IsrProposal[] = [];
  minInsync = 1;
  image = MetadataImage.EMPTY;
  dataDir!: DataDir;
  partitions!: PartitionSet;

  constructor(readonly durability: Durability = "fsync") {
    this.disk = new FaultyDisk(this.clock, this.random);
    this.open();
    this.change([
      { type: "topic", version: 1, name: "t", id: TOPIC_ID },
      this.#partitionRecord(0, 1, 0),
    ]);
  }

  open(): void {
    const { clock, disk, random } = this;
    this.dataDir = this.clock.run(
      DataDir.open({ clock, disk, random, offload: inlineOffload() }, silentLogger, {
        path: "/data",
        nodeId: 1,
        logConfig: () => DEFAULT_LOG_CONFIG,
        codecs: NO_CODECS,
      }),
    );
    const config = { ...DEFAULT_LOG_CONFIG, durability: this.durability };
    const surroundings = {
      clock,
      nodeId: 1,
      replicaLagTimeMaxMs: () => LAG_MS,
      mayBeInIsr: (id: number) => this.alive.has(id),
      alterIsr: (_partition: Partition, proposal: IsrProposal) =>
        void this.proposals.push(proposal),
    };
    const topicConfig = () => ({ log: config, minInsyncReplicas: this.minInsync });
    this.partitions = new PartitionSet(surroundings, silentLogger, this.dataDir, topicConfig);
    // As a start does it: the image grows from nothing to what it was.
    this.partitions.apply(MetadataImage.EMPTY.apply(this.image.toRecords(), 1).delta);
    this.partitions.adoptLogs();
    disk.faults.maxLatencyMs = SYNC_MS;
  }

  change(records: readonly MetadataRecord[]): void {
    const { image, delta } = this.image.apply(records, this.image.position + 1);
    this.image = image;
    this.partitions.apply(delta);
  }

  lead(leader: number, leaderEpoch: number, isr?: readonly number[]): void {
    const record = this.#partitionRecord(0, leader, leaderEpoch);
    this.change([isr === undefined ? record : { ...record, isr }]);
  }

  partition(index = 0): Partition {
    const found = this.partitions.find("t", index);
    if (typeof found === "number") throw new Error(errorName(found));
    return found;
  }

  /** A wait, and what it came to once it did. */
  wait(offset: number, timeoutMs = 1000, signal?: AbortSignal): { error: string | null } {
    const state: { error: string | null } = { error: null };
    const deadlineMs = this.clock.monotonicMs() + timeoutMs;
    void this.partition().waitForOffset(offset, deadlineMs, signal).then((error) => {
      state.error = errorName(error);
    });
    return state;
  }

  #partitionRecord(partition: number, leader: number, leaderEpoch: number): PartitionRecord {
    return {
      type: "partition",
      version: 1,
      topicId: TOPIC_ID,
      partition,
      replicas: [1, 2],
      isr: [1],
      leader,
      leaderEpoch,
      partitionEpoch: leaderEpoch,
    };
  }
}

function batch(count = 1, valueBytes = 10): Uint8Array {
  const builder = new BatchBuilder({ sizeHintBytes: 100 });
  for (let i = 0; i < count; i++) builder.append(0, null, new Uint8Array(valueBytes));
  return builder.build();
}

describe("a partition", () => {
  test("under fsync shows and acknowledges a batch once it is synced, not before", () => {
    const world = new World("fsync");
    const partition = world.partition();
    expect(partition.append(batch(3), "client")).toMatchObject({ ok: true, baseOffset: 0 });
    const wait = world.wait(3);
    world.clock.advance(0);
    expect([partition.highWatermark, partition.logEndOffset, wait.error]).toEqual([0, 3, null]);
    expect(partition.fetch(0, 1000, "read_uncommitted", true)).toMatchObject({ nextOffset: 0 });
    world.clock.advance(1000);
    expect([partition.highWatermark, wait.error]).toEqual([3, "NONE"]);
    expect(partition.fetch(0, 1000, "read_uncommitted", true)).toMatchObject({ nextOffset: 3 });
  });

  test("under os both happen at the append", () => {
    const world = new World("os");
    const partition = world.partition();
    let advances = 0;
    partition.onAdvance(() => advances++);
    partition.append(batch(3), "client");
    expect([partition.highWatermark, partition.lastStableOffset, advances]).toEqual([3, 3, 1]);
    const bytes = partition.visibleBytes("read_uncommitted");
    partition.append(batch(1), "coordinator");
    expect(partition.visibleBytes("read_uncommitted") - bytes).toBe(batch(1).length);
  });

  test("a wait ends at its deadline and with its connection, and leaves nothing behind", () => {
    const world = new World();
    world.disk.faults.maxLatencyMs = 1_000_000;
    world.partition().append(batch(), "client");
    const gone = new AbortController();
    const [short, aborted] = [world.wait(1, 5), world.wait(1, 5000, gone.signal)];
    world.clock.advance(4);
    expect(short.error).toBeNull();
    world.clock.advance(1);
    expect(short.error).toBe("REQUEST_TIMED_OUT");
    gone.abort();
    world.clock.advance(0);
    expect(aborted.error).toBe("REQUEST_TIMED_OUT");
  });

  test("a failed sync fails the waits, and everything that wants to be acknowledged later", () => {
    const world = new World();
    const partition = world.partition();
    partition.append(batch(), "client");
    world.clock.advance(1000);
    world.disk.faults.failingSyncPercent = 100;
    partition.append(batch(), "client");
    const wait = world.wait(2);
    world.clock.advance(1000);
    expect(wait.error).toBe("KAFKA_STORAGE_ERROR");
    expect(partition.append(batch(), "client")).toMatchObject({
      error: Errors.KAFKA_STORAGE_ERROR,
    });
    const later = world.wait(2);
    world.clock.advance(0);
    expect(later.error).toBe("KAFKA_STORAGE_ERROR");
    expect(partition.highWatermark).toBe(1);
    expect(partition.fetch(0, 1000, "read_uncommitted", true)).toMatchObject({ nextOffset: 1 });
  });

  test("another leader ends waits and appends; epochs are fenced both ways", () => {
    const world = new World();
    const partition = world.partition();
    expect(errorName(partition.checkLeader(0))).toBe("NONE");
    partition.append(batch(), "client");
    const wait = world.wait(1);
    world.lead(2, 1);
    world.clock.advance(0);
    expect(wait.error).toBe("NOT_LEADER_OR_FOLLOWER");
    expect(partition.append(batch(), "client"))
      .toMatchObject({ error: Errors.NOT_LEADER_OR_FOLLOWER });
    expect(errorName(partition.checkLeader(-1))).toBe("NOT_LEADER_OR_FOLLOWER");
    expect(errorName(partition.checkLeader(0))).toBe("FENCED_LEADER_EPOCH");
    expect(errorName(partition.checkLeader(2))).toBe("UNKNOWN_LEADER_EPOCH");
    expect(partition.leadership).toEqual({ leaderId: 2, leaderEpoch: 1 });
    world.lead(1, 2);
    expect(partition.append(batch(), "client")).toMatchObject({ ok: true, baseOffset: 1 });
  });

  test("epochs end where the next one began, also those without a record", () => {
    const world = new World("os");
    const partition = world.partition();
    expect(partition.epochEndOffset(0)).toEqual({ leaderEpoch: 0, endOffset: 0 });
    partition.append(batch(2), "client");
    world.lead(1, 3);
    expect(partition.epochEndOffset(0)).toEqual({ leaderEpoch: 0, endOffset: 2 });
    expect(partition.epochEndOffset(1)).toEqual({ leaderEpoch: 0, endOffset: 2 });
    expect(partition.epochEndOffset(3)).toEqual({ leaderEpoch: 3, endOffset: 2 });
    partition.append(batch(5), "client");
    expect(partition.epochEndOffset(2)).toEqual({ leaderEpoch: 0, endOffset: 2 });
    expect(partition.epochEndOffset(3)).toEqual({ leaderEpoch: 3, endOffset: 7 });
    expect(partition.epochEndOffset(4)).toEqual({ leaderEpoch: -1, endOffset: -1 });
    expect([partition.epochOf(1), partition.epochOf(2), partition.epochOf(7)]).toEqual([0, 3, 3]);
  });
});

describe("a parked fetch", () => {
  function park(world: World, minBytes: number, overrides: Partial<Watch> = {}) {
    const partition = world.partition();
    const gone = new AbortController();
    const stopping = new AbortController();
    const state: { wake: string | null } = { wake: null };
    const isolation = "read_uncommitted" as const;
    const visibleBytes = partition.visibleBytes(isolation);
    const defaults = { partition, readBytes: 0, visibleBytes, maxBytes: 1_000_000, isolation };
    const watch = { ...defaults, ...overrides };
    const deadlineMs = world.clock.monotonicMs() + 500;
    void waitForData(world.clock, [watch], minBytes, deadlineMs, gone.signal, stopping.signal)
      .then((wake) => state.wake = wake);
    return { state, gone, stopping, partition };
  }

  test("wakes when the bytes it wants can be seen, not when they are appended", () => {
    const world = new World("fsync");
    const { state, partition } = park(world, batch().length + 1);
    partition.append(batch(), "client");
    world.clock.advance(SYNC_MS * 10);
    expect(state.wake).toBeNull();
    partition.append(batch(), "client");
    world.clock.advance(0);
    expect(state.wake).toBeNull();
    world.clock.advance(SYNC_MS * 10);
    expect(state.wake).toBe("data");
  });

  test("counts a batch over the partition's bound, and what it had read before", () => {
    for (const overrides of [{ maxBytes: 0 }, { readBytes: 50, minBytes: 60 }]) {
      const world = new World("os");
      const { state, partition } = park(world, overrides.minBytes ?? 1, overrides);
      partition.append(batch(1, 100), "client");
      world.clock.advance(0);
      expect(state.wake).toBe("data");
    }
  });

  test("wakes at its deadline, for a deletion, a new leader, a failed disk, a stop, a lost client", () => {
    const causes: [string, (world: World, parked: ReturnType<typeof park>) => void, string][] = [
      ["deadline", (world) => world.clock.advance(500), "deadline"],
      ["deletion", (world) => {
        world.change([{ type: "remove-topic", version: 1, id: TOPIC_ID }]);
      }, "data"],
      ["leader", (world) => world.lead(2, 1), "data"],
      ["disk", (world, { partition }) => {
        world.disk.faults.failingSyncPercent = 100;
        partition.append(batch(), "client");
        world.clock.advance(100);
      }, "data"],
      ["stop", (world, { stopping }) => {
        stopping.abort();
        world.partitions.wake();
      }, "aborted"],
      ["client", (_, { gone }) => gone.abort(), "aborted"],
    ];
    for (const [cause, act, wake] of causes) {
      const world = new World("fsync");
      const parked = park(world, 1_000_000);
      world.clock.advance(1);
      expect(parked.state.wake).toBeNull();
      act(world, parked);
      world.clock.advance(0);
      expect([cause, parked.state.wake]).toEqual([cause, wake]);
    }
  });
});

describe("the partitions of a broker", () => {
  test("follow the image: none, there, more, gone, there again with nothing in it", () => {
    const world = new World("os");
    expect(world.partitions.find("t", 1)).toBe(Errors.UNKNOWN_TOPIC_OR_PARTITION);
    expect(world.partitions.findById("x", 0)).toBe(Errors.UNKNOWN_TOPIC_ID);
    const before = world.partition();
    expect(world.partitions.findById(TOPIC_ID, 0)).toBe(before);
    before.append(batch(), "client");
    const added = { replicas: [1], isr: [1], leader: 1, leaderEpoch: 0, partitionEpoch: 0 };
    world.change([
      { type: "partition", version: 1, topicId: TOPIC_ID, partition: 1, ...added },
    ]);
    expect(world.partition(1).append(batch(), "client")).toMatchObject({ ok: true });
    expect(world.partition(0)).toBe(before);

    world.change([{ type: "remove-topic", version: 1, id: TOPIC_ID }]);
    expect(world.partitions.find("t", 0)).toBe(Errors.UNKNOWN_TOPIC_OR_PARTITION);
    expect(before.append(batch(), "client"))
      .toMatchObject({ error: Errors.UNKNOWN_TOPIC_OR_PARTITION });
    const again = "bbcdefghijklmnopqrstuA";
    world.change([
      { type: "topic", version: 1, name: "t", id: again },
      { type: "partition", version: 1, topicId: again, partition: 0, ...added },
    ]);
    expect(world.partition().append(batch(), "client")).toMatchObject({ ok: true, baseOffset: 0 });
  });

  test("a start keeps the files of its topics, and removes those of a topic deleted before", () => {
    const world = new World("fsync");
    world.partition().append(batch(2), "client");
    world.clock.advance(1000);
    world.clock.run(world.dataDir.close());
    world.open();
    expect(world.partition().highWatermark).toBe(2);
    world.clock.run(world.dataDir.close());

    world.image = MetadataImage.EMPTY;
    world.open();
    world.clock.advance(1000);
    expect([...world.dataDir.logs()]).toEqual([]);
  });
});

test("what a new leader does not know to be committed yet is no end (KIP-207)", () => {
  const world = new World("os");
  world.alive.add(2);
  world.lead(1, 1, [1, 2]);
  const partition = world.partition();
  expect(partition.isBehindElection).toBe(false);
  partition.append(batch(), "client");
  // It is behind what it has written itself, which nobody has seen.
  expect([partition.highWatermark, partition.isBehindElection]).toEqual([0, false]);
  world.lead(2, 2, [1, 2]);
  expect(partition.isBehindElection).toBe(false);
  world.lead(1, 3, [1, 2]);
  expect(partition.isBehindElection).toBe(true);
  partition.noteFetch({ brokerId: 2, brokerEpoch: 1, fetchOffset: 1, logStartOffset: 0 });
  expect([partition.highWatermark, partition.isBehindElection]).toEqual([1, false]);
});

test("a change of leadership waits while the log is cut", () => {
  const world = new World("os");
  world.lead(1, 1);
  const partition = world.partition();
  for (let count = 0; count < 3; count++) partition.append(batch(), "client");
  world.lead(2, 2, [1, 2]);
  world.disk.faults.maxLatencyMs = 50;
  void partition.truncateTo(partition.highWatermark);
  expect(partition.cutDone).not.toBeNull();
  world.lead(1, 3, [1, 2]);
  expect([partition.isLeader, partition.leaderEpoch]).toEqual([false, 2]);
  world.clock.advance(5000);
  expect([partition.isLeader, partition.leaderEpoch, partition.cutDone]).toEqual([true, 3, null]);
  expect(partition.logEndOffset).toBe(partition.highWatermark);
});
