import { Buffer } from "node:buffer";
import { bunCodecs } from "../../core/compression/bun.ts";
import { partitionOfKey } from "../../core/murmur2.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { forEachBatch, isLogAppendTime } from "../../core/records/batch-header.ts";
import { RecordCursor } from "../../core/records/record-cursor.ts";
import { UnknownTopicError } from "../../client/cluster.ts";
import { refusal, withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { missingTopic } from "../client.ts";
import { formatEnvelope } from "../../core/text/envelope.ts";
import type { EnvelopeRecord } from "../../core/text/envelope.ts";
import { print } from "../output.ts";
import { writeStdout } from "../stdout.ts";
import { onInterrupt } from "../terminal.ts";
import type { DumpPartition } from "./copy/dump-file.ts";
import { CountedProgress } from "../progress.ts";
import { readBounds, readTopic } from "./copy/source.ts";
import { findKeyIndex, latestOf } from "./key-index.ts";

/** Options of `topic get`. */
export interface GetOptions extends AdminOptions {
  readonly history?: boolean | undefined;
  readonly allPartitions?: boolean | undefined;
  /** Where the admin API is, if somebody has said so; `off`: nowhere. */
  readonly admin?: string | undefined;
  readonly base64?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** The latest record is looked for from the end, in steps that grow. */
const FIRST_STEP = 20_000;
const STEP_GROWTH = 4;

/** `kstream topic get`. */
export async function getKey(topic: string, key: string, options: GetOptions): Promise<void> {
  const bytes = options.base64 ? bytesOf(key) : Buffer.from(key, "utf8");
  const signal = onInterrupt();
  const records = await withAdmin(options, async (admin) => {
    try {
      const { partitions } = await admin.cluster.topic(topic);
      const chosen = options.allPartitions
        ? partitions.keys().toArray()
        : [partitionOfKey(partitions.length, bytes)];
      const index = await findKeyIndex(admin.cluster.clusterId, options, signal);
      const found = await index?.find({ topic, key: bytes, partitions: chosen, ...options });
      if (found !== undefined && found !== null) return found;
      const bounds = await readBounds(admin, topic, partitions.length);
      const ranges = chosen.map((partition) => bounds[partition]!);
      const search = new KeySearch(topic, bytes, options, signal);
      return options.history ? await search.all(ranges) : await search.latest(ranges);
    } catch (error) {
      if (error instanceof UnknownTopicError) {
        throw await missingTopic(admin.cluster, topic, "see: kstream topic list");
      }
      throw refusal(`cannot look for the key in topic "${topic}"`, error);
    }
  });
  await show(records, options);
  const last = records.at(-1);
  const hint = options.allPartitions
    ? ""
    : "--all-partitions looks where other partitioners put it";
  if (last === undefined) throw new OperatorError(`topic "${topic}" has no such key`, "", hint);
  if (last.value !== null || options.history || options.json) return;
  const where = `by the tombstone at offset ${last.offset} of partition ${last.partition}`;
  throw new OperatorError("the key was deleted", where, "--history shows what was before");
}

/** Finds the records of one key. */
class KeySearch {
  readonly #progress: CountedProgress;

  constructor(
    readonly topic: string,
    readonly key: Uint8Array,
    readonly options: AdminOptions,
    readonly signal: AbortSignal,
  ) {
    this.#progress = new CountedProgress("searched", null);
  }

  /** All, in the order of offsets within partitions. */
  async all(ranges: readonly DumpPartition[]): Promise<EnvelopeRecord[]> {
    const found: EnvelopeRecord[] = [];
    await this.#scan(ranges, (record) => found.push(record));
    this.#progress.end();
    return found.sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset));
  }

  /** The last one, if there is any; of several partitions that with the latest timestamp. */
  async latest(ranges: readonly DumpPartition[]): Promise<EnvelopeRecord[]> {
    const lasts = new Map<number, EnvelopeRecord>();
    let open = ranges.map((range) => ({ ...range }));
    for (let step = FIRST_STEP; open.length > 0; step *= STEP_GROWTH) {
      const steps = open.map(({ partition, startOffset, endOffset }) => ({
        partition,
        startOffset: Math.max(startOffset, endOffset - step),
        endOffset,
      }));
      await this.#scan(steps, (record) => lasts.set(record.partition, record));
      open = open.flatMap((range, i) => {
        const { startOffset: endOffset } = steps[i]!;
        const isDone = lasts.has(range.partition) || endOffset <= range.startOffset;
        return isDone ? [] : [{ ...range, endOffset }];
      });
    }
    this.#progress.end();
    return latestOf(lasts.values());
  }

  async #scan(
    ranges: readonly DumpPartition[],
    found: (record: EnvelopeRecord) => void,
  ): Promise<void> {
    const bounds = new Map(ranges.map((range) => [range.partition, range]));
    for await (const chunk of readTopic(this.topic, ranges, this.options, this.signal)) {
      const range = bounds.get(chunk.partition)!;
      for (const run of chunk.batches) {
        forEachBatch(run, (at) => {
          const cursor = new RecordCursor(run, at, bunCodecs);
          while (cursor.next()) {
            if (this.#isKey(cursor) && within(cursor.offset, range)) {
              found(this.#record(cursor, chunk.partition, isLogAppendTime(run, at)));
            }
          }
        });
      }
      this.#progress.add(chunk.records, chunk.sizeBytes);
    }
  }

  #isKey(cursor: RecordCursor): boolean {
    const { key } = this;
    const { source, keyStart, keyEnd } = cursor;
    if (keyStart < 0 || keyEnd - keyStart !== key.length) return false;
    for (let i = 0; i < key.length; i++) if (source[keyStart + i] !== key[i]) return false;
    return true;
  }

  #record(cursor: RecordCursor, partition: number, isAppendTime: boolean): EnvelopeRecord {
    const copy = (bytes: Uint8Array | null) => bytes === null ? null : bytes.slice();
    return {
      topic: this.topic,
      partition,
      offset: BigInt(cursor.offset),
      timestampMs: cursor.timestamp,
      key: copy(cursor.key()),
      value: copy(cursor.value()),
      headers: cursor.headers().map(([name, value]) => [name, copy(value)] as const),
      isAppendTime,
    };
  }
}

function within(offset: number, { startOffset, endOffset }: DumpPartition): boolean {
  return offset >= startOffset && offset < endOffset;
}

async function show(records: readonly EnvelopeRecord[], options: GetOptions): Promise<void> {
  if (options.json) {
    await print(`[${records.map((record) => formatEnvelope(record)).join(",\n ")}]\n`);
  } else if (options.history) {
    await print(records.map((record) => formatEnvelope(record) + "\n").join(""));
  } else {
    const value = records[0]?.value ?? null;
    if (value !== null) await writeStdout(Buffer.concat([value, Buffer.from("\n")]));
  }
}

function bytesOf(text: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    throw new OperatorError(`"${text}" is no base64`, "", "leave --base64 out for a text", 2);
  }
}
