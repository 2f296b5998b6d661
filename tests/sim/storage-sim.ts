/**
 * The log engine on a virtual clock and a faulty disk, driven by one seed and held against a model.
 * What must hold:
 *
 * - what was acknowledged under `fsync` survives a power cut, in order and once; a kill loses nothing
 * - offsets are dense, and reads give back the model's bytes
 * - a retry of one of a producer's last five batches is a duplicate with its first offsets, also
 *   after a restart; anything else has to be next in sequence
 * - a flipped bit costs at most its own batch, and reads past it work
 * - a full disk refuses appends and nothing else, and takes them again when there is room
 * - after a failed sync nothing is acknowledged any more
 */
import { inlineOffload } from "../../core/io/inline-offload.ts";
import type { Chunk } from "../../core/io.ts";
import { errorName, Errors } from "../../core/errors.ts";
import { type Logger, silentLogger } from "../../core/logger.ts";
import { BatchBuilder } from "../../core/records/batch-builder.ts";
import { baseOffset, batchSizeBytes, lastOffset } from "../../core/records/batch-header.ts";
import { DataDir } from "../../storage/data-dir.ts";
import { DEFAULT_LOG_CONFIG, type LogConfig } from "../../storage/log-config.ts";
import type { PartitionLog, ReadResult } from "../../storage/partition-log.ts";
import { FaultyDisk, type LossMode } from "./faulty-disk.ts";
import { SimClock } from "./sim-clock.ts";
import { drawOptions, type Happening, type SimOptions } from "./sim-options.ts";
import { SimRandom } from "./sim-random.ts";
import { type ModelBatch, ModelLog, type ModelProducer } from "./storage-model.ts";

/** The engine did something wrong. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** The engine did not get done what it has to when all is well again. */
export class LivenessError extends Error {
  override readonly name = "LivenessError";
}

const DATA = "/data";
const HEADER_BYTES = 61;
const NEVER_MS = 1e12;
/** Bytes 12 to 15 of a batch, the leader epoch, are under no checksum in Kafka's format. */
const BASE_OFFSET_BYTES = 8;
const UNCHECKED = { from: 12, to: 16 };

/** One run; see the head of this file. */
/** What a socket would send of the chunk. */
function bytesOf(chunk: Chunk): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  const { file, release } = chunk.open();
  const bytes = new Uint8Array(chunk.length);
  file.readSync(bytes, chunk.position);
  release();
  return bytes;
}

export class StorageSim {
  readonly options: SimOptions;
  readonly random: SimRandom;
  private readonly clock = new SimClock(1_700_000_000_000);
  private readonly disk: FaultyDisk;
  private readonly models: ModelLog[];
  private dir: DataDir | null = null;
  private nextTopicId = 0;
  private nextProducerId = 1;
  /** Everything that happened, for people who look at a failing seed. */
  readonly trace: string[] = [];

  constructor(readonly seed: number, private readonly logger: Logger = silentLogger) {
    this.random = new SimRandom(seed);
    this.options = drawOptions(this.random);
    this.disk = new FaultyDisk(this.clock, this.random);
    this.disk.faults.maxLatencyMs = this.options.maxLatencyMs;
    this.models = Array.from({ length: this.options.partitions }, () => this.freshModel());
  }

  /** Throws a `Violation` or a `LivenessError`; anything else that it throws is a crash. */
  run(): void {
    this.start(true);
    for (let step = 0; step < this.options.steps; step++) {
      this.happen(this.draw());
      this.observe();
    }
    this.heal();
  }

  private draw(): Happening {
    const entries = Object.entries(this.options.weights) as [Happening, number][];
    let at = this.random.below(entries.reduce((sum, [, weight]) => sum + weight, 0));
    for (const [name, weight] of entries) {
      at -= weight;
      if (at < 0) return name;
    }
    return "append";
  }

