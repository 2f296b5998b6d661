/** Looking for keys: whatever has happened to the log and its files, the answer is a scan's. */
import { describe, expect, test } from "bun:test";
import { Errors } from "../../core/errors.ts";
import { BatchBuilder, type BatchOptions } from "../../core/records/batch-builder.ts";
import {
  forEachBatch,
  isControl,
  lastOffset,
  producerId,
} from "../../core/records/batch-header.ts";
import { buildEndTxnMarker, readControlRecord } from "../../core/records/control-records.ts";
import { readRecords } from "../../core/records/record-cursor.ts";
import type { LossMode } from "../../tests/sim/faulty-disk.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { flip, SimWorld } from "../../tests/sim/sim-world.ts";
import type { LogConfig } from "../log-config.ts";
import { KeyIndexUnfinished, KeySearchError } from "./key-search.ts";

const text = new TextEncoder();
const INDEX = "00000000000000000000.keyindex";
const KEYS = ["a", "b", "c", "dd", "", "e".repeat(40), "never"];

/** A log of small segments, of which all but the last 100 bytes are indexed in runs of a few keys. */
class KeyWorld extends SimWorld {
  readonly #sequences = new Map<number, number>();

  constructor(config: Partial<LogConfig> = {}) {
    super(
      { segmentBytes: 2000, indexIntervalBytes: 300, minCleanableDirtyRatio: 0, ...config },
      { keyIndex: { tailBytes: 300, runKeysMax: 16, bytesPerSecond: 1e9 } },
    );
  }

  put(records: readonly (readonly [string | null, string | null])[], options: BatchOptions = {}) {
    const builder = new BatchBuilder(options);
    for (const [key, value] of records) {
      const bytes = (string: string | null) => string === null ? null : text.encode(string);
      builder.append(this.clock.wallMs(), bytes(key), bytes(value));
    }
    const append = { leaderEpoch: 0, origin: "client", verification: "off" } as const;
    return this.log.append(builder.build(), append);
  }

  /** A part of a transaction. */
  write(producerId: number, records: readonly (readonly [string, string | null])[]): boolean {
    const baseSequence = this.#sequences.get(producerId) ?? 0;
    const producer = { producerId, producerEpoch: 0, baseSequence, transactional: true };
    const { ok } = this.put(records, producer);
    if (ok) this.#sequences.set(producerId, baseSequence + records.length);
    return ok;
  }

  end(producerId: number, type: "commit" | "abort"): void {
    const timestampMs = this.clock.wallMs();
    const marker = { type, producerId, producerEpoch: 0, coordinatorEpoch: 0, timestampMs };
    const options = { leaderEpoch: 0, origin: "coordinator", transactionVersion: 0 } as const;
    this.log.append(buildEndTxnMarker(marker), options);
  }

  /** The end of what is committed. */
  get stableEnd(): number {
    const { durableEndOffset } = this.log;
    return this.log.firstUnstableOffset(durableEndOffset) ?? durableEndOffset;
  }

  query(key: string) {
    return { key: text.encode(key), endOffset: this.stableEnd, deadlineMs: Infinity };
  }

  latest(key: string): string | null {
    const found = this.clock.run(this.log.latestOfKey(this.query(key)));
    return found === null ? null : show(found);
  }

  history(key: string, recordsMax = 3): string[] {
    const found: string[] = [];
    for (let fromOffset = 0;;) {
      const query = { ...this.query(key), fromOffset, recordsMax, bytesMax: 1000 };
      const { records, nextOffset } = this.clock.run(this.log.historyOfKey(query));
      found.push(...records.map(show));
      if (nextOffset === null) return found;
      fromOffset = nextOffset;
    }
  }

