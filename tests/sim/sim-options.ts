import type { Durability } from "../../storage/log-config.ts";
import type { LossMode } from "./faulty-disk.ts";
import type { SimRandom } from "./sim-random.ts";

/** What one run is like: some kinds of trouble are off, others extreme (swarm testing). */
export interface SimOptions {
  readonly steps: number;
  readonly partitions: number;
  readonly producers: number;
  readonly durability: Durability;
  readonly appendTime: boolean;
  readonly segmentBytes: number;
  readonly indexIntervalBytes: number;
  readonly retentionBytes: number;
  readonly retentionMs: number;
  readonly valueBytesMax: number;
  readonly recordsMax: number;
  readonly openFiles: number;
  readonly syncsInFlight: number;
  readonly checkpointMs: number;
  readonly maxLatencyMs: number;
  readonly lossModes: readonly LossMode[];
  /** Weights of what may happen, 0 for never. */
  readonly weights: Readonly<Record<Happening, number>>;
  /** Bits that may flip at a power cut. */
  readonly flipsMax: number;
  readonly failingSyncPercent: number;
}

/** What may happen in a step. */
export type Happening =
  | "append"
  | "resend"
  | "wrongSequence"
  | "bumpEpoch"
  | "bumpLeaderEpoch"
  | "wait"
  | "flush"
  | "read"
  | "lookup"
  | "maintain"
  | "deleteRecords"
  | "truncate"
  | "restart"
  | "recreate"
  | "fillDisk"
  | "failWrites"
  | "cleanRestart"
  | "kill"
  | "powerCut";

/** Draws the options of a run. */
export function drawOptions(random: SimRandom): SimOptions {
  const maybe = (percent: number, value: number) => random.chance(percent) ? value : 0;
  const allModes: LossMode[] = ["nothing", "everything", "prefix", "sectors"];
  const lossModes = allModes.filter(() => random.chance(60));
  return {
    steps: random.pick([60, 150, 400]),
    partitions: random.between(1, 3),
    producers: random.between(0, 3),
    durability: random.chance(80) ? "fsync" : "os",
    appendTime: random.chance(20),
    segmentBytes: random.pick([1000, 3000, 12_000, 100_000]),
    indexIntervalBytes: random.pick([0, 200, 1000, 4096]),
    retentionBytes: random.chance(25) ? random.pick([0, 2000, 20_000]) : -1,
    retentionMs: random.chance(25) ? random.pick([50, 1000, 20_000]) : -1,
    valueBytesMax: random.pick([10, 100, 900]),
    recordsMax: random.pick([1, 3, 12]),
    openFiles: random.pick([3, 6, 100]),
    syncsInFlight: random.between(1, 3),
    checkpointMs: random.pick([1, 50, 5000]),
    maxLatencyMs: random.pick([0, 1, 20]),
    lossModes: lossModes.length > 0 ? lossModes : allModes,
    weights: {
      append: random.between(20, 80),
      resend: 8,
      wrongSequence: 3,
      bumpEpoch: maybe(50, 2),
      bumpLeaderEpoch: maybe(50, 3),
      wait: random.between(5, 40),
      flush: maybe(50, 3),
      read: random.between(5, 30),
      lookup: 5,
      maintain: maybe(60, 4),
      deleteRecords: maybe(40, 2),
      truncate: maybe(30, 2),
      restart: maybe(20, 1),
      recreate: maybe(30, 1),
      fillDisk: maybe(30, 2),
      failWrites: maybe(20, 1),
      cleanRestart: maybe(60, 2),
      kill: maybe(60, 2),
      powerCut: maybe(80, 3),
    },
    flipsMax: maybe(40, random.between(1, 3)),
    failingSyncPercent: maybe(15, 1),
  };
}
