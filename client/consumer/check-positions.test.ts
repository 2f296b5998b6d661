/** What a consumer does when a log was cut off where it had read (KIP-320). */
import { expect, test } from "bun:test";
import { Errors } from "../../core/errors.ts";
import { fetch as fetchApi } from "../../core/protocol/01-fetch.ts";
import { listOffsets } from "../../core/protocol/02-list-offsets.ts";
import { metadata } from "../../core/protocol/03-metadata.ts";
import { offsetForLeaderEpoch } from "../../core/protocol/23-offset-for-leader-epoch.ts";
import { BatchBuilder } from "../../core/records/batch-builder.ts";
import { setPartitionLeaderEpoch } from "../../core/records/batch-header.ts";
import { SimClock } from "../../tests/sim/sim-clock.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { Consumer, type ConsumerOptions, type PartitionPosition } from "../consumer.ts";
import { LogTruncationError } from "../errors.ts";
import { FakeBroker } from "../fake-broker.test-helper.ts";
import { stringSerde } from "../serde.ts";

/** A partition that can be cut off, and whose leader checks the epochs of who asks. */
class CutLog {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly broker = new FakeBroker(this.clock, { t: 1 });
  /** The epoch of each record, whose value is `epoch:offset`. */
  readonly epochs: number[] = [];
  leaderEpoch = 0;
  checks = 0;

  constructor() {
    this.broker.on(metadata, () => ({
      brokers: [{ nodeId: 1, ...this.broker.address }],
      topics: [{
        name: "t",
        partitions: [{ partitionIndex: 0, leaderId: 1, leaderEpoch: this.leaderEpoch }],
      }],
    }));
    this.broker.on(fetchApi, ({ topics }) => {
      const asked = topics[0]?.partitions[0];
      const offset = Number(asked?.fetchOffset);
      const errorCode = this.#check(asked?.currentLeaderEpoch ?? -1) ||
        (offset > this.epochs.length ? Errors.OFFSET_OUT_OF_RANGE : Errors.NONE);
      const records = errorCode === Errors.NONE ? this.#read(offset) : null;
      const highWatermark = BigInt(this.epochs.length);
      const partitions = [{ partitionIndex: 0, errorCode, highWatermark, records }];
      return { responses: [{ topic: "t", partitions }] };
    });
    this.broker.on(offsetForLeaderEpoch, ({ replicaId, topics }) => {
      this.checks++;
      expect(replicaId).toBe(-1);
      const asked = topics[0]?.partitions[0];
      const wanted = asked?.leaderEpoch ?? -1;
      const known = this.epochs.findLast((epoch) => epoch <= wanted);
      const partitions = [{
        partition: 0,
        errorCode: this.#check(asked?.currentLeaderEpoch ?? -1),
        leaderEpoch: known ?? -1,
        endOffset: BigInt(known === undefined ? -1 : this.epochs.lastIndexOf(known) + 1),
      }];
      return { topics: [{ topic: "t", partitions }] };
    });
    this.broker.on(listOffsets, ({ topics }) => ({
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, timestamp }) => ({
          partitionIndex,
          offset: timestamp === -2n ? 0n : BigInt(this.epochs.length),
        })),
      })),
    }));
  }

  write(count: number): void {
    for (let i = 0; i < count; i++) this.epochs.push(this.leaderEpoch);
  }

  /** Another broker leads, which has only the first `length` records. */
  elect(length = this.epochs.length): void {
    this.epochs.length = length;
    this.leaderEpoch++;
  }

  read(options: Partial<ConsumerOptions> = {}, from: Partial<PartitionPosition> = {}) {
    const io = { clock: this.clock, random: new SimRandom(1), network: this.broker };
    const brokers = [this.broker.address];
    const consumer = new Consumer(io, { brokers, value: stringSerde, ...options });
    const seen: (string | null)[] = [];
    const failures: unknown[] = [];
    this.clock.run(consumer.assign([{ topic: "t", partition: 0, offset: 0n, ...from }]));
    const loop = async () => {
      for await (const { value } of consumer.records()) seen.push(value);
    };
    const done = (async () => {
      for (;;) {
        try {
          return await loop();
        } catch (error) {
          failures.push(error);
        }
      }
    })();
    const end = () => {
      this.clock.run(consumer.close());
      this.clock.run(done);
    };
    return { consumer, seen, failures, end };
  }

  #check(epoch: number): number {
    if (epoch < 0 || epoch === this.leaderEpoch) return Errors.NONE;
    return epoch < this.leaderEpoch ? Errors.FENCED_LEADER_EPOCH : Errors.UNKNOWN_LEADER_EPOCH;
  }

  #read(offset: number): Uint8Array | null {
    const epoch = this.epochs[offset];
    if (epoch === undefined) return null;
    const builder = new BatchBuilder({ baseOffset: offset });
    const context = { topic: "t", part: "value" } as const;
    for (let at = offset; this.epochs[at] === epoch; at++) {
      builder.append(0, null, stringSerde.serialize(`${epoch}:${at}`, context));
    }
    const batch = builder.build();
    setPartitionLeaderEpoch(batch, 0, epoch);
    return batch;
  }
}