  /** All that a `read_committed` consumer sees, by key. */
  scan(): Map<string, string[]> {
    const { log, stableEnd } = this;
    const byKey = new Map<string, string[]>();
    const aborts = log.abortedTransactions(log.logStartOffset, log.logEndOffset)
      .sort((a, b) => a.firstOffset - b.firstOffset);
    const aborted = new Set<number>();
    for (let offset = log.logStartOffset; offset < stableEnd;) {
      const result = this.clock.run(log.read(offset, 500, stableEnd, true));
      if (!result.ok) throw new Error(`cannot read at ${offset}`);
      if (result.records.length === 0) break;
      const { records } = result;
      forEachBatch(records, (at) => {
        const id = producerId(records, at);
        while ((aborts[0]?.firstOffset ?? Infinity) <= lastOffset(records, at)) {
          aborted.add(aborts.shift()!.producerId);
        }
        if (isControl(records, at)) {
          if (readControlRecord(records, at).type === "abort") aborted.delete(id);
          return;
        }
        for (const record of readRecords(records, at, {})) {
          if (record.key === null || aborted.has(id) || record.offset < log.logStartOffset) {
            continue;
          }
          const key = new TextDecoder().decode(record.key);
          byKey.set(key, [...byKey.get(key) ?? [], show(record)]);
        }
      });
      offset = result.nextOffset;
    }
    return byKey;
  }

  /** Whether a fetch of some offset says CORRUPT_MESSAGE. */
  get isDamaged(): boolean {
    const { logStartOffset, logEndOffset } = this.log;
    for (let offset = logStartOffset; offset < logEndOffset; offset++) {
      if (!this.read(offset, 1).ok) return true;
    }
    return false;
  }

  /** Every key gives what a scan gives. */
  expectSame(): void {
    const all = this.scan();
    for (const key of KEYS) {
      const expected = all.get(key) ?? [];
      expect({ key, latest: this.latest(key) }).toEqual({ key, latest: expected.at(-1) ?? null });
      expect({ key, history: this.history(key) }).toEqual({ key, history: expected });
    }
  }
}

function show(record: { offset: number; value: Uint8Array | null }): string {
  const { offset, value } = record;
  return value === null ? `${offset}` : `${offset}=${new TextDecoder().decode(value)}`;
}

/** Ten batches with the keys k0 to k9, and one more that is not indexed. */
function worldOfTen(): KeyWorld {
  const world = new KeyWorld({ segmentBytes: 100_000 });
  for (let index = 0; index < 10; index++) world.put([[`k${index}`, "v"], ["all", `${index}`]]);
  world.settle();
  expect(world.latest("k0")).toBe("0=v");
  world.put([["late", "v"]]);
  world.settle();
  return world;
}

