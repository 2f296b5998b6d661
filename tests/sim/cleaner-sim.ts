/**
 * Compacted logs on a virtual clock and a faulty disk, driven by one seed: producers with and without
 * transactions write keys over and over, cleanings run beside them, and crashes come anywhere, above
 * all within the exchange of segments. What must hold, against a model of every record:
 *
 * - offsets, keys, values and timestamps of what is left are as they were written
 * - the last record of each key is there, unless it is a tombstone whose time is over; and then
 *   nothing older of its key is
 * - nothing is missing above what a cleaning was allowed to touch
 * - a reader of what is committed sees no aborted record and all committed ones, by Kafka's rules
 * - what was acknowledged survives a power cut; a retry of a producer's last batch is a duplicate
 */
import { bunCodecs } from "../../core/compression/bun.ts";
import type { CompressionName } from "../../core/compression/codec.ts";
import { errorName } from "../../core/errors.ts";
import { inlineOffload } from "../../core/io/inline-offload.ts";
import { type Logger, silentLogger } from "../../core/logger.ts";
import { BatchBuilder } from "../../core/records/batch-builder.ts";
import {
  forEachBatch,
  isControl,
  isTransactional,
  lastOffset,
  producerId,
  recordsCount,
} from "../../core/records/batch-header.ts";
import { buildEndTxnMarker, readControlRecord } from "../../core/records/control-records.ts";
import { readRecords } from "../../core/records/record-cursor.ts";
import { DEFAULT_CLEANER_CONFIG } from "../../storage/cleaner/log-cleaner.ts";
import { DataDir } from "../../storage/data-dir.ts";
import { DEFAULT_LOG_CONFIG, type LogConfig } from "../../storage/log-config.ts";
import { LOG_SUFFIX, offsetOfFileName } from "../../storage/names.ts";
import type { AppendResult, PartitionLog } from "../../storage/partition-log.ts";
import { CleanedModel, type CleanedProducer, type SeenRecord } from "./cleaner-model.ts";
import { FaultyDisk, type LossMode } from "./faulty-disk.ts";
import { SimClock } from "./sim-clock.ts";
import { SimRandom } from "./sim-random.ts";
import { expect, LivenessError, Violation } from "./violation.ts";

const NEVER_MS = 1e12;
const HOUR_MS = 3_600_000;
const LOSS_MODES: readonly LossMode[] = ["nothing", "everything", "prefix", "sectors"];
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What one run is like. */
interface CleanerSimOptions {
  readonly steps: number;
  readonly keys: number;
  readonly producers: number;
  readonly valueBytesMax: number;
  readonly recordsMax: number;
  readonly tombstonePercent: number;
  readonly abortPercent: number;
  readonly compressions: readonly CompressionName[];
  readonly maxLatencyMs: number;
  readonly openFiles: number;
  readonly dedupeBufferBytes: number;
  readonly crashPercent: number;
  readonly log: LogConfig;
}

function drawOptions(random: SimRandom): CleanerSimOptions {
  return {
    steps: random.pick([40, 80, 160]),
    keys: random.pick([3, 20, 100]),
    producers: random.between(0, 3),
    valueBytesMax: random.pick([5, 60, 300]),
    recordsMax: random.pick([1, 3, 6]),
    tombstonePercent: random.pick([0, 10, 40]),
    abortPercent: random.pick([0, 30, 80]),
    compressions: random.pick([["none"], ["none", "gzip", "zstd"]]),
    maxLatencyMs: random.pick([0, 1, 20]),
    openFiles: random.pick([3, 6, 100]),
    dedupeBufferBytes: random.pick([1024, 3000, 1_000_000]),
    crashPercent: random.pick([0, 20, 60]),
    log: {
      ...DEFAULT_LOG_CONFIG,
      cleanupPolicy: { delete: false, compact: true },
      segmentBytes: random.pick([3500, 6000, 20_000]),
      indexIntervalBytes: random.pick([0, 200, 4096]),
      minCleanableDirtyRatio: random.pick([0, 0.3, 0.7]),
      minCompactionLagMs: random.pick([0, 0, HOUR_MS]),
      maxCompactionLagMs: random.pick([NEVER_MS, 5 * HOUR_MS]),
      deleteRetentionMs: random.pick([0, HOUR_MS, 24 * HOUR_MS]),
      fileDeleteDelayMs: random.pick([0, 10, 60_000]),
    },
  };
}

