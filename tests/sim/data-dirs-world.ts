/** Two data directories on a virtual clock and a faulty disk. */
import { inlineOffload } from "../../core/io/inline-offload.ts";
import { BatchBuilder } from "../../core/records/batch-builder.ts";
import { silentLogger } from "../../core/logger.ts";
import { DataDirs } from "../../storage/data-dirs.ts";
import { DEFAULT_LOG_CONFIG, type LogConfig } from "../../storage/log-config.ts";
import type { AppendResult, PartitionLog } from "../../storage/partition-log.ts";
import { FaultyDisk } from "./faulty-disk.ts";
import { SimClock } from "./sim-clock.ts";
import { SimRandom } from "./sim-random.ts";

/** See the head of this file. */
export class DataDirsWorld {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly random: SimRandom;
  readonly disk: FaultyDisk;
  /** What ended the broker. */
  readonly failures: Error[] = [];
  dirs: DataDirs;

  constructor(
    seed = 1,
    readonly config: LogConfig = { ...DEFAULT_LOG_CONFIG, segmentBytes: 2000 },
  ) {
    this.random = new SimRandom(seed);
    this.disk = new FaultyDisk(this.clock, this.random);
    this.dirs = this.open();
  }

  /** Opens the directories `/one` and `/two`, or those that are named. */
  open(paths: readonly string[] = ["/one", "/two"]): DataDirs {
    const { clock, random, disk } = this;
    return clock.run(
      DataDirs.open({ clock, random, disk, offload: inlineOffload() }, silentLogger, {
        paths,
        vitalTopic: "vital",
        nodeId: 1,
        logConfig: () => this.config,
        codecs: {},
        onFailure: (error) => void this.failures.push(error),
        limits: { retentionCheckMs: 1e12, checkpointMs: 1 },
      }),
    );
  }

  /** The log of a topic's only partition. */
  log(topic: string, topicId = "A".repeat(22)): PartitionLog {
    return this.dirs.getOrCreate({ topic, topicId, partition: 0 }, this.config);
  }

  /** Path of the directory that the log is in. */
  pathOf(topic: string): string | undefined {
    return this.dirs.dirOf(this.log(topic))?.path;
  }

  /** The process is killed, or power is cut, and comes back. */
  crash(): void {
    const modes = ["kill", "nothing", "everything", "prefix", "sectors"] as const;
    const mode = modes[this.random.below(modes.length)]!;
    this.clock.dropTimers();
    if (mode === "kill") this.disk.killProcess();
    else this.disk.cutPower(mode);
    this.dirs = this.open();
  }

  /** A clean restart. */
  restart(): void {
    this.clock.run(this.dirs.close());
    this.clock.dropTimers();
    this.dirs = this.open();
  }
}

/** Appends one record of this value. */
export function appendOne(log: PartitionLog, value: string): AppendResult {
  const builder = new BatchBuilder({});
  builder.append(1_700_000_000_000, null, new TextEncoder().encode(value), []);
  return log.append(builder.build(), { leaderEpoch: 0, origin: "client" });
}
