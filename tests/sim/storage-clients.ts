/** What clients and operators do to the logs, each with what has to come of it. */
import { errorName, Errors } from "../../core/errors.ts";
import { DiskError } from "../../core/io.ts";
import { BatchBuilder } from "../../core/records/batch-builder.ts";
import type { StorageChecks } from "./storage-checks.ts";
import type { ModelBatch, ModelProducer } from "./storage-model.ts";
import type { StorageWorld } from "./storage-world.ts";
import { expect } from "./violation.ts";

/** See the head of this file. */
export class StorageClients {
  constructor(private readonly world: StorageWorld, private readonly checks: StorageChecks) {}

  /** Appends a batch, of a producer or of nobody. */
  append(partition: number): void {
    const model = this.world.models[partition]!;
    const producer = model.producers.length > 0 && this.world.random.chance(70)
      ? this.world.random.pick(model.producers)
      : null;
    const sequence = producer?.nextSequence ?? -1;
    const { sent, timestamps } = this.makeBatch(producer, sequence);
    const log = this.world.log(partition);
    const bytes = sent.slice();
    const result = log.append(bytes, { leaderEpoch: model.leaderEpoch, origin: "client" });
    if (!result.ok) {
      this.world.note(`append ${log.name} ${errorName(result.error)}`);
      if (result.error === Errors.RECORD_LIST_TOO_LARGE) {
        return expect(
          sent.length > this.world.options.segmentBytes,
          "a batch that fits was refused",
        );
      }
      const { faults } = this.world.disk;
      const mayFail = this.world.dir.failure !== null || faults.maxBytes < Infinity ||
        faults.failingWritePercent > 0;
      return expect(
        mayFail && result.error === Errors.KAFKA_STORAGE_ERROR,
        `${log.name}: append refused: ${errorName(result.error)} ${result.message}`,
      );
    }
    this.world.note(
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
      timestamps: this.world.options.appendTime
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
    for (let left = this.world.random.between(1, this.world.options.recordsMax); left > 0; left--) {
      const timestamp = this.world.clock.wallMs() - this.world.random.below(200);
      timestamps.push(timestamp);
      builder.append(
        timestamp,
        null,
        this.world.random.bytes(this.world.random.below(this.world.options.valueBytesMax)),
        [],
      );
    }
    return { sent: builder.build(), timestamps };
  }

  /** Sends one of a producer's latest batches again. */
  resend(partition: number): void {
    const model = this.world.models[partition]!;
    if (model.producers.length === 0) return;
    const producer = this.world.random.pick(model.producers);
    const recent = model.recent(producer);
    if (recent.length === 0) return;
    const batch = this.world.random.pick(recent);
    const log = this.world.log(partition);
    const result = log.append(batch.sent.slice(), { leaderEpoch: 99, origin: "client" });
    if (!result.ok && result.error === Errors.KAFKA_STORAGE_ERROR) return;
    this.world.note(`resend ${log.name} ${batch.baseOffset}`);
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

  /** Sends a batch that is not next in sequence, or of an old epoch. */
  sendWrongSequence(partition: number): void {
    const model = this.world.models[partition]!;
    if (model.producers.length === 0) return;
    const producer = this.world.random.pick(model.producers);
    const isKnown = model.batches.some((batch) =>
      batch.producer === producer && batch.producerEpoch === producer.epoch && !batch.damaged
    );
    if (!isKnown) return;
    const usesOldEpoch = producer.epoch > 0 && this.world.random.chance(50);
    const sender = usesOldEpoch ? { ...producer, epoch: producer.epoch - 1 } : producer;
    const sequence = producer.nextSequence + this.world.random.between(1, 9);
    const { sent } = this.makeBatch(sender, sequence);
    const result = this.world.log(partition).append(sent, { leaderEpoch: 99, origin: "client" });
    if (!result.ok && result.error === Errors.KAFKA_STORAGE_ERROR) return;
    const expected = usesOldEpoch
      ? Errors.INVALID_PRODUCER_EPOCH
      : Errors.OUT_OF_ORDER_SEQUENCE_NUMBER;
    expect(
      !result.ok && result.error === expected,
      `a wrong sequence or epoch was answered with ${JSON.stringify(result)}`,
    );
  }

  /** Waits until everything is durable. */
  flush(partition: number): void {
    const log = this.world.log(partition);
    this.world.clock.run(log.flush());
    if (this.world.dir.failure !== null) return;
    for (const batch of this.world.models[partition]!.batches) batch.safe = true;
  }

  /** Runs retention. */
  maintain(): void {
    const before = this.world.models.map((_, partition) => this.world.log(partition).sizeBytes);
    this.world.clock.run(this.world.dir.maintain());
    this.world.models.forEach((model, partition) => {
      const log = this.world.log(partition);
      const { retentionBytes, retentionMs } = this.world.options;
      if (log.logStartOffset > model.startOffset) {
        this.world.note(`retention ${log.name} start=${log.logStartOffset}`);
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
        this.world.dir.failure !== null || log.logStartOffset <= log.durableEndOffset ||
          model.former !== null,
        `${log.name}: retention took what is not durable`,
      );
      model.startOffset = log.logStartOffset;
    });
  }

  /** Deletes records below some offset. */
  deleteRecords(partition: number): void {
    const model = this.world.models[partition]!;
    const log = this.world.log(partition);
    const offset = this.world.random.between(
      model.startOffset,
      Math.max(model.startOffset, log.durableEndOffset),
    );
    const error = log.deleteRecordsBefore(offset);
    this.world.note(`deleteRecords ${log.name} ${offset} ${errorName(error)}`);
    if (error === Errors.NONE || log.logStartOffset > model.startOffset) {
      expect(
        log.logStartOffset === Math.max(offset, model.startOffset) ||
          this.world.options.retentionBytes >= 0 || this.world.options.retentionMs >= 0,
        `${log.name}: starts at ${log.logStartOffset} after deleting before ${offset}`,
      );
      model.startOffset = log.logStartOffset;
    }
  }

  /**
   * Cuts off one of the last batches and what follows, as a follower does. False if the directory has
   * failed over it, so that either may be on the disk.
   */
  truncate(partition: number): boolean {
    const model = this.world.models[partition]!;
    const log = this.world.log(partition);
    if (this.world.dir.failure !== null) return true;
    // A sync that fails is the failure of the directory, whatever it is for.
    this.world.disk.faults.failingSyncPercent = 0;
    const candidates = model.batches.filter((batch) => batch.lastOffset >= model.startOffset);
    if (candidates.length === 0) return true;
    const batch = this.world.random.pick(candidates.slice(-8));
    const offset = Math.max(batch.baseOffset, model.startOffset);
    const first = startOfDamage(model.batches, batch);
    try {
      this.world.clock.run(log.truncateTo(offset));
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.world.note(`truncate ${log.name} ${offset} ${error.message}`);
      if (this.world.dir.failure === null) return true;
      for (const each of model.batches) if (each.lastOffset >= first) each.safe = false;
      return false;
    }
    this.world.note(`truncate ${log.name} ${offset} to ${log.logEndOffset}`);
    const isWhere = log.logEndOffset >= first && log.logEndOffset <= batch.baseOffset;
    expect(isWhere, `${log.name}: cut at ${log.logEndOffset}`);
    const gone = new Set(model.cut(log.logEndOffset));
    model.startOffset = Math.min(model.startOffset, model.endOffset);
    expect(
      log.logStartOffset === model.startOffset,
      `${log.name}: starts at ${log.logStartOffset}`,
    );
    model.restartProducers(gone, false);
    this.world.disk.faults.failingSyncPercent = this.world.options.failingSyncPercent;
    this.checks.checkLog(partition);
    return true;
  }

  /** Begins the log anew beyond its end, as a follower does whose leader has nothing of it. */
  restart(partition: number): void {
    const { dir, disk, random, options } = this.world;
    if (dir.failure !== null || disk.faults.maxBytes < Infinity) return;
    this.world.stopFailures();
    const model = this.world.models[partition]!;
    // Beyond all that it ever had, so that the end tells which of them has survived.
    const offset = Math.max(model.endOffset, model.former?.endOffset ?? 0) + random.between(1, 50);
    const log = dir.restart(this.world.log(partition), offset);
    this.world.note(`restart ${log.name} at ${offset}`);
    model.restartAt(offset);
    if (random.chance(50)) {
      this.world.clock.run(log.flush());
      expect(log.durableEndOffset === offset, `${log.name}: durable to ${log.durableEndOffset}`);
      model.former = null;
    }
    disk.faults.failingSyncPercent = options.failingSyncPercent;
  }

  /** Deletes the topic and makes one of the same name. */
  recreate(partition: number): void {
    if (this.world.dir.failure !== null || this.world.disk.faults.maxBytes < Infinity) return;
    const log = this.world.log(partition);
    this.world.note(`delete ${log.name}`);
    this.world.clock.run(this.world.dir.delete(log));
    this.world.models[partition] = this.world.freshModel();
    this.world.log(partition);
  }
}

/** Where the damage begins that the batch is a part of; its own start if it is none. */
function startOfDamage(batches: readonly ModelBatch[], batch: ModelBatch): number {
  let index = batches.indexOf(batch);
  if (!batch.damaged) return batch.baseOffset;
  while (index > 0 && batches[index - 1]!.damaged) index--;
  return batches[index]!.baseOffset;
}