/** One run; see the head of this file. */
export class CleanerSim {
  readonly options: CleanerSimOptions;
  /** Everything that happened, for people who look at a failing seed. */
  readonly trace: string[] = [];
  private readonly random: SimRandom;
  private readonly clock = new SimClock(1_700_000_000_000);
  private readonly disk: FaultyDisk;
  private readonly model = new CleanedModel();
  private readonly producers: CleanedProducer[] = [];
  private nextProducerId = 1;
  private dir: DataDir;
  private swaps = 0;

  constructor(seed: number, private readonly logger: Logger = silentLogger) {
    this.random = new SimRandom(seed);
    this.options = drawOptions(this.random);
    this.disk = new FaultyDisk(this.clock, this.random);
    this.disk.faults.maxLatencyMs = this.options.maxLatencyMs;
    this.dir = this.open();
    for (let left = this.options.producers; left > 0; left--) this.addProducer();
  }

  /** Throws a `Violation` or a `LivenessError`; anything else that it throws is a crash. */
  run(): void {
    for (let step = 0; step < this.options.steps; step++) this.happen(this.random.below(100));
    this.settle();
    this.check();
    this.heal();
  }

  private happen(dice: number): void {
    const { random } = this;
    if (dice < 55) {
      for (let left = random.between(1, 6); left > 0; left--) this.append();
    } else if (dice < 65) this.endSome();
    else if (dice < 72) this.clock.advance(random.pick([0.5, 5, 100, HOUR_MS / 2, 3 * HOUR_MS]));
    else if (dice < 76) this.resend();
    else if (dice < 80) this.check();
    else if (dice < 82) this.deleteRecords();
    else if (dice < 84) this.restart();
    else this.clean();
  }

  // -------------------------------------------------------------------------------------------
  // Life and death

  private open(): DataDir {
    const { clock, random, disk, options } = this;
    const io = { clock, random, disk, offload: inlineOffload() };
    return clock.run(DataDir.open(io, this.logger, {
      path: "/data",
      nodeId: 1,
      // As in a broker: what the topic has of its own is not known yet.
      logConfig: () => ({ ...options.log, cleanupPolicy: { delete: true, compact: false } }),
      codecs: bunCodecs,
      cleaner: () => ({
        ...DEFAULT_CLEANER_CONFIG,
        threads: 0,
        dedupeBufferBytes: options.dedupeBufferBytes,
        ioBufferBytes: 1024,
      }),
      limits: {
        openFiles: options.openFiles,
        checkpointMs: random.pick([1, 5000]),
        producerIdExpirationMs: NEVER_MS,
        retentionCheckMs: NEVER_MS,
      },
    }));
  }

  private get log(): PartitionLog {
    return this.dir.getOrCreate(
      { topic: "t", topicId: "A".repeat(22), partition: 0 },
      this.options.log,
    );
  }

  private restart(): void {
    this.note("restart");
    this.clock.run(this.dir.close());
    this.clock.dropTimers();
    this.dir = this.open();
    this.check();
  }