describe("the file", () => {
  test("is made when a key is looked for, and goes on behind what it has", () => {
    const world = new KeyWorld({ segmentBytes: 100_000 });
    const sizes = [1, 2, 3].map(() => {
      for (let index = 0; index < 10; index++) world.put([[`k${index}`, "v"]]);
      world.settle();
      expect(world.latest("k3")).toBe(`${world.log.logEndOffset - 7}=v`);
      return world.disk.stat(`/data/t-0/${INDEX}`)?.sizeBytes;
    });
    expect(sizes).toEqual([64 + 80, 2 * (64 + 80), 3 * (64 + 80)]);
    expect(world.latest("nobody")).toBeNull();
    expect(world.history("k9")).toEqual(["9=v", "19=v", "29=v"]);
  });

  test("is not read again by the same process, and stays over a clean restart", () => {
    const world = worldOfTen();
    world.restart();
    expect(world.names()).toContain(INDEX);
    const size = world.disk.stat(`/data/t-0/${INDEX}`)?.sizeBytes;
    expect(world.latest("k5")).toBe("10=v");
    expect(world.latest("late")).toBe("20=v");
    expect(world.disk.stat(`/data/t-0/${INDEX}`)?.sizeBytes).toBe(size!);
    expect(world.complaints).toEqual([]);
  });

  const damages = {
    "a flipped bit in an entry": flip(-3),
    "a flipped bit in the head": flip(20),
    "a flipped bit in the secret": flip(40),
    "another magic": flip(0),
    "a torn end": (bytes: Uint8Array<ArrayBuffer>) => bytes.slice(0, -5),
    "bytes behind the end": (bytes: Uint8Array<ArrayBuffer>) =>
      Uint8Array.from([...bytes, ...bytes]),
    "nothing in it": () => new Uint8Array(0),
  };
  for (const [what, damage] of Object.entries(damages)) {
    test(`${what} is noticed`, () => {
      const world = worldOfTen();
      world.clock.run(world.dir.close());
      world.damage(INDEX, damage);
      world.dir = world.open();
      for (let index = 0; index < 10; index++) {
        expect(world.latest(`k${index}`)).toBe(`${2 * index}=v`);
      }
      expect(world.history("all", 4).length).toBe(10);
      const good = world.disk.stat(`/data/t-0/${INDEX}`)?.sizeBytes;
      world.restart();
      expect(world.latest("k7")).toBe("14=v");
      expect(world.disk.stat(`/data/t-0/${INDEX}`)?.sizeBytes).toBe(good!);
    });
  }

  test("one that speaks of another log of the same size is noticed", () => {
    const [world, other] = [worldOfTen(), new KeyWorld({ segmentBytes: 100_000 })];
    for (let index = 0; index < 10; index++) other.put([[`x${index}`, "v"], ["all", `${index}`]]);
    other.settle();
    expect(other.latest("x4")).toBe("8=v");
    const bytes = [...other.disk.files()].find(([path]) => path.endsWith(INDEX))![1].cache;
    world.clock.run(world.dir.close());
    world.damage(INDEX, () => bytes.slice());
    world.dir = world.open();
    expect(world.latest("k4")).toBe("8=v");
  });

  test("is found gone, and made again", () => {
    const world = worldOfTen();
    world.clock.run(world.dir.close());
    world.disk.remove(`/data/t-0/${INDEX}`);
    world.dir = world.open();
    expect(world.latest("k4")).toBe("8=v");
    expect(world.names()).toContain(INDEX);
  });

  test("is left out where the disk has no room", () => {
    const world = new KeyWorld({ segmentBytes: 100_000 });
    for (let index = 0; index < 10; index++) world.put([[`k${index}`, "v"]]);
    world.settle();
    world.disk.faults.maxBytes = 0;
    expect(world.latest("k3")).toBe("3=v");
    expect(world.complaints).toEqual(["the keys of a segment are not indexed to its end"]);
  });
});

describe("a search", () => {
  test("that runs out of time says how far it came, and the next goes on", () => {
    const world = new KeyWorld();
    for (let index = 0; index < 60; index++) world.put([[`k${index}`, "v".repeat(100)]]);
    world.settle();
    const hurried = () =>
      world.clock.run(world.log.latestOfKey({ ...world.query("k0"), deadlineMs: 0 }));
    expect(hurried).toThrow(KeyIndexUnfinished);
    expect(world.latest("k0")).toStartWith("0=");
    expect(world.clock.run(world.log.latestOfKey({ ...world.query("k0"), deadlineMs: 0 }))?.offset)
      .toBe(0);
  });

  test("past damage finds what lies behind it, and refuses to pass it", () => {
    const world = worldOfTen();
    world.clock.run(world.dir.close());
    world.disk.remove(`/data/t-0/${INDEX}`);
    world.damage("00000000000000000000.log", flip(5 * 91 + 70));
    world.dir = world.open();
    expect(() => world.latest("k1")).toThrow(KeySearchError);
    expect(world.log.failed).toBe(false);
    const code = { error: Errors.CORRUPT_MESSAGE };
    expect(world.clock.run(world.log.latestOfKey(world.query("k1")).catch((error) => error)))
      .toMatchObject(code);
  });

  test("of a cleaned log does not believe in indexes of what was cleaned", () => {
    const world = new KeyWorld({ cleanupPolicy: { delete: false, compact: true } });
    for (let round = 0; round < 60; round++) {
      world.put([[KEYS[round % 3]!, `${round}`.repeat(10)]]);
      if (round % 20 === 0) world.latest("a");
    }
    world.settle();
    world.expectSame();
    expect(world.clock.run(world.dir.cleanOne())).toBe(true);
    world.expectSame();
    world.restart();
    world.expectSame();
  });

  test("goes on in the cleaned segment when a cleaning overtakes it", () => {
    const world = new KeyWorld({ cleanupPolicy: { delete: false, compact: true } });
    for (let round = 0; round < 60; round++) {
      world.put([[KEYS[round % 3]!, `${round}`.repeat(10)]]);
    }
    world.put([["dd", "v"]]);
    world.settle();
    world.disk.faults.maxLatencyMs = 5;
    const searches = KEYS.map((key) => world.log.latestOfKey(world.query(key)));
    const cleaned = world.dir.cleanOne();
    const found = world.clock.run(Promise.all(searches));
    world.clock.run(cleaned);
    const all = world.scan();
    expect(found.map((one) => one && show(one))).toEqual(
      KEYS.map((key) => all.get(key)?.at(-1) ?? null),
    );
  });
});

