/** Transactions in one log: what holds readers back, what is aborted, and what a crash leaves. */
import { describe, expect, test } from "bun:test";
import { Errors } from "../core/errors.ts";
import { buildEndTxnMarker } from "../core/records/control-records.ts";
import { SimWorld } from "../tests/sim/sim-world.ts";
import type { AppendResult, VerificationGuard } from "./partition-log.ts";

const INDEX = "00000000000000000000.txnindex";

/** Producers of transactions on one log. */
class TxnWorld extends SimWorld {
  readonly #sequences = new Map<string, number>();

  /** One record of a transaction. */
  write(
    producerId: number,
    producerEpoch = 0,
    verification: VerificationGuard | "off" | null = "off",
  ): AppendResult {
    const key = `${producerId}:${producerEpoch}`;
    const baseSequence = this.#sequences.get(key) ?? 0;
    const options = { producerId, producerEpoch, baseSequence, transactional: true };
    const result = this.append(1, 100, options, undefined, { verification });
    if (result.ok) this.#sequences.set(key, baseSequence + 1);
    return result;
  }

  /** The end of a transaction. */
  end(
    producerId: number,
    type: "commit" | "abort",
    facts: { producerEpoch?: number; coordinatorEpoch?: number; transactionVersion?: number } = {},
  ): AppendResult {
    const { producerEpoch = 0, coordinatorEpoch = 0, transactionVersion = 0 } = facts;
    const timestampMs = this.clock.wallMs();
    const marker = { type, producerId, producerEpoch, coordinatorEpoch, timestampMs };
    return this.log.append(buildEndTxnMarker(marker), {
      leaderEpoch: 0,
      origin: "coordinator",
      transactionVersion,
    });
  }

  get firstUnstable(): number | null {
    return this.log.firstUnstableOffset(this.log.logEndOffset);
  }

  aborted(offset = 0, endOffset = this.log.logEndOffset) {
    return this.log.abortedTransactions(offset, endOffset);
  }
}

/** Offsets 0 and 2 of producer 1, 1 of producer 2; 1 aborted at 3, 2 still open. */
function abortedAndOpen(config = {}): TxnWorld {
  const world = new TxnWorld(config);
  world.write(1);
  world.write(2);
  world.write(1);
  world.end(1, "abort");
  world.settle();
  return world;
}

const ABORTED = [{ producerId: 1, firstOffset: 0, lastOffset: 3, lastStableOffset: 1 }];

describe("readers of what is committed", () => {
  test("are held back by the first open transaction", () => {
    const world = new TxnWorld();
    world.append();
    expect(world.firstUnstable).toBeNull();
    world.write(1);
    world.write(2);
    expect(world.firstUnstable).toBe(1);
    world.end(1, "commit");
    expect(world.firstUnstable).toBe(2);
    world.end(2, "commit");
    expect(world.firstUnstable).toBeNull();
  });

  test("are held back until the marker is below the high watermark", () => {
    const world = new TxnWorld();
    world.write(1);
    world.end(1, "commit");
    expect(world.log.firstUnstableOffset(0)).toBe(0);
    expect(world.log.firstUnstableOffset(1)).toBe(0);
    expect(world.log.firstUnstableOffset(2)).toBeNull();
  });

  test("learn which transactions were aborted, and of no other", () => {
    const world = abortedAndOpen();
    world.end(2, "commit");
    expect(world.aborted()).toEqual(ABORTED);
    expect(world.aborted(4)).toEqual([]);
    expect(world.aborted(0, 0)).toEqual([]);
  });

  test("learn it over several segments", () => {
    const world = new TxnWorld({ segmentBytes: 500 });
    for (let round = 0; round < 10; round++) {
      world.write(1);
      world.end(1, "abort");
      world.write(2);
      world.end(2, "commit");
    }
    world.settle();
    expect(world.log.segmentCount).toBeGreaterThan(5);
    expect(world.aborted().map(({ lastOffset }) => lastOffset))
      .toEqual([1, 5, 9, 13, 17, 21, 25, 29, 33, 37]);
    expect(world.aborted(20, 24).map(({ lastOffset }) => lastOffset)).toEqual([21]);
  });
});