  private crash(): void {
    this.clock.dropTimers();
    const durable = this.log.durableEndOffset;
    if (this.random.chance(50)) {
      this.disk.killProcess();
      this.note("kill");
      this.dir = this.open();
      expect(this.log.logEndOffset === this.model.endOffset, "a kill has cut the log");
    } else {
      // What was not synced may be damaged in its middle: that is the storage simulator's subject.
      const isSynced = durable === this.log.logEndOffset;
      const isEndOnly = durable >= this.activeBase();
      const mode = this.random.pick(LOSS_MODES.slice(0, isSynced ? undefined : isEndOnly ? 2 : 1));
      this.disk.cutPower(mode);
      this.note(`power cut, loss=${mode}`);
      this.dir = this.open();
      const end = this.log.logEndOffset;
      expect(end >= durable, `the log ends at ${end}, acknowledged was up to ${durable}`);
      if (end < this.model.endOffset) this.lose(end);
    }
    const { log, model } = this;
    expect(log.logStartOffset <= model.startOffset, "the start has moved");
    model.startOffset = log.logStartOffset;
    const names = this.disk.list("/data").some(({ name }) => name === "t-0")
      ? this.disk.list("/data/t-0").map(({ name }) => name)
      : [];
    expect(!names.some((name) => /cleaned|swap/.test(name)), `left over: ${names.join(" ")}`);
    this.check();
  }

  /** Where the last segment begins; the files of earlier ones may be synced in any order. */
  private activeBase(): number {
    if (this.disk.stat("/data/t-0") === null) return 0;
    const bases = this.disk.list("/data/t-0").map(({ name }) => offsetOfFileName(name, LOG_SUFFIX));
    return Math.max(0, ...bases.filter((base) => base !== null));
  }

  /** Everything from `end` on is gone: open transactions are aborted, as a coordinator would. */
  private lose(end: number): void {
    this.model.cut(end);
    for (const producer of this.producers.splice(0)) {
      const open = this.model.transactions.find((one) =>
        one.producer === producer && one.end === null
      );
      if (open !== undefined) {
        producer.open = open;
        this.endTransaction(producer, true);
      }
      this.addProducer();
    }
  }

  private settle(): void {
    for (const producer of this.producers) {
      if (producer.open !== null) this.endTransaction(producer, this.random.chance(50));
    }
    this.clock.advance(1000);
  }

  /** In the end everything that is complete gets cleaned. */
  private heal(): void {
    this.clock.advance(100 * HOUR_MS);
    // So that all before is in complete segments.
    for (let left = 60; left > 0; left--) {
      this.append(this.options.log.segmentBytes / 12 / this.options.recordsMax);
    }
    this.clock.advance(100 * HOUR_MS);
    for (let round = 0; round < 1000; round++) {
      const before = this.log.cleanedTo;
      const cleanable = this.log.cleaning.find();
      if (cleanable !== null) {
        this.model.beginCleaning(cleanable.firstUncleanableOffset, this.clock.wallMs());
      }
      const cleaned = this.clock.run(this.dir.cleanOne());
      if (!cleaned) return this.checkHealed();
      if (before === this.log.cleanedTo) throw new LivenessError("a cleaning makes no progress");
    }
    throw new LivenessError("there is always something left to clean");
  }

  /** Of what was cleaned, nothing aborted is left, also to those who would see it. */
  private checkHealed(): void {
    this.check();
    const { log, model, clock } = this;
    const cleanedTo = log.cleanedTo ?? 0;
    for (let offset = log.logStartOffset; offset < cleanedTo;) {
      const result = clock.run(log.read(offset, 50_000, cleanedTo, true));
      if (!result.ok || result.records.length === 0) break;
      forEachBatch(result.records, (at) => {
        if (isControl(result.records, at)) return;
        for (const { offset } of readRecords(result.records, at, bunCodecs)) {
          const record = model.records.find((one) => one.offset === offset);
          const isAborted = record?.transaction?.end?.isAborted === true;
          expect(!isAborted, `${offset} was aborted, and is still there`);
        }
      });
      offset = result.nextOffset;
    }
  }

  // -------------------------------------------------------------------------------------------
  // What happens

