/**
 * Where partitions end that are led elsewhere, asked of their leaders now and then (ListOffsets), for the
 * lag of groups that are coordinated here. Bounded: one request at a time to each broker.
 */
import type { Broker } from "../../broker/broker.ts";
import { listOffsets } from "../../core/protocol/02-list-offsets.ts";
import { Errors } from "../../core/errors.ts";
import { sleep } from "../../core/io.ts";
import { groupBy } from "../../core/group-by.ts";

/** Between two rounds, and how long the leaders have to answer. */
const ROUND_MS = 5_000;
const TIMEOUT_MS = 1_000;
/** ListOffsets for the end that consumers see. */
const LATEST = -1n;
const CONSUMER = -1;

interface Wanted {
  readonly topic: string;
  readonly partition: number;
  readonly leader: number;
}

/** See the head of the file. */
export class RemoteEnds {
  #ends = new Map<string, number>();
  #askedMs = -Infinity;
  #round: Promise<void> | null = null;

  constructor(
    private readonly broker: Pick<
      Broker,
      "cluster" | "groups" | "metadata" | "nodeId" | "io" | "partitions" | "stopping"
    >,
  ) {}

  /** The end of a partition as its leader has told it; null if that is not known. */
  end(topic: string, partition: number): number | null {
    return this.#ends.get(keyOf(topic, partition)) ?? null;
  }

  /** Asks again if that is due; waits for the answers a second at most. */
  async refresh(): Promise<void> {
    const { cluster, io } = this.broker;
    if (cluster === null) return;
    if (this.#round === null && io.clock.monotonicMs() - this.#askedMs >= ROUND_MS) {
      this.#askedMs = io.clock.monotonicMs();
      this.#round = this.#ask().finally(() => this.#round = null);
    }
    // A leader that is gone takes longer to be given up than anybody waits for metrics.
    if (this.#round !== null) await Promise.race([this.#round, sleep(io.clock, TIMEOUT_MS)]);
  }

  async #ask(): Promise<void> {
    const fresh = new Map<string, number>();
    const byLeader = groupBy(this.#wanted(), ({ leader }) => leader);
    await Promise.all(
      Array.from(byLeader, ([leader, wanted]) => this.#askOne(leader, wanted, fresh)),
    );
    this.#ends = fresh;
  }

  /** Each partition once, of all that groups here have committed for and others lead. */
  #wanted(): Iterable<Wanted> {
    const { groups, metadata, nodeId } = this.broker;
    const wanted = new Map<string, Wanted>();
    groups.visit((group, offsets) => {
      for (const [topic, partitions] of offsets.all(group.groupId)) {
        const image = metadata.topic(topic);
        for (const partition of partitions.keys()) {
          const leader = image?.partitions[partition]?.leader ?? -1;
          if (leader < 0 || leader === nodeId) continue;
          wanted.set(keyOf(topic, partition), { topic, partition, leader });
        }
      }
    });
    return wanted.values();
  }

  async #askOne(
    leader: number,
    wanted: readonly Wanted[],
    fresh: Map<string, number>,
  ): Promise<void> {
    const { cluster, stopping } = this.broker;
    const topics = [...groupBy(wanted, ({ topic }) => topic)].map(([name, list]) => ({
      name,
      partitions: list.map(({ partition }) => ({
        partitionIndex: partition,
        currentLeaderEpoch: -1,
        timestamp: LATEST,
      })),
    }));
    const request = { replicaId: CONSUMER, isolationLevel: 0, topics };
    const options = { timeoutMs: TIMEOUT_MS, signal: stopping };
    // A connection of its own: one that comes too late is closed, and others must not suffer for it.
    const answer = await cluster?.peers.connect(leader, "metrics", stopping)
      .then((connection) => connection.request(listOffsets, request, options))
      .catch(() => null);
    for (const { name, partitions } of answer?.topics ?? []) {
      for (const { partitionIndex, errorCode, offset } of partitions) {
        if (errorCode === Errors.NONE) fresh.set(keyOf(name, partitionIndex), Number(offset));
      }
    }
  }
}

function keyOf(topic: string, partition: number): string {
  return `${topic}\0${partition}`;
}
