/** What the logs are asked, and what they have to answer by the model. */
import type { Chunk } from "../../core/io.ts";
import { errorName, Errors } from "../../core/errors.ts";
import { baseOffset, batchSizeBytes, lastOffset } from "../../core/records/batch-header.ts";
import type { PartitionLog, ReadResult } from "../../storage/partition-log.ts";
import type { ModelBatch, ModelLog } from "./storage-model.ts";
import type { StorageWorld } from "./storage-world.ts";
import { expect } from "./violation.ts";

const HEADER_BYTES = 61;

/** See the head of this file. */
export class StorageChecks {
  constructor(private readonly world: StorageWorld) {}

  /** Looks at the ends of all logs: what is acknowledged from now on must stay. */
  observe(): void {
    this.world.models.forEach((model, partition) => {
      const log = this.world.log(partition);
      expect(
        log.logEndOffset === model.endOffset,
        `${log.name}: ends at ${log.logEndOffset}, not ` +
          `${model.endOffset}`,
      );
      expect(log.durableEndOffset <= model.endOffset, `${log.name}: durable beyond its end`);
      if (this.world.options.durability !== "fsync") return;
      for (const batch of model.batches) {
        if (batch.lastOffset < log.durableEndOffset) batch.safe = true;
      }
      if (model.former !== null && log.durableEndOffset >= model.former.at) model.former = null;
    });
  }

  /** Reads all of all logs. */
  checkAll(): void {
    for (let partition = 0; partition < this.world.models.length; partition++) {
      this.checkLog(partition);
    }
  }

  /** Reads everything there is. */
  checkLog(partition: number): void {
    const model = this.world.models[partition]!;
    const log = this.world.log(partition);
    for (let offset = model.startOffset; offset < model.endOffset;) {
      offset = this.checkRead(
        partition,
        log,
        offset,
        this.world.random.pick([1, 300, 5000]),
        Infinity,
      );
    }
  }

  /** Reads from anywhere, also outside of the log. */
  readSome(partition: number): void {
    const model = this.world.models[partition]!;
    const log = this.world.log(partition);
    const offset = this.world.random.between(
      Math.max(0, model.startOffset - 2),
      model.endOffset + 1,
    );
    if (offset < model.startOffset || offset > model.endOffset) {
      const result = this.read(log, offset, 1000, true);
      return expect(
        !result.ok && result.error === Errors.OFFSET_OUT_OF_RANGE,
        `${log.name}: offset ${offset} outside of the log was read`,
      );
    }
    const end = this.world.random.chance(50)
      ? Infinity
      : this.world.random.between(offset, model.endOffset);
    this.checkRead(partition, log, offset, this.world.random.pick([0, 100, 1000, 20_000]), end);
  }

  /** Returns the offset to go on from. */
  private checkRead(
    partition: number,
    log: PartitionLog,
    offset: number,
    maxBytes: number,
    end: number,
  ): number {
    const model = this.world.models[partition]!;
    const minOneBatch = this.world.random.chance(80);
    const result = this.read(log, offset, maxBytes, minOneBatch, end);
    const where = `${log.name} at ${offset}`;
    const batch = model.at(offset);
    if (!result.ok) {
      expect(result.error === Errors.CORRUPT_MESSAGE, `${where}: ${errorName(result.error)}`);
      expect(batch === undefined || batch.damaged, `${where}: a good batch cannot be read`);
      return (batch?.lastOffset ?? offset) + 1;
    }
    if (result.records.length === 0) {
      const mayBeEmpty = offset >= Math.min(end, model.endOffset) ||
        (batch !== undefined && batch.lastOffset >= end) ||
        // What a damaged header says of its size may be too much as well.
        (!minOneBatch && batch !== undefined && (batch.bytes.length > maxBytes || batch.damaged));
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

  /** The batch has to be the first of what was read. */
  compare(
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

  /** Reads in one of the ways there are. */
  read(
    log: PartitionLog,
    offset: number,
    maxBytes: number,
    minOneBatch: boolean,
    end = Infinity,
  ): ReadResult {
    const range = [offset, maxBytes, end, minOneBatch] as const;
    if (this.world.random.chance(30)) return this.world.clock.run(log.read(...range));
    const located = log.locateCached(...range) ?? this.world.clock.run(log.locate(...range));
    if (!located.ok) return located;
    return { ...located, records: bytesOf(located.records) };
  }

  /** Asks for an epoch and for a time. */
  lookUp(partition: number): void {
    const model = this.world.models[partition]!;
    const log = this.world.log(partition);
    const epoch = this.world.random.between(0, model.leaderEpoch + 1);
    const hasDamage = model.batches.some((batch) => batch.damaged);
    if (!hasDamage && !model.hasComeBack && model.startOffset < model.endOffset) {
      const [real, wanted] = [log.epochEndOffset(epoch), model.epochEnd(epoch)];
      expect(
        JSON.stringify(real) === JSON.stringify(wanted),
        `${log.name}: epoch ${epoch} ends at ` +
          `${JSON.stringify(real)}, not ${JSON.stringify(wanted)}`,
      );
    }
    const time = this.world.clock.wallMs() - this.world.random.pick([0, 100, 1000, 30_000]);
    const found = this.world.clock.run(log.offsetForTimestamp(time));
    const first = model.firstAtOrAfter(time);
    expect(
      found?.offset === first?.offset && found?.timestampMs === first?.timestampMs,
      `${log.name}: time ${time} is at ${JSON.stringify(found)}, not ${JSON.stringify(first)}`,
    );
  }
}

/** What a socket would send of the chunk. */
function bytesOf(chunk: Chunk): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  const { file, release } = chunk.open();
  const bytes = new Uint8Array(chunk.length);
  file.readSync(bytes, chunk.position);
  release();
  return bytes;
}