const values = (epoch: number, from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `${epoch}:${from + i}`);

test("a new leader that has everything is asked once, and read on", () => {
  const log = new CutLog();
  log.write(50);
  const { seen, end } = log.read();
  log.clock.advance(3000);
  log.elect();
  log.write(10);
  log.clock.advance(3000);
  expect(seen).toEqual([...values(0, 0, 50), ...values(1, 50, 60)]);
  expect(log.checks).toBe(1);
  end();
});

test("what the new leader has at offsets that were read already is read", () => {
  const log = new CutLog();
  log.write(50);
  const { seen, consumer, end } = log.read();
  log.clock.advance(3000);
  log.elect(30);
  log.write(40);
  log.clock.advance(3000);
  expect(seen).toEqual([...values(0, 0, 50), ...values(1, 30, 70)]);
  expect(consumer.position("t", 0)).toBe(70n);
  end();
});

test("without a reset it is an error, and the partition rests until it is sought", () => {
  const log = new CutLog();
  log.write(50);
  const { seen, failures, consumer, end } = log.read({ autoOffsetReset: "none" });
  log.clock.advance(3000);
  log.elect(30);
  log.write(40);
  log.clock.advance(10_000);
  expect(failures).toEqual([new LogTruncationError("t", 0, 50, 30)]);
  expect(seen.length).toBe(50);
  consumer.seek({ topic: "t", partition: 0, offset: 30n });
  log.clock.advance(3000);
  expect(seen.slice(50)).toEqual(values(1, 30, 70));
  end();
});

test("a committed position knows its epoch, so a cut before the start is seen too", () => {
  const log = new CutLog();
  log.write(50);
  log.elect(30);
  log.write(40);
  const { seen, end } = log.read({}, { offset: 45n, leaderEpoch: 0 });
  log.clock.advance(3000);
  expect(seen).toEqual(values(1, 30, 70));
  end();
});

test("where nothing of the epoch is left it is as asked for positions that are gone", () => {
  const log = new CutLog();
  log.elect();
  log.write(40);
  const { seen, end } = log.read({}, { offset: 20n, leaderEpoch: 0 });
  log.clock.advance(3000);
  expect(seen).toEqual(values(1, 0, 40));
  end();
});

test("a leader from before the position is not asked: the one who says so is cut off", () => {
  const log = new CutLog();
  log.write(10);
  const { seen, end } = log.read({}, { offset: 45n, leaderEpoch: 1 });
  log.clock.advance(3000);
  expect(seen).toEqual([]);
  log.elect();
  log.write(50);
  log.clock.advance(3000);
  expect(seen).toEqual(values(1, 45, 60));
  end();
});
