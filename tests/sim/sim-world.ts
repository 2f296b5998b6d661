/** Storage on a virtual clock and a faulty disk, for tests that tell one story each. */
import { inlineOffload } from "../../core/io/inline-offload.ts";
import { BatchBuilder, type BatchOptions } from "../../core/records/batch-builder.ts";
import { type LogFields, type Logger, silentLogger } from "../../core/logger.ts";
import { type CleanerConfig, DEFAULT_CLEANER_CONFIG } from "../../storage/cleaner/log-cleaner.ts";
import { DataDir, type DataDirLimits } from "../../storage/data-dir.ts";
import { DEFAULT_LOG_CONFIG, type LogConfig } from "../../storage/log-config.ts";
import type { AppendOptions, AppendResult, PartitionLog } from "../../storage/partition-log.ts";
import { FaultyDisk, type LossMode } from "./faulty-disk.ts";
import { SimClock } from "./sim-clock.ts";
import { SimRandom } from "./sim-random.ts";

const NEVER_MS = 1e12;

/** See the head of this file. */
export class SimWorld {
  readonly clock = new SimClock(1_700_000_000_000);
  readonly random = new SimRandom(1);
  readonly disk = new FaultyDisk(this.clock, this.random);
  /** What was logged as a warning or an error. */
  readonly complaints: string[] = [];
  config: LogConfig;
  /** Of the next process. */
  cutsDamage = false;
  dir: DataDir;

  constructor(
    config: Partial<LogConfig> = {},
    private readonly limits: Partial<DataDirLimits> = {},
    private readonly cleaner: Partial<CleanerConfig> = {},
  ) {
    this.config = { ...DEFAULT_LOG_CONFIG, ...config };
    this.dir = this.open();
  }

  /** Opens the data directory of this world. */
  open(nodeId = 1): DataDir {
    const { clock, random, disk } = this;
    const offload = inlineOffload();
    const note = (message: string, _fields?: LogFields) => void this.complaints.push(message);
    const logger: Logger = { ...silentLogger, warn: note, error: note };
    return clock.run(DataDir.open({ clock, random, disk, offload }, logger, {
      path: "/data",
      nodeId,
      logConfig: () => this.config,
      codecs: {},
      cutsDamage: this.cutsDamage,
      // It cleans when a story says so.
      cleaner: () => ({ ...DEFAULT_CLEANER_CONFIG, threads: 0, ...this.cleaner }),
      limits: { retentionCheckMs: NEVER_MS, checkpointMs: 1, ...this.limits },
    }));
  }

  /** The log of partition 0. */
  get log(): PartitionLog {
    return this.dir.getOrCreate({ topic: "t", topicId: "A".repeat(22), partition: 0 }, this.config);
  }

  /** Appends one batch of `count` records of `valueBytes` each. */
  append(
    count = 1,
    valueBytes = 100,
    options: BatchOptions = {},
    timestamp?: number,
    appendOptions: Partial<AppendOptions> = {},
  ): AppendResult {
    const builder = new BatchBuilder(options);
    for (let index = 0; index < count; index++) {
      builder.append(
        timestamp ?? this.clock.wallMs(),
        null,
        new Uint8Array(valueBytes).fill(7),
        [],
      );
    }
    return this.log.append(builder.build(), {
      leaderEpoch: 0,
      origin: "client",
      ...appendOptions,
    });
  }

  /** Lets everything that is under way finish. */
  settle(): void {
    this.clock.advance(1000);
  }

  /** A clean restart. */
  restart(): void {
    this.clock.run(this.dir.close());
    this.clock.dropTimers();
    this.dir = this.open();
  }

  /** The process is killed and starts again; `between` may change the disk. */
  kill(between: () => void = () => {}): void {
    this.clock.dropTimers();
    this.disk.killProcess();
    between();
    this.dir = this.open();
  }

  /** Power is cut, and comes back. */
  cutPower(mode: LossMode = "everything"): void {
    this.clock.dropTimers();
    this.disk.cutPower(mode);
    this.dir = this.open();
  }

  /** Reads one fetch's worth. */
  read(offset: number, maxBytes = 1_000_000) {
    return this.clock.run(this.log.read(offset, maxBytes, Infinity, true));
  }

  /** Changes the bytes of a file of partition 0. */
  damage(name: string, change: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>): void {
    for (const [path, node] of this.disk.files()) {
      if (path !== `/data/t-0/${name}`) continue;
      node.cache = change(node.cache.slice());
      node.durable = node.cache;
      node.pending = [];
      return;
    }
    throw new Error(`there is no ${name}`);
  }

  /** The names in the folder of partition 0. */
  names(): string[] {
    return this.disk.list("/data/t-0").map((entry) => entry.name).sort();
  }
}

/** Flips one bit. */
export function flip(at: number): (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> {
  return (bytes) => {
    bytes[at < 0 ? bytes.length + at : at]! ^= 4;
    return bytes;
  };
}