  private append(valueBytes?: number): void {
    const { random, options, model } = this;
    const producer = this.producers.length > 0 && random.chance(60)
      ? random.pick(this.producers)
      : null;
    const transactional = producer !== null && producer.id % 2 === 0;
    const builder = new BatchBuilder({
      compression: random.pick(options.compressions),
      codecs: bunCodecs,
      transactional,
      ...(producer === null
        ? {}
        : { producerId: producer.id, producerEpoch: 0, baseSequence: producer.nextSequence }),
    });
    const nowMs = this.clock.wallMs();
    const base = model.endOffset;
    const added: { key: string; value: string | null; timestampMs: number }[] = [];
    for (let left = random.between(1, options.recordsMax); left > 0; left--) {
      const key = `key${random.below(options.keys)}`;
      const size = valueBytes ?? random.below(options.valueBytesMax);
      const isTombstone = valueBytes === undefined && random.chance(options.tombstonePercent);
      const value = isTombstone ? null : String(base + added.length).padEnd(size, "x");
      const timestampMs = nowMs - random.below(1000);
      added.push({ key, value, timestampMs });
      builder.append(
        timestampMs,
        encoder.encode(key),
        value === null ? null : encoder.encode(value),
      );
    }
    const sequence = producer?.nextSequence ?? -1;
    const result = this.send(builder.build());
    if (!result.ok) return expect(this.dir.failure !== null, `append refused: ${result.message}`);
    expect(result.baseOffset === base && !result.duplicate, "a batch got the wrong offsets");
    if (transactional && producer.open === null) {
      producer.open = { producer, firstOffset: base, end: null };
      model.transactions.push(producer.open);
    }
    const transaction = transactional ? producer.open : null;
    added.forEach((record, index) => {
      model.records.push({ ...record, offset: base + index, transaction, firstCleanedMs: null });
    });
    model.endOffset = result.lastOffset + 1;
    if (producer === null) return;
    producer.nextSequence += added.length;
    producer.sent.push({ baseOffset: base, sequence, keys: added.map(({ key }) => key) });
  }

  private send(bytes: Uint8Array): AppendResult {
    return this.log.append(bytes, { leaderEpoch: 0, origin: "client", verification: "off" });
  }

  private endSome(): void {
    const open = this.producers.filter((producer) => producer.open !== null);
    if (open.length === 0) return;
    this.endTransaction(this.random.pick(open), this.random.chance(this.options.abortPercent));
  }

  private endTransaction(producer: CleanedProducer, isAborted: boolean): void {
    const marker = buildEndTxnMarker({
      type: isAborted ? "abort" : "commit",
      producerId: producer.id,
      producerEpoch: 0,
      coordinatorEpoch: 0,
      timestampMs: this.clock.wallMs(),
    });
    const result = this.log.append(marker, { leaderEpoch: 0, origin: "coordinator" });
    expect(result.ok, "a marker was refused");
    if (producer.open !== null) producer.open.end = { offset: result.baseOffset, isAborted };
    producer.open = null;
    this.model.endOffset = result.lastOffset + 1;
    this.note(`${isAborted ? "abort" : "commit"} ${producer.id} at ${result.baseOffset}`);
  }

  /** A producer has not heard of its last batch: it is known, also if it was cleaned away. */
  private resend(): void {
    if (this.producers.length === 0) return;
    const producer = this.random.pick(this.producers);
    const last = producer.sent.at(-1);
    if (last === undefined || (producer.id % 2 === 0 && producer.open === null)) return;
    const builder = new BatchBuilder({
      producerId: producer.id,
      producerEpoch: 0,
      baseSequence: last.sequence,
      transactional: producer.id % 2 === 0,
    });
    for (const key of last.keys) builder.append(0, encoder.encode(key), null);
    const result = this.send(builder.build());
    expect(result.ok && result.duplicate, `producer ${producer.id}: a retry was not known`);
    expect(result.baseOffset === last.baseOffset, "a retry was answered with other offsets");
  }

  private deleteRecords(): void {
    const { log, model, random } = this;
    const to = random.between(model.startOffset, log.durableEndOffset);
    if (to <= model.startOffset || random.chance(50)) return;
    log.deleteRecordsBefore(to);
    model.startOffset = to;
    this.note(`delete records before ${to}`);
  }