  private happen(what: Happening): void {
    const partition = this.random.below(this.models.length);
    const model = this.models[partition]!;
    switch (what) {
      case "append":
        for (let left = this.random.between(1, 4); left > 0; left--) this.append(partition);
        return;
      case "resend":
        return this.resend(partition);
      case "wrongSequence":
        return this.sendWrongSequence(partition);
      case "bumpEpoch":
        if (model.producers.length > 0) this.bumpEpoch(this.random.pick(model.producers));
        return;
      case "bumpLeaderEpoch":
        model.leaderEpoch += this.random.between(1, 3);
        return;
      case "wait":
        return this.clock.advance(this.random.pick([0.1, 2, 30, 500]));
      case "flush":
        return this.flush(partition);
      case "read":
        return this.readSome(partition);
      case "lookup":
        return this.lookUp(partition);
      case "maintain":
        return this.maintain();
      case "deleteRecords":
        return this.deleteRecords(partition);
      case "truncate":
        return this.truncate(partition);
      case "recreate":
        return this.recreate(partition);
      case "fillDisk":
        return this.fillDisk();
      case "failWrites":
        this.disk.faults.failingWritePercent = this.random.chance(50) ? 20 : 0;
        return;
      case "cleanRestart":
        return this.cleanRestart();
      case "kill":
        return this.crash(false);
      case "powerCut":
        return this.crash(true);
    }
  }

  // -------------------------------------------------------------------------------------------
  // Life and death

