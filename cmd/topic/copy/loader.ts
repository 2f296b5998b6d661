/**
 * Writes batches of a source into a topic that has nothing else. Each partition gets the source's
 * records in their order, so the end of a partition tells how many are there: a load that was
 * interrupted goes on behind those. Partitions are written side by side.
 */
import { bunCodecs } from "../../../core/compression/bun.ts";
import { baseOffset, forEachBatch, lastOffset } from "../../../core/records/batch-header.ts";
import { copyBatch, recordsFrom } from "../../../core/records/copy-batch.ts";
import { RecordCursor } from "../../../core/records/record-cursor.ts";
import type { RecordView } from "../../../core/records/record-cursor.ts";
import { assert } from "../../../core/assert.ts";
import { OperatorError } from "../../../core/operator-error.ts";
import type { Admin } from "../../../client/admin.ts";
import { BATCHES_IN_FLIGHT, BatchWriter } from "../../../client/batch-writer.ts";
import type { MakeBatch } from "../../../client/batch-writer.ts";
import type { AdminOptions } from "../../admin-command.ts";
import { count as counted } from "../../output.ts";
import type { DumpHeader } from "./dump-file.ts";
import { OffsetMap } from "./offset-map.ts";
import { readBounds, readTopic } from "./source.ts";

/** What may be read and not yet written. */
const PENDING_BYTES_MAX = 32 * 1024 * 1024;

interface Target {
  readonly partition: number;
  /** Records of the source below it are not wanted. */
  readonly fromOffset: number;
  /** Records that were there before. */
  readonly present: number;
  /** The first record that is still there, at most `present`. */
  readonly start: number;
  /** Records of the source that were passed or written. */
  taken: number;
  /** Taken, and not written yet. */
  pendingBytes: number;
  writing: Promise<void>;
  readonly offsets: OffsetMap;
}

/** See the head of the file. */
export class TopicLoader {
  #pendingBytes = 0;
  #failure: { readonly error: unknown } | null = null;

  private constructor(
    readonly name: string,
    readonly writer: BatchWriter,
    readonly targets: ReadonlyMap<number, Target>,
    readonly options: AdminOptions,
    readonly signal: AbortSignal,
  ) {}

  /** For a topic that is there. `header` is the source's; groups' places in it are followed. */
  static async open(
    admin: Admin,
    name: string,
    header: DumpHeader,
    options: AdminOptions,
    signal: AbortSignal,
  ): Promise<TopicLoader> {
    const bounds = await readBounds(admin, name, header.partitions.length);
    const targets = new Map(
      header.partitions.map(({ partition, startOffset }): [number, Target] => {
        const { startOffset: start, endOffset: present } = bounds[partition]!;
        const wanted = header.groups.flatMap(({ offsets }) =>
          offsets.filter((each) => each.partition === partition).map(({ offset }) => offset)
        );
        const offsets = new OffsetMap(wanted);
        return [partition, {
          partition,
          fromOffset: startOffset,
          present,
          start,
          taken: 0,
          pendingBytes: 0,
          writing: Promise.resolve(),
          offsets,
        }];
      }),
    );
    const writer = await BatchWriter.open(admin.cluster, name, { signal });
    return new TopicLoader(name, writer, targets, options, signal);
  }

  /** Records that were there before this run. */
  get present(): number {
    return [...this.targets.values()].reduce((sum, { present }) => sum + present, 0);
  }

  /** Throws `OperatorError` if the topic has more records in a partition than the source. */
  checkNoMore(partition: number, records: number): void {
    const target = this.targets.get(partition);
    if (target !== undefined && target.present > records) {
      throw this.#foreign(target, `it has ${counted(target.present - records, "record")} more`);
    }
  }