let purges = 0;

/** What may happen to a log; each is one step of a random story. */
const STEPS: Record<string, (world: KeyWorld, random: SimRandom) => void> = {
  put: (world, random) => void world.put(drawRecords(random)),
  keyless: (world) => {
    if (!world.config.cleanupPolicy.compact) world.put([[null, "v"]]);
  },
  write: (world, random) => void world.write(random.below(3), drawRecords(random)),
  commit: (world, random) => world.end(random.below(3), "commit"),
  abort: (world, random) => world.end(random.below(3), "abort"),
  fill: (world, random) => {
    for (let count = 0; count < 12; count++) world.put(drawRecords(random));
  },
  settle: (world) => world.settle(),
  look: (world, random) => {
    world.settle();
    world.latest(random.pick(KEYS));
  },
  clean: (world) => void world.clock.run(world.dir.cleanOne()),
  trim: (world, random) => {
    const { logStartOffset, durableEndOffset } = world.log;
    world.log.deleteRecordsBefore(random.between(logStartOffset, durableEndOffset));
  },
  purge: (world) => {
    const id = `${purges++}`;
    world.settle();
    world.clock.run(world.log.purges.purge(id, world.clock.wallMs()));
  },
  undo: (world) => {
    const last = world.log.purges.all.at(-1);
    if (last !== undefined) world.clock.run(world.log.purges.undo(last.id));
  },
  cut: (world, random) => {
    world.settle();
    const { logStartOffset, logEndOffset } = world.log;
    world.clock.run(world.log.truncateTo(random.between(logStartOffset, logEndOffset)));
  },
  restart: (world) => world.restart(),
  kill: (world) => world.kill(),
  power: (world, random) => {
    world.cutPower(random.pick<LossMode>(["nothing", "everything", "prefix", "sectors"]));
  },
  torn: (world, random) => {
    world.settle();
    world.disk.faults.maxLatencyMs = 3;
    // Whoever asked is gone with the process.
    void world.log.latestOfKey(world.query(random.pick(KEYS))).catch(() => {});
    world.clock.advance(random.below(20));
    world.disk.faults.maxLatencyMs = 0;
    world.cutPower(random.pick<LossMode>(["nothing", "everything", "prefix", "sectors"]));
  },
  check: (world) => {
    world.settle();
    world.expectSame();
  },
};

function drawRecords(random: SimRandom): [string, string | null][] {
  return Array.from({ length: random.between(1, 4) }, () => {
    const key = random.pick(KEYS.slice(0, -1));
    return [key, random.chance(20) ? null : "v".repeat(random.below(60))];
  });
}

describe("random stories of a log", () => {
  const first = Number(process.env["KSTREAM_KEY_SEED"] ?? 1);
  const count = Number(process.env["KSTREAM_KEY_SEEDS"] ?? 60);
  for (let seed = first; seed < first + count; seed++) {
    test(`seed ${seed}`, () => {
      const random = new SimRandom(seed);
      const compact = random.chance(60);
      const world = new KeyWorld({ cleanupPolicy: { delete: !compact, compact } });
      const names = Object.keys(STEPS);
      const weighted = [...names, "put", "put", "write", "write", "fill", "fill", "look", "look"];
      const story: string[] = [];
      try {
        for (let step = 0; step < 60; step++) {
          story.push(random.pick(weighted));
          STEPS[story.at(-1)!]!(world, random);
          // What was torn is fenced; that is another story.
          if (["power", "torn"].includes(story.at(-1)!) && world.isDamaged) return;
        }
        STEPS["check"]!(world, random);
      } catch (error) {
        throw new Error(`seed ${seed}, after ${story.join(" ")}`, { cause: error });
      }
    });
  }
});