  private start(wasClean: boolean): void {
    this.disk.faults.failingSyncPercent = 0;
    this.disk.faults.failingWritePercent = 0;
    this.disk.faults.maxBytes = Infinity;
    const io = {
      clock: this.clock,
      random: this.random,
      disk: this.disk,
      offload: inlineOffload(),
    };
    const config = this.config();
    this.dir = this.clock.run(DataDir.open(io, this.logger, {
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
    this.note(`open clean=${wasClean}`);
    this.disk.faults.failingSyncPercent = this.options.failingSyncPercent;
  }

  private cleanRestart(): void {
    if (this.dir!.failure !== null) return;
    const free = this.disk.faults.maxBytes === Infinity;
    this.disk.faults.failingSyncPercent = 0;
    this.disk.faults.failingWritePercent = 0;
    this.clock.run(this.dir!.close());
    if (this.dir!.failure !== null || this.disk.hasLostPages) return this.crash(true);
    this.clock.dropTimers();
    for (const model of this.models) {
      if (free) { for (const batch of model.batches) batch.safe = true; }
    }
    this.checkSurvivors("clean restart", () => true);
  }

  private crash(cutsPower: boolean): void {
    this.clock.dropTimers();
    // Linux forgets the pages of a failed sync: only a power cut shows what the device has.
    const failed = this.dir!.failure !== null || this.disk.hasLostPages;
    if (!cutsPower && !failed) {
      this.disk.killProcess();
      this.note("kill");
      return this.checkSurvivors("kill", () => true);
    }
    const mode = this.random.pick(this.options.lossModes);
    this.disk.cutPower(mode);
    const flipped = this.options.flipsMax === 0 ? new Set<ModelBatch>() : this.flipBits(mode);
    for (const batch of flipped) batch.wasHit = true;
    this.note(`power cut, loss=${mode} flipped=${[...flipped].map((b) => b.baseOffset).join()}`);
    this.checkSurvivors("power cut", (batch) => batch.safe);
  }

  /** Opens again, and compares what is there with what has to be there. */
  private checkSurvivors(after: string, mustSurvive: (batch: ModelBatch) => boolean): void {
    const intact = this.models.map((model) =>
      new Set(model.batches.filter((b) => this.isOnDisk(b)))
    );
    this.start(after === "clean restart");
    this.models.forEach((model, partition) => {
      const log = this.log(partition);
      const where = `${log.name} after ${after}`;
      expect(
        log.logEndOffset <= model.endOffset,
        `${where}: end ${log.logEndOffset} is beyond ` +
          `${model.endOffset}`,
      );
      expect(
        log.logStartOffset <= model.startOffset,
        `${where}: start ${log.logStartOffset} has ` +
          `moved beyond ${model.startOffset}`,
      );
      expect(log.durableEndOffset === log.logEndOffset, `${where}: the end is not durable`);
      const wasSafe = model.batches.filter((batch) =>
        !batch.damaged && !batch.wasHit && mustSurvive(batch)
      );
      const gone = new Set(model.cut(log.logEndOffset));
      expect(
        model.batches.at(-1) === undefined || model.endOffset >= model.batches.at(-1)!.lastOffset,
        `${where}: the log ends inside a batch`,
      );
      // A start that has come back from before a deletion shows old batches again: no harm.
      model.hasComeBack ||= log.logStartOffset < model.startOffset;
      model.startOffset = log.logStartOffset;
      for (const batch of model.batches) {
        if (batch.lastOffset < log.logStartOffset) continue;
        const offset = Math.max(batch.baseOffset, log.logStartOffset);
        const result = this.read(log, offset, 1, true);
        batch.damaged = !result.ok;
        if (result.ok) this.compare(where, batch, result, batch.baseOffset);
        if (!result.ok) {
          expect(
            result.error === Errors.CORRUPT_MESSAGE,
            `${where}: ${errorName(result.error)} ` +
              `at ${batch.baseOffset}`,
          );
          expect(
            !intact[partition]!.has(batch),
            `${where}: the good batch at ` +
              `${batch.baseOffset} cannot be read`,
          );
        }
      }
      for (const batch of wasSafe) {
        if (batch.lastOffset < log.logStartOffset) continue;
        const isLost = gone.has(batch) || batch.damaged;
        expect(!isLost, `${where}: the acknowledged batch at ${batch.baseOffset} is lost`);
      }
      this.restartProducers(model, gone, after === "power cut" && this.options.durability === "os");
      for (const batch of model.batches) batch.safe = !batch.damaged;
    });
    this.checkAll();
  }

  private restartProducers(model: ModelLog, gone: Set<ModelBatch>, anew: boolean): void {
    for (const producer of model.producers) {
      const own = model.batches.filter((batch) => batch.producer === producer);
      if (anew || own.some((batch) => batch.damaged)) {
        this.bumpEpoch(producer);
        continue;
      }
      const last = own.filter((batch) => batch.producerEpoch === producer.epoch).at(-1);
      const lost = [...gone].some((batch) => batch.producer === producer);
      if (last !== undefined) producer.nextSequence = last.baseSequence + last.timestamps.length;
      else if (lost) producer.nextSequence = 0;
    }
  }

  private heal(): void {
    this.disk.faults.failingSyncPercent = 0;
    this.disk.faults.failingWritePercent = 0;
    this.disk.faults.maxBytes = Infinity;
    // What was under way may still fail.
    this.clock.advance(1000);
    for (let left = 5; left > 0 && this.dir!.failure !== null; left--) {
      this.crash(true);
      this.disk.faults.failingSyncPercent = 0;
    }
    for (let partition = 0; partition < this.models.length; partition++) {
      const model = this.models[partition]!;
      const before = model.endOffset;
      for (let left = 100; left > 0 && model.endOffset === before; left--) this.append(partition);
      if (model.endOffset === before) throw new LivenessError(`nothing can be appended`);
      const log = this.log(partition);
      this.clock.advance(60_000);
      if (log.durableEndOffset < model.endOffset) {
        throw new LivenessError(`${log.name}: ${model.endOffset} is not durable after a minute`);
      }
    }
    this.observe();
    this.checkAll();
  }

  // -------------------------------------------------------------------------------------------
  // What clients do

  private append(partition: number): void {
    const model = this.models[partition]!;
    const producer = model.producers.length > 0 && this.random.chance(70)
      ? this.random.pick(model.producers)
      : null;
    const sequence = producer?.nextSequence ?? -1;
    const { sent, timestamps } = this.makeBatch(producer, sequence);
    const log = this.log(partition);
    const bytes = sent.slice();
    const result = log.append(bytes, { leaderEpoch: model.leaderEpoch, origin: "client" });
    if (!result.ok) {
      this.note(`append ${log.name} ${errorName(result.error)}`);
      if (result.error === Errors.RECORD_LIST_TOO_LARGE) {
        return expect(sent.length > this.options.segmentBytes, "a batch that fits was refused");
      }
      const { faults } = this.disk;
      const mayFail = this.dir!.failure !== null || faults.maxBytes < Infinity ||
        faults.failingWritePercent > 0;
      return expect(
        mayFail && result.error === Errors.KAFKA_STORAGE_ERROR,
        `${log.name}: append refused: ${errorName(result.error)} ${result.message}`,
      );
    }
    this.note(
      `append ${log.name} ${result.baseOffset}-${result.lastOffset} p=${producer?.id} ` +
        `s=${sequence}`,
    );
    expect(!result.duplicate, `${log.name}: a new batch was taken for a duplicate`);
    expect(
      result.baseOffset === model.endOffset,
      `${log.name}: offset ${result.baseOffset} was ` +
        `given where ${model.endOffset} is next`,
    );
    expect(result.lastOffset === result.baseOffset + timestamps.length - 1, "wrong last offset");
    model.push({
      baseOffset: result.baseOffset,
      lastOffset: result.lastOffset,
      bytes: bytes.slice(),
      sent,
      timestamps: this.options.appendTime
        ? timestamps.map(() => result.logAppendTimeMs)
        : timestamps,
      leaderEpoch: model.leaderEpoch,
      producer,
      producerEpoch: producer?.epoch ?? -1,
      baseSequence: sequence,
      safe: false,
      damaged: false,
      wasHit: false,
    });
    if (producer !== null) producer.nextSequence += timestamps.length;
  }

  private makeBatch(
    producer: ModelProducer | null,
    baseSequence: number,
  ): { sent: Uint8Array; timestamps: number[] } {
    const builder = new BatchBuilder(
      producer === null
        ? {}
        : { producerId: producer.id, producerEpoch: producer.epoch, baseSequence },
    );
    const timestamps: number[] = [];
    for (let left = this.random.between(1, this.options.recordsMax); left > 0; left--) {
      const timestamp = this.clock.wallMs() - this.random.below(200);
      timestamps.push(timestamp);
      builder.append(
        timestamp,
        null,
        this.random.bytes(this.random.below(this.options.valueBytesMax)),
        [],
      );
    }
    return { sent: builder.build(), timestamps };
  }

  private resend(partition: number): void {
    const model = this.models[partition]!;
    if (model.producers.length === 0) return;
    const producer = this.random.pick(model.producers);
    const recent = model.recent(producer);
    if (recent.length === 0) return;
    const batch = this.random.pick(recent);
    const log = this.log(partition);
    const result = log.append(batch.sent.slice(), { leaderEpoch: 99, origin: "client" });
    if (!result.ok && result.error === Errors.KAFKA_STORAGE_ERROR) return;
    this.note(`resend ${log.name} ${batch.baseOffset}`);
    expect(
      result.ok && result.duplicate,
      `${log.name}: the retry of ${batch.baseOffset} was not ` +
        `recognised: ${JSON.stringify(result)}`,
    );
    expect(
      result.ok && result.baseOffset === batch.baseOffset &&
        result.lastOffset === batch.lastOffset,
      `${log.name}: a retry was answered with other offsets`,
    );
  }

  private sendWrongSequence(partition: number): void {
    const model = this.models[partition]!;
    if (model.producers.length === 0) return;
    const producer = this.random.pick(model.producers);
    const isKnown = model.batches.some((batch) =>
      batch.producer === producer && batch.producerEpoch === producer.epoch && !batch.damaged
    );
    if (!isKnown) return;
    const usesOldEpoch = producer.epoch > 0 && this.random.chance(50);
    const sender = usesOldEpoch ? { ...producer, epoch: producer.epoch - 1 } : producer;
    const sequence = producer.nextSequence + this.random.between(1, 9);
    const { sent } = this.makeBatch(sender, sequence);
    const result = this.log(partition).append(sent, { leaderEpoch: 99, origin: "client" });
    if (!result.ok && result.error === Errors.KAFKA_STORAGE_ERROR) return;
    const expected = usesOldEpoch
      ? Errors.INVALID_PRODUCER_EPOCH
      : Errors.OUT_OF_ORDER_SEQUENCE_NUMBER;
    expect(
      !result.ok && result.error === expected,
      `a wrong sequence or epoch was answered with ${JSON.stringify(result)}`,
    );
  }

  private bumpEpoch(producer: ModelProducer): void {
    producer.epoch++;
    producer.nextSequence = 0;
  }

  private flush(partition: number): void {
    const log = this.log(partition);
    this.clock.run(log.flush());
    if (this.dir!.failure !== null) return;
    for (const batch of this.models[partition]!.batches) batch.safe = true;
  }

  private maintain(): void {
    const before = this.models.map((_, partition) => this.log(partition).sizeBytes);
    this.clock.run(this.dir!.maintain());
    this.models.forEach((model, partition) => {
      const log = this.log(partition);
      const { retentionBytes, retentionMs } = this.options;
      if (log.logStartOffset > model.startOffset) {
        this.note(`retention ${log.name} start=${log.logStartOffset}`);
        expect(retentionBytes >= 0 || retentionMs >= 0, `${log.name}: deleted without a reason`);
      }
      if (
        retentionMs < 0 && log.sizeBytes < before[partition]! &&
        log.logStartOffset > model.startOffset
      ) {
        expect(
          log.sizeBytes >= retentionBytes,
          `${log.name}: retention left ${log.sizeBytes} bytes`,
        );
      }
      expect(
        this.dir!.failure !== null || log.logStartOffset <= log.durableEndOffset,
        `${log.name}: retention took what is not durable`,
      );
      model.startOffset = log.logStartOffset;
    });
  }

  private deleteRecords(partition: number): void {
    const model = this.models[partition]!;
    const log = this.log(partition);
    const offset = this.random.between(
      model.startOffset,
      Math.max(model.startOffset, log.durableEndOffset),
    );
    const error = log.deleteRecordsBefore(offset);
    this.note(`deleteRecords ${log.name} ${offset} ${errorName(error)}`);
    if (error === Errors.NONE || log.logStartOffset > model.startOffset) {
      expect(
        log.logStartOffset === Math.max(offset, model.startOffset) ||
          this.options.retentionBytes >= 0 || this.options.retentionMs >= 0,
        `${log.name}: starts at ${log.logStartOffset} after deleting before ${offset}`,
      );
      model.startOffset = log.logStartOffset;
    }
  }

  private truncate(partition: number): void {
    const model = this.models[partition]!;
    const log = this.log(partition);
    if (this.dir!.failure !== null || this.disk.faults.maxBytes < Infinity) return;
    this.disk.faults.failingSyncPercent = 0;
    this.disk.faults.failingWritePercent = 0;
    const candidates = model.batches.filter((batch) => batch.baseOffset >= model.startOffset);
    if (candidates.length === 0 || candidates.some((batch) => batch.damaged)) return;
    const batch = this.random.pick(candidates.slice(-8));
    this.clock.run(log.truncateTo(batch.baseOffset));
    this.note(`truncate ${log.name} ${batch.baseOffset}`);
    const gone = new Set(model.cut(batch.baseOffset));
    expect(log.logEndOffset === batch.baseOffset, `${log.name}: cut at ${log.logEndOffset}`);
    this.restartProducers(model, gone, false);
    this.disk.faults.failingSyncPercent = this.options.failingSyncPercent;
    this.checkLog(partition);
  }

  private recreate(partition: number): void {
    if (this.dir!.failure !== null || this.disk.faults.maxBytes < Infinity) return;
    const log = this.log(partition);
    this.note(`delete ${log.name}`);
    this.clock.run(this.dir!.delete(log));
    this.models[partition] = this.freshModel();
    this.log(partition);
  }

  private fillDisk(): void {
    const isFull = this.disk.faults.maxBytes < Infinity;
    this.disk.faults.maxBytes = isFull ? Infinity : this.disk.usedBytes() + this.random.below(3000);
    this.note(`disk ${isFull ? "has room" : "is full"}`);
  }

  // -------------------------------------------------------------------------------------------
  // What is looked at

  private observe(): void {
    this.models.forEach((model, partition) => {
      const log = this.log(partition);
      expect(
        log.logEndOffset === model.endOffset,
        `${log.name}: ends at ${log.logEndOffset}, not ` +
          `${model.endOffset}`,
      );
      expect(log.durableEndOffset <= model.endOffset, `${log.name}: durable beyond its end`);
      if (this.options.durability !== "fsync") return;
      for (const batch of model.batches) {
        if (batch.lastOffset < log.durableEndOffset) batch.safe = true;
      }
    });
  }

  private checkAll(): void {
    for (let partition = 0; partition < this.models.length; partition++) this.checkLog(partition);
  }

  /** Reads everything there is. */
  private checkLog(partition: number): void {
    const model = this.models[partition]!;
    const log = this.log(partition);
    for (let offset = model.startOffset; offset < model.endOffset;) {
      offset = this.checkRead(partition, log, offset, this.random.pick([1, 300, 5000]), Infinity);
    }
  }

  private readSome(partition: number): void {
    const model = this.models[partition]!;
    const log = this.log(partition);
    const offset = this.random.between(Math.max(0, model.startOffset - 2), model.endOffset + 1);
    if (offset < model.startOffset || offset > model.endOffset) {
      const result = this.read(log, offset, 1000, true);
      return expect(
        !result.ok && result.error === Errors.OFFSET_OUT_OF_RANGE,
        `${log.name}: offset ${offset} outside of the log was read`,
      );
    }
    const end = this.random.chance(50) ? Infinity : this.random.between(offset, model.endOffset);
    this.checkRead(partition, log, offset, this.random.pick([0, 100, 1000, 20_000]), end);
  }

  /** Returns the offset to go on from. */
  private checkRead(
    partition: number,
    log: PartitionLog,
    offset: number,
    maxBytes: number,
    end: number,
  ): number {
    const model = this.models[partition]!;
    const minOneBatch = this.random.chance(80);
    const result = this.read(log, offset, maxBytes, minOneBatch, end);
    const where = `${log.name} at ${offset}`;
    const batch = model.at(offset);
    if (!result.ok) {
      expect(result.error === Errors.CORRUPT_MESSAGE, `${where}: ${errorName(result.error)}`);
      expect(batch === undefined || batch.damaged, `${where}: a good batch cannot be read`);
      return (batch?.lastOffset ?? offset) + 1;
    }
    if (result.records.length === 0) {
      const mayBeEmpty = batch === undefined || batch.lastOffset >= end ||
        (!minOneBatch && batch.bytes.length > maxBytes);
      expect(mayBeEmpty, `${where}: nothing was read`);
      return minOneBatch ? model.endOffset : offset + 1;
    }
    expect(result.records.length <= maxBytes || minOneBatch, `${where}: more than asked for`);
    return this.compareAll(where, model, result, offset, maxBytes, end);
  }

  private compareAll(
    where: string,
    model: ModelLog,
    result: ReadResult & { ok: true },
    offset: number,
    maxBytes: number,
    end: number,
  ): number {
    let next = offset;
    let count = 0;
    for (let at = 0; at < result.records.length; count++) {
      const size = batchSizeBytes(result.records, at);
      const batch = model.at(next);
      expect(batch !== undefined, `${where}: a batch at ${next} that nobody appended`);
      const part = result.records.subarray(at, at + size);
      this.compare(where, batch!, { ok: true, records: part, nextOffset: next }, next);
      next = batch!.lastOffset + 1;
      at += size;
      expect(batch!.lastOffset < end, `${where}: read beyond ${end}`);
      expect(at <= maxBytes || count === 0, `${where}: ${at} bytes where ${maxBytes} were allowed`);
    }
    expect(result.nextOffset === next, `${where}: next offset ${result.nextOffset}, not ${next}`);
    return next;
  }

  private compare(
    where: string,
    batch: ModelBatch,
    result: ReadResult & { ok: true },
    offset: number,
  ): void {
    const { records } = result;
    expect(records.length >= HEADER_BYTES, `${where}: nothing at ${offset}`);
    const same = Buffer.compare(records.subarray(0, batch.bytes.length), batch.bytes) === 0;
    expect(
      same,
      `${where}: other bytes at ${offset}: ${baseOffset(records, 0)}-` +
        `${lastOffset(records, 0)}, not ${batch.baseOffset}-${batch.lastOffset}`,
    );
    expect(!batch.damaged, `${where}: a damaged batch was read`);
  }

  private read(
    log: PartitionLog,
    offset: number,
    maxBytes: number,
    minOneBatch: boolean,
    end = Infinity,
  ): ReadResult {
    const range = [offset, maxBytes, end, minOneBatch] as const;
    if (this.random.chance(30)) return this.clock.run(log.read(...range));
    const located = log.locateCached(...range) ?? this.clock.run(log.locate(...range));
    if (!located.ok) return located;
    return { ...located, records: bytesOf(located.records) };
  }

  private lookUp(partition: number): void {
    const model = this.models[partition]!;
    const log = this.log(partition);
    const epoch = this.random.between(0, model.leaderEpoch + 1);
    const hasDamage = model.batches.some((batch) => batch.damaged);
    if (!hasDamage && !model.hasComeBack && model.startOffset < model.endOffset) {
      const [real, wanted] = [log.epochEndOffset(epoch), model.epochEnd(epoch)];
      expect(
        JSON.stringify(real) === JSON.stringify(wanted),
        `${log.name}: epoch ${epoch} ends at ` +
          `${JSON.stringify(real)}, not ${JSON.stringify(wanted)}`,
      );
    }
    const time = this.clock.wallMs() - this.random.pick([0, 100, 1000, 30_000]);
    const found = this.clock.run(log.offsetForTimestamp(time));
    const first = model.firstAtOrAfter(time);
    expect(
      found?.offset === first?.offset && found?.timestampMs === first?.timestampMs,
      `${log.name}: time ${time} is at ${JSON.stringify(found)}, not ${JSON.stringify(first)}`,
    );
  }

  private isOnDisk(batch: ModelBatch): boolean {
    for (const [path, node] of this.disk.files()) {
      if (path.endsWith(".log") && Buffer.from(node.cache).includes(batch.bytes)) return true;
    }
    return false;
  }

  /** Flips bits in logs and offset indexes; returns the batches that were hit. */
  private flipBits(mode: LossMode): Set<ModelBatch> {
    const hit = new Set<ModelBatch>();
    const files = [...this.disk.files()].filter(([path, node]) =>
      /\.(log|index)$/.test(path) && node.cache.length > 0 && !path.includes("-delete")
    );
    const count = this.random.below(this.options.flipsMax + 1);
    for (let left = count; left > 0 && files.length > 0; left--) {
      const [, node] = this.random.pick(files);
      const at = this.random.below(node.cache.length);
      const owner = this.batchAt(node.cache, at);
      if (owner !== null && owner.within >= UNCHECKED.from && owner.within < UNCHECKED.to) continue;
      // No CRC covers a base offset: what lies around it has to show that it is wrong.
      const isLonely = count === 1 && mode !== "sectors";
      if (owner !== null && owner.within < BASE_OFFSET_BYTES && !isLonely) continue;
      const bytes = node.cache.slice();
      bytes[at] = bytes[at]! ^ (1 << this.random.below(8));
      node.cache = bytes;
      node.durable = bytes;
      if (owner !== null) hit.add(owner.batch);
    }
    return hit;
  }

  private batchAt(bytes: Uint8Array, at: number): { batch: ModelBatch; within: number } | null {
    for (const model of this.models) {
      for (const batch of model.batches) {
        const start = Buffer.from(bytes).indexOf(batch.bytes);
        if (start >= 0 && start <= at && at < start + batch.bytes.length) {
          return { batch, within: at - start };
        }
      }
    }
    return null;
  }

  // -------------------------------------------------------------------------------------------

  private log(partition: number): PartitionLog {
    const { topicId } = this.models[partition]!;
    return this.dir!.getOrCreate({ topic: "t", topicId, partition }, this.config());
  }

  private freshModel(): ModelLog {
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

  private note(what: string): void {
    this.trace.push(`${this.clock.monotonicMs().toFixed(2)} ${what}`);
  }
}

function expect(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Violation(message);
}