describe("what a crash leaves", () => {
  const WAYS = {
    "a clean restart": (world: SimWorld) => world.restart(),
    "a kill": (world: SimWorld) => world.kill(),
    "a power loss": (world: SimWorld) => world.cutPower(),
  };
  for (const [way, happen] of Object.entries(WAYS)) {
    test(`${way} changes nothing in open and aborted transactions`, () => {
      const world = abortedAndOpen();
      happen(world);
      expect(world.firstUnstable).toBe(1);
      expect(world.aborted()).toEqual(ABORTED);
      happen(world);
      expect(world.end(2, "abort").ok).toBe(true);
      world.settle();
      happen(world);
      expect(world.firstUnstable).toBeNull();
      expect(world.aborted()).toEqual([
        ...ABORTED,
        { producerId: 2, firstOffset: 1, lastOffset: 4, lastStableOffset: 5 },
      ]);
    });
  }

  test("a transaction that began in a segment before is known in the next", () => {
    const world = new TxnWorld({ segmentBytes: 500 });
    world.write(1);
    for (let index = 0; index < 6; index++) world.append();
    world.settle();
    world.cutPower();
    expect(world.firstUnstable).toBe(0);
    world.end(1, "abort");
    world.settle();
    world.cutPower();
    expect(world.aborted().length).toBe(1);
  });

  test("a cut of odd size makes the list again", () => {
    const world = abortedAndOpen();
    world.restart();
    world.kill(() => world.damage(INDEX, (bytes) => bytes.slice(0, 20)));
    expect(world.aborted()).toEqual(ABORTED);
  });

  test("a list that is torn is made again, also of what began in a segment before", () => {
    const world = new TxnWorld({ segmentBytes: 500 });
    world.write(1);
    for (let index = 0; index < 6; index++) world.append();
    world.end(1, "abort");
    const before = world.aborted();
    expect(before.length).toBe(1);
    world.kill(() => {
      const names = [...world.disk.files()].map(([path]) => path.slice(path.lastIndexOf("/") + 1));
      const lists = names.filter((name) => name.endsWith(".txnindex"));
      expect(lists).toEqual(["00000000000000000006.txnindex"]);
      for (const name of lists) world.damage(name, (bytes) => bytes.slice(0, 20));
    });
    expect(world.aborted()).toEqual(before);
  });

  test("zeros where entries were to be are no entries", () => {
    const world = abortedAndOpen();
    world.restart();
    world.kill(() => {
      world.damage(INDEX, (bytes) => {
        const longer = new Uint8Array(bytes.length * 3);
        longer.set(bytes);
        return longer;
      });
    });
    expect(world.aborted()).toEqual(ABORTED);
  });

  test("a truncation takes aborts and open transactions back", () => {
    const world = abortedAndOpen();
    world.clock.run(world.log.truncateTo(3));
    expect(world.firstUnstable).toBe(0);
    expect(world.aborted()).toEqual([]);
    world.clock.run(world.log.truncateTo(0));
    expect(world.firstUnstable).toBeNull();
  });

  test("the list goes with its segment", () => {
    const world = new TxnWorld({ segmentBytes: 500, fileDeleteDelayMs: 0 });
    for (let round = 0; round < 10; round++) {
      world.write(1);
      world.end(1, "abort");
    }
    world.settle();
    expect(world.log.deleteRecordsBefore(20)).toBe(Errors.NONE);
    world.settle();
    const lists = world.names().filter((name) => name.includes("txnindex"));
    expect(lists.length).toBeLessThan(3);
    expect(world.names().includes(INDEX)).toBe(false);
  });
});

/** Each append out of order, with Kafka's code for it. */
describe("refused", () => {
  const refusal = (error: number) => ({ ok: false, error });

  test("a batch whose transaction nobody has asked about", () => {
    const world = new TxnWorld();
    expect(world.write(1, 0, null)).toMatchObject(refusal(Errors.INVALID_TXN_STATE));
    const guard = world.log.startVerification(1, 0, 0);
    expect(world.write(1, 0, guard).ok).toBe(true);
    expect(world.log.startVerification(1, 0, 1)).toBeNull();
    expect(world.write(1, 0, null).ok).toBe(true);
  });

  test("a batch whose transaction has ended since the question", () => {
    const world = new TxnWorld();
    const guard = world.log.startVerification(1, 0, 0);
    world.end(1, "abort");
    expect(world.write(1, 0, guard)).toMatchObject(refusal(Errors.INVALID_TXN_STATE));
  });

  test("a batch that overtakes an earlier one that is asked about", () => {
    const world = new TxnWorld();
    world.log.startVerification(1, 0, 0);
    const options = { producerId: 1, producerEpoch: 0, baseSequence: 1, transactional: true };
    const guard = world.log.startVerification(1, 0, 1);
    expect(world.append(1, 100, options, undefined, { verification: guard }))
      .toMatchObject(refusal(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER));
  });

  test("a batch outside of the transaction that is open", () => {
    const world = new TxnWorld();
    world.write(1);
    expect(world.append(1, 100, { producerId: 1, producerEpoch: 0, baseSequence: 1 }))
      .toMatchObject(refusal(Errors.INVALID_TXN_STATE));
  });

  test("markers of an old producer or coordinator", () => {
    const world = new TxnWorld();
    world.write(1, 5);
    expect(world.end(1, "abort", { producerEpoch: 4 }))
      .toMatchObject(refusal(Errors.INVALID_PRODUCER_EPOCH));
    expect(world.end(1, "abort", { producerEpoch: 5, coordinatorEpoch: 3 }).ok).toBe(true);
    expect(world.end(1, "abort", { producerEpoch: 5, coordinatorEpoch: 2 }))
      .toMatchObject(refusal(Errors.TRANSACTION_COORDINATOR_FENCED));
  });

  test("a marker with the producer's own epoch where ends bump it, but not its own retry", () => {
    const world = new TxnWorld();
    const bumping = { transactionVersion: 2 };
    world.write(1, 5);
    expect(world.end(1, "commit", { producerEpoch: 5, ...bumping }))
      .toMatchObject(refusal(Errors.INVALID_PRODUCER_EPOCH));
    expect(world.end(1, "commit", { producerEpoch: 6, ...bumping }).ok).toBe(true);
    const end = world.log.logEndOffset;
    expect(world.end(1, "commit", { producerEpoch: 6, ...bumping }).ok).toBe(true);
    expect(world.log.logEndOffset).toBe(end);
    world.write(1, 6);
    expect(world.end(1, "commit", { producerEpoch: 6, ...bumping }))
      .toMatchObject(refusal(Errors.INVALID_PRODUCER_EPOCH));
  });
});