  /** A cleaning, beside which other things happen, up to a crash. */
  private clean(): void {
    const { random, clock, log, model } = this;
    const cleanable = log.cleaning.find();
    if (cleanable === null) return;
    model.beginCleaning(cleanable.firstUncleanableOffset, clock.wallMs());
    let done: boolean | null = null;
    let failure: unknown = null;
    this.dir.cleanOne().then((cleaned) => done = cleaned, (error: unknown) => failure = error);
    const crashes = random.chance(this.options.crashPercent);
    const from = this.note(`clean up to ${cleanable.firstUncleanableOffset}`);
    for (let step = 0; done === null && failure === null; step++) {
      expect(step < 10_000, "a cleaning does not end");
      if (crashes && random.chance(8)) return this.crash();
      if (!clock.step(clock.monotonicMs() + 100)) clock.advance(1);
      if (random.chance(5)) this.append();
      if (random.chance(2)) this.check();
    }
    if (failure !== null) throw failure;
    if (done === true) this.swaps++;
    this.note(`cleaned ${String(done)}, ${this.trace.length - from} notes`);
    this.check();
  }

  private addProducer(): void {
    this.producers.push({ id: this.nextProducerId++, nextSequence: 0, open: null, sent: [] });
  }

  // -------------------------------------------------------------------------------------------

  /** Reads everything as a consumer of what is committed does. */
  private check(): void {
    const { log, model, options } = this;
    const end = log.logEndOffset;
    const stable = Math.min(end, log.firstUnstableOffset(end) ?? end);
    const seen: SeenRecord[] = [];
    let offset = log.logStartOffset;
    while (offset < stable) {
      const maxBytes = this.random.pick([1, 5000, 50_000]);

      const result = this.clock.run(log.read(offset, maxBytes, stable, true));
      if (!result.ok) throw new Violation(`cannot read at ${offset}: ${errorName(result.error)}`);
      if (result.records.length === 0) break;
      expect(result.nextOffset > offset, `a read at ${offset} does not go on`);
      const aborted = log.abortedTransactions(offset, result.nextOffset);
      seen.push(...committedOf(result.records, offset, aborted));
      offset = result.nextOffset;
    }
    const nowMs = this.clock.wallMs();
    const problem = model.judge(seen, offset, nowMs, options.log.deleteRetentionMs);
    expect(problem === null, problem ?? "");
    expect(offset >= stable, `reading stopped at ${offset}, before ${stable}`);
  }

  private note(what: string): number {
    return this.trace.push(`${this.clock.monotonicMs().toFixed(2)} ${what}`);
  }
}

/** What Kafka's consumer makes of one fetch with read_committed (`CompletedFetch`). */
function committedOf(
  bytes: Uint8Array,
  fetchOffset: number,
  aborted: readonly { readonly producerId: number; readonly firstOffset: number }[],
): SeenRecord[] {
  const ahead = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  const skipped = new Set<number>();
  const seen: SeenRecord[] = [];
  forEachBatch(bytes, (at) => {
    while (ahead.length > 0 && ahead[0]!.firstOffset <= lastOffset(bytes, at)) {
      skipped.add(ahead.shift()!.producerId);
    }
    const id = producerId(bytes, at);
    if (isControl(bytes, at)) {
      const isMarker = recordsCount(bytes, at) > 0;
      if (isMarker && readControlRecord(bytes, at).type === "abort") skipped.delete(id);
      return;
    }
    if (isTransactional(bytes, at) && skipped.has(id)) return;
    for (const { offset, key, value, timestamp } of readRecords(bytes, at, bunCodecs)) {
      if (offset < fetchOffset) continue;
      seen.push({
        offset,
        key: decoder.decode(key ?? undefined),
        value: value === null ? null : decoder.decode(value),
        timestampMs: timestamp,
      });
    }
  });
  return seen;
}
