/** What one run of the storage simulator consists of: the simulated machine, the engine, the model. */
import { inlineOffload } from "../../core/io/inline-offload.ts";
import type { Logger } from "../../core/logger.ts";
import { DataDir } from "../../storage/data-dir.ts";
import { DEFAULT_LOG_CONFIG, type LogConfig } from "../../storage/log-config.ts";
import type { PartitionLog } from "../../storage/partition-log.ts";
import { FaultyDisk } from "./faulty-disk.ts";
import { SimClock } from "./sim-clock.ts";
import { drawOptions, type SimOptions } from "./sim-options.ts";
import { SimRandom } from "./sim-random.ts";
import { ModelLog } from "./storage-model.ts";

const DATA = "/data";
const NEVER_MS = 1e12;

/** See the head of this file. */
export class StorageWorld {
  readonly random: SimRandom;
  readonly options: SimOptions;
  readonly clock = new SimClock(1_700_000_000_000);
  readonly disk: FaultyDisk;
  /** One for each partition. */
  readonly models: ModelLog[];
  /** Everything that happened, for people who look at a failing seed. */
  readonly trace: string[] = [];
  private opened: DataDir | null = null;
  private nextTopicId = 0;
  private nextProducerId = 1;

  constructor(seed: number, private readonly logger: Logger) {
    this.random = new SimRandom(seed);
    this.options = drawOptions(this.random);
    this.disk = new FaultyDisk(this.clock, this.random);
    this.disk.faults.maxLatencyMs = this.options.maxLatencyMs;
    this.models = Array.from({ length: this.options.partitions }, () => this.freshModel());
  }

  /** The data directory of the process that runs. */
  get dir(): DataDir {
    if (this.opened === null) throw new Error("nothing has been started yet");
    return this.opened;
  }

  /** Starts the engine on what is on the disk. */
  open(): void {
    const io = {
      clock: this.clock,
      random: this.random,
      disk: this.disk,
      offload: inlineOffload(),
    };
    const config = this.config();
    this.opened = this.clock.run(DataDir.open(io, this.logger, {
      path: DATA,
      nodeId: 1,
      logConfig: () => config,
      codecs: {},
      limits: {
        openFiles: this.options.openFiles,
        syncsInFlight: this.options.syncsInFlight,
        checkpointMs: this.options.checkpointMs,
        producerIdExpirationMs: NEVER_MS,
        retentionCheckMs: NEVER_MS,
      },
    }));
  }

  /** Neither syncs nor writes fail from now on. */
  stopFailures(): void {
    this.disk.faults.failingSyncPercent = 0;
    this.disk.faults.failingWritePercent = 0;
  }

  /** Notes what happened. */
  note(what: string): void {
    this.trace.push(`${this.clock.monotonicMs().toFixed(2)} ${what}`);
  }

  /** The log of a partition. */
  log(partition: number): PartitionLog {
    const { topicId } = this.models[partition]!;
    return this.dir.getOrCreate({ topic: "t", topicId, partition }, this.config());
  }

  /** The model of a new topic. */
  freshModel(): ModelLog {
    const model = new ModelLog();
    model.topicId = String(this.nextTopicId++).padStart(22, "A");
    for (let left = this.options.producers; left > 0; left--) {
      model.producers.push({ id: this.nextProducerId++, epoch: 0, nextSequence: 0 });
    }
    return model;
  }

  private config(): LogConfig {
    const { options } = this;
    return {
      ...DEFAULT_LOG_CONFIG,
      durability: options.durability,
      segmentBytes: options.segmentBytes,
      indexIntervalBytes: options.indexIntervalBytes,
      retentionBytes: options.retentionBytes,
      retentionMs: options.retentionMs,
      messageTimestampType: options.appendTime ? "LogAppendTime" : "CreateTime",
      fileDeleteDelayMs: 100,
    };
  }
}
