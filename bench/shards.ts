/**
 * What shards cost: the same records into one broker and into two shards of one machine, in turn. Shards
 * have the processors of their clients besides, so throughput scales only where there are four or more.
 */
import { availableParallelism } from "node:os";
import { ratios, type Spread, spread } from "./measure.ts";
import { startOurs, startOurShards } from "./targets.ts";
import { PASS, producePass, type ProduceSample } from "./workloads.ts";

const SHARDS = 2;

/** Of one pass through both. */
interface Pass {
  readonly one: ProduceSample;
  readonly shards: ProduceSample;
}

/** What came of it. */
export interface ShardsResult {
  readonly processors: number;
  readonly recordBytes: number;
  readonly recordsPerSecond: Readonly<Record<keyof Pass, Spread>>;
  /** What the producer made of the same records: means, of a batch and of a request. */
  readonly batchBytes: Readonly<Record<keyof Pass, Spread>>;
  readonly requestBytes: Readonly<Record<keyof Pass, Spread>>;
  /** Of all processes of brokers, for a GB that was produced. */
  readonly cpuSecondsPerGb: Readonly<Record<keyof Pass, Spread>>;
  /** Two shards over one broker; at most 1.15 is the aim. */
  readonly cpuRatio: Spread;
  /** As `cpuRatio`; null where too few processors make it say nothing. */
  readonly throughputRatio: Spread | null;
}

const PROCESSORS_TO_SCALE = 4;

/**
 * Runs `pairs` passes after one that is not counted; before that the shards have one more for each
 * further process, since each compiles its code for itself after so many records.
 */
export async function shards(pairs: number, scale: number): Promise<ShardsResult> {
  const one = await startOurs("os");
  const divided = await startOurShards("os", SHARDS);
  const passes: Pass[] = [];
  try {
    for (let more = 1; more < SHARDS; more++) await producePass(divided, 1, scale);
    for (let pair = -1; pair < pairs; pair++) {
      const pass = {
        one: await producePass(one, 1, scale),
        shards: await producePass(divided, 1, scale),
      };
      if (pair >= 0) passes.push(pass);
    }
  } finally {
    await Promise.all([one.stop(), divided.stop()]);
  }
  const pick = (key: keyof Pass, of: keyof ProduceSample) => passes.map((pass) => pass[key][of]);
  const both = (of: keyof ProduceSample) => ({
    one: spread(pick("one", of)),
    shards: spread(pick("shards", of)),
  });
  const ratio = (of: keyof ProduceSample) => ratios(pick("shards", of), pick("one", of));
  const processors = availableParallelism();
  const result = {
    processors,
    recordBytes: PASS.recordBytes,
    recordsPerSecond: both("recordsPerSecond"),
    batchBytes: both("batchBytes"),
    requestBytes: both("requestBytes"),
    cpuSecondsPerGb: both("cpuSecondsPerGb"),
    cpuRatio: ratio("cpuSecondsPerGb"),
    throughputRatio: processors < PROCESSORS_TO_SCALE ? null : ratio("recordsPerSecond"),
  };
  console.log(JSON.stringify(result, null, 1));
  return result;
}