  /** Takes batches of a partition, which must not change until `finish`; waits for room. */
  async take(partition: number, bytes: Uint8Array): Promise<void> {
    const target = this.targets.get(partition);
    assert(target !== undefined, "the source has no other partitions than it said");
    const makers: MakeBatch[] = [];
    const positions: number[] = [];
    forEachBatch(bytes, (position) => {
      positions.push(position);
    });
    for (const position of positions) {
      const maker = await this.#batch(target, bytes, position);
      if (maker !== null) makers.push(maker);
    }
    if (makers.length === 0) return;
    this.#pendingBytes += bytes.length;
    target.pendingBytes += bytes.length;
    target.writing = target.writing.then(() => this.#write(target, makers, bytes.length));
    while (this.#pendingBytes > PENDING_BYTES_MAX) {
      await Promise.race(
        [...this.targets.values()].filter((each) => each.pendingBytes > 0).map(({ writing }) =>
          writing
        ),
      );
    }
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** Waits until all is written. Throws `OperatorError` if the topic has more than the source. */
  async finish(): Promise<void> {
    await Promise.all([...this.targets.values()].map(({ writing }) => writing));
    if (this.#failure !== null) throw this.#failure.error;
    for (const { partition, taken } of this.targets.values()) this.checkNoMore(partition, taken);
  }

  /** Where a place in the source is in the topic, once all is taken. */
  offsetOf(partition: number, offset: number): number {
    const target = this.targets.get(partition);
    return target === undefined ? 0 : target.offsets.get(offset) ?? target.taken;
  }

  /** Null for a batch that is there already. */
  async #batch(target: Target, bytes: Uint8Array, position: number): Promise<MakeBatch | null> {
    const { fromOffset } = target;
    const count = recordsFrom(bytes, position, fromOffset, bunCodecs);
    if (count === 0) return null;
    if (target.offsets.wants(lastOffset(bytes, position))) {
      for (const wanted of target.offsets.upTo(lastOffset(bytes, position))) {
        const before = wanted <= baseOffset(bytes, position)
          ? 0
          : count - recordsFrom(bytes, position, Math.max(wanted, fromOffset), bunCodecs);
        target.offsets.set(wanted, target.taken + before);
      }
    }
    target.taken += count;
    if (target.taken > target.present) {
      if (target.taken - count < target.present) {
        throw this.#foreign(target, "its records are other ones");
      }
      return (producer) => {
        const copy = copyBatch(bytes, position, fromOffset, producer, bunCodecs);
        assert(copy !== null, "a batch with records has a copy");
        return copy;
      };
    }
    if (target.taken === target.present) await this.#compareLast(target, bytes, position);
    return null;
  }

  async #write(target: Target, makers: readonly MakeBatch[], sizeBytes: number): Promise<void> {
    const { partition } = target;
    try {
      for (let from = 0; from < makers.length; from += BATCHES_IN_FLIGHT) {
        if (this.#failure !== null) return;
        this.signal.throwIfAborted();
        const some = makers.slice(from, from + BATCHES_IN_FLIGHT);
        await this.writer.write(partition, some, { signal: this.signal });
      }
    } catch (error) {
      this.#failure ??= { error };
    } finally {
      target.pendingBytes -= sizeBytes;
      this.#pendingBytes -= sizeBytes;
    }
  }

  /** What an earlier run wrote last must be what the source has there. */
  async #compareLast(target: Target, bytes: Uint8Array, position: number): Promise<void> {
    if (target.start === target.present) return;
    const ours = lastRecord(bytes, position);
    const { partition, present } = target;
    const range = { partition, startOffset: present - 1, endOffset: present };
    for await (const chunk of readTopic(this.name, [range], this.options, this.signal)) {
      let theirs: RecordView | null = null;
      for (const run of chunk.batches) {
        forEachBatch(run, (at) => {
          theirs = lastRecord(run, at);
        });
      }
      // Compaction may have taken it.
      if (theirs !== null && !isSame(ours, theirs, present - 1)) {
        throw this.#foreign(target, `another record is at offset ${present - 1}`);
      }
    }
  }

  #foreign({ partition }: Target, why: string): OperatorError {
    const what = `topic "${this.name}" is no beginning of this copy`;
    const where = `in partition ${partition}, ${why}`;
    return new OperatorError(what, where, "choose another name, or delete it");
  }
}

function lastRecord(bytes: Uint8Array, position: number): RecordView | null {
  const cursor = new RecordCursor(bytes, position, bunCodecs);
  let last: RecordView | null = null;
  while (cursor.next()) if (cursor.remaining === 0) last = cursor.record();
  return last;
}

function isSame(ours: RecordView | null, theirs: RecordView, offset: number): boolean {
  if (theirs.offset !== offset) return true;
  return ours !== null && isEqual(ours.key, theirs.key) && isEqual(ours.value, theirs.value);
}

function isEqual(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : Buffer.from(a).equals(b);
}
