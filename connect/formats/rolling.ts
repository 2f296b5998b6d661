/**
 * Records of topics into many files, each written once and never changed: what the file and object
 * store sinks have in common. The open files of a partition of a topic are a *generation*: they are
 * closed together, so there is one offset up to which everything is safe. Files are made in a staging
 * folder; what publishes them (a rename, an upload) is the target's.
 */
import { mkdir, open, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { RetriableError } from "../index.ts";
import type { SinkContext, SinkPosition, SinkRecord } from "../index.ts";
import { compressPiece } from "./compress.ts";
import type { FileCompression } from "./compress.ts";
import { FormatError } from "./format-error.ts";
import type { RollingSettings } from "./rolling-settings.ts";
import { rowOf } from "./writer.ts";
import type { Drain, FormatWriter, Row } from "./writer.ts";

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A file that is whole. */
export interface StagedFile {
  /** Where it lies now. */
  readonly path: string;
  /** Its name for good, with folders. */
  readonly name: string;
}

/** Where files go. */
export interface RollingTarget {
  /**
   * Makes files visible, `next` being the offset behind their records. It may be called again with the
   * same after it has failed.
   */
  publish(of: TopicPartition, files: readonly StagedFile[], next: bigint): Promise<void>;
  /**
   * What is committed, if anything, before a generation that ends at `next` is published: `resume`
   * is given it where that has not come to its end.
   */
  intent?(next: bigint): string;
}

/** Something that was begun, and is to be made again. */
interface Redo {
  readonly until: bigint;
  readonly settings: RollingSettings;
  readonly text: string;
}

/** Files that grow, and what they cannot take yet. */
interface OpenFile extends StagedFile {
  readonly compression: FileCompression;
  readonly writer: FormatWriter;
  /** Bytes of the file that are surely written. */
  size: number;
  /** Drained and compressed, not written yet. */
  pending: Uint8Array | null;
  isWhole: boolean;
}

interface Generation extends TopicPartition {
  readonly files: Map<string, OpenFile>;
  records: number;
  /** Of the largest of the files, as its writer counts. */
  largestBytes: number;
  /** Time of its first record; of the wall when it began. */
  firstMs: number;
  startedMs: number;
  /** Offset of the record that comes next. */
  next: bigint;
  /** Everything before it is published, or was nothing to publish. */
  safe: bigint;
  isClosing: boolean;
  /** What was committed before it is published; null: nothing yet. */
  intent: string | null;
  /** Up to its end all goes by it; null: by the settings. */
  redo: Redo | null;
}

const NOTHING = new Uint8Array(0);

export class RollingFiles {
  readonly #generations = new Map<string, Generation>();
  /** By partition: what a predecessor has begun. */
  readonly #redos = new Map<string, Redo>();
  /** That of the last record: most are of the same partition as the one before. */
  #last: Generation | null = null;
  #fileNumber = 0;
  #heldBytes = 0;

  constructor(
    readonly settings: RollingSettings,
    /** Exists, and is of this task alone. */
    readonly staging: string,
    readonly target: RollingTarget,
    readonly context: Pick<
      SinkContext<unknown>,
      "clock" | "log" | "reject" | "requestCommit" | "commit"
    >,
  ) {}

  /** Has what a predecessor has begun made again, as it has been begun. */
  resume(of: TopicPartition, redo: Redo): void {
    this.#redos.set(nameOf(of), redo);
  }

  /** Takes records. On an error the same may come again: those that were taken are gone over. */
  async write(records: readonly SinkRecord[]): Promise<void> {
    for (const record of records) {
      const { offset } = record.original;
      const generation = this.#generationOf(record.original);
      if (generation.isClosing) await this.#close(generation);
      if (isRedone(generation, offset)) await this.#endRedo(generation);
      if (offset >= generation.next) {
        const waits = this.#take(generation, record);
        if (waits !== null) await waits;
        if (generation.next <= offset) generation.next = offset + 1n;
      }
      if (isRedone(generation, generation.next)) await this.#endRedo(generation);
      else if (this.#isFull(generation)) await this.#close(generation);
    }
  }

  /** Up to where everything is published; `taken` is where each partition has come to. */
  async flush(taken: readonly SinkPosition[], leaving: boolean): Promise<SinkPosition[]> {
    const positions: SinkPosition[] = [];
    for (const position of taken) {
      const generation = this.#generations.get(nameOf(position));
      if (generation === undefined) {
        positions.push(withWords(position, this.#redos.get(nameOf(position)) ?? null));
        continue;
      }
      const isDue = generation.isClosing || this.#isOld(generation) ||
        (leaving && this.settings.closesWhenLeaving && generation.redo === null);
      if (isRedone(generation, position.offset)) await this.#endRedo(generation);
      else if (isDue) await this.#close(generation);
      // Records that were left out on their way here are safe where nothing before them is open.
      const isOpen = generation.files.size > 0;
      const safe = isOpen ? { ...position, offset: generation.safe } : position;
      positions.push(withWords(safe, generation.redo));
    }
    return positions;
  }

  /** Forgets what is not published. */
  async drop(partitions: readonly TopicPartition[]): Promise<void> {
    this.#last = null;
    for (const of of partitions) {
      this.#redos.delete(nameOf(of));
      const generation = this.#generations.get(nameOf(of));
      if (generation === undefined) continue;
      this.#generations.delete(nameOf(of));
      for (const file of generation.files.values()) {
        this.#heldBytes -= file.writer.heldBytes;
        await rm(file.path, { force: true });
      }
    }
  }

  #generationOf({ topic, partition, offset }: SinkRecord["original"]): Generation {
    const last = this.#last;
    if (last !== null && last.topic === topic && last.partition === partition) return last;
    const name = nameOf({ topic, partition });
    const known = this.#generations.get(name);
    if (known !== undefined) return this.#last = known;
    const generation: Generation = {
      topic,
      partition,
      files: new Map(),
      records: 0,
      largestBytes: 0,
      firstMs: 0,
      startedMs: 0,
      next: offset,
      safe: offset,
      isClosing: false,
      intent: null,
      redo: this.#redos.get(name) ?? null,
    };
    this.#generations.set(name, generation);
    return generation;
  }

  /** A promise only where something has to be waited for: a turn of the queue per record is dear. */
  #take(generation: Generation, record: SinkRecord): Promise<void> | null {
    const { content, pathOf, timeMsOf, filesMax, rotateIntervalMs } = this.#settingsOf(generation);
    const folder = pathOf(record);
    const timeMs = timeMsOf(record);
    const known = generation.files.get(folder);
    const endsBefore = generation.files.size > 0 && generation.redo === null && (
      (known === undefined && generation.files.size >= filesMax) ||
      (rotateIntervalMs !== null && Math.abs(timeMs - generation.firstMs) >= rotateIntervalMs)
    );
    const row = rowOf(record, content);
    return endsBefore
      ? this.#takeIntoNext(generation, record, row, folder, timeMs)
      : this.#put(generation, record, row, folder, timeMs);
  }

  async #takeIntoNext(
    generation: Generation,
    record: SinkRecord,
    row: Row,
    folder: string,
    timeMs: number,
  ): Promise<void> {
    await this.#close(generation);
    await this.#put(generation, record, row, folder, timeMs);
  }

  #put(
    generation: Generation,
    record: SinkRecord,
    row: Row,
    folder: string,
    timeMs: number,
  ): Promise<void> | null {
    const settings = this.#settingsOf(generation);
    const file = generation.files.get(folder) ?? this.#open(record, folder, settings);
    const before = file.writer.heldBytes;
    try {
      if (!file.writer.add(row)) {
        return this.#takeIntoNext(generation, record, row, folder, timeMs);
      }
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return this.context.reject(record, error);
    }
    this.#heldBytes += file.writer.heldBytes - before;
    if (generation.files.size === 0) {
      generation.safe = record.original.offset;
      generation.firstMs = timeMs;
      generation.startedMs = this.context.clock.monotonicMs();
    }
    generation.files.set(folder, file);
    generation.records++;
    generation.largestBytes = Math.max(generation.largestBytes, file.writer.sizeBytes);
    // Before anything is written that may fail: the record is not to be taken again.
    generation.next = record.original.offset + 1n;
    return this.#relieve(file);
  }

  /** Writes what is due, and what has not been written before; null: nothing is. */
  #relieve(file: OpenFile): Promise<void> | null {
    const isLate = file.pending !== null;
    const bytes = isLate ? NOTHING : this.#drained(file, "ready");
    const isOver = this.#heldBytes > this.settings.bufferBytes;
    return isLate || isOver || bytes.length > 0 ? this.#writeDue(file, bytes) : null;
  }

  async #writeDue(file: OpenFile, bytes: Uint8Array): Promise<void> {
    await this.#writePending(file);
    await this.#append(file, bytes);
    if (this.#heldBytes > this.settings.bufferBytes) await this.#drainAll();
  }

  /** Nothing is written before the first bytes are drained. */
  #open(
    { original: { topic, partition, offset } }: SinkRecord,
    folder: string,
    { newWriter, extension, compression, prefix }: RollingSettings,
  ): OpenFile {
    const base = `${topic}+${partition}+${String(offset).padStart(20, "0")}${extension}`;
    return {
      path: join(this.staging, `${topic}+${partition}+${this.#fileNumber++}.tmp`),
      name: prefix + (folder === "" ? base : `${folder}/${base}`),
      compression,
      writer: newWriter(),
      size: 0,
      pending: null,
      isWhole: false,
    };
  }

  #settingsOf({ redo }: Generation): RollingSettings {
    return redo?.settings ?? this.settings;
  }

  /** What was begun before is whole again; from here on it goes by the settings. */
  async #endRedo(generation: Generation): Promise<void> {
    await this.#close(generation);
    this.#redos.delete(nameOf(generation));
    generation.redo = null;
  }

  #isFull({ records, largestBytes, redo }: Generation): boolean {
    const { flushSize, rotateBytes } = this.settings;
    return redo === null && (flushSize !== null && records >= flushSize) ||
      largestBytes >= rotateBytes;
  }

  #isOld({ startedMs, files, redo }: Generation): boolean {
    const { scheduleMs } = this.settings;
    if (scheduleMs === null || files.size === 0 || redo !== null) return false;
    return this.context.clock.monotonicMs() - startedMs >= scheduleMs;
  }

  async #drainAll(): Promise<void> {
    for (const { files } of this.#generations.values()) {
      for (const file of files.values()) await this.#drain(file, "all");
    }
  }

  async #drain(file: OpenFile, what: Drain): Promise<void> {
    await this.#writePending(file);
    await this.#append(file, this.#drained(file, what));
    if (what === "end") file.isWhole = true;
  }

  #drained({ writer }: OpenFile, what: Drain): Uint8Array {
    const before = writer.heldBytes;
    const bytes = writer.drain(what);
    this.#heldBytes -= before - writer.heldBytes;
    return bytes;
  }

  async #append(file: OpenFile, bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    file.pending = await compressPiece(file.compression, bytes);
    await this.#writePending(file);
  }

  /** Where it failed half-way, the same bytes go to the same place again. */
  async #writePending(file: OpenFile, sync = false): Promise<void> {
    if (file.pending === null && !sync) return;
    const bytes = file.pending ?? NOTHING;
    await retriable(file.path, async () => {
      await mkdir(dirname(file.path), { recursive: true });
      const handle = await open(file.path, file.size === 0 ? "w" : "r+");
      try {
        for (let done = 0; done < bytes.length;) {
          const at = file.size + done;
          done += (await handle.write(bytes, done, bytes.length - done, at)).bytesWritten;
        }
        if (sync) await handle.datasync();
      } finally {
        await handle.close();
      }
    });
    file.size += bytes.length;
    file.pending = null;
  }

  async #close(generation: Generation): Promise<void> {
    const { files } = generation;
    if (files.size === 0) return;
    generation.isClosing = true;
    for (const file of files.values()) {
      if (!file.isWhole) await this.#drain(file, "end");
      await this.#writePending(file, true);
    }
    await this.#say(generation);
    await this.target.publish(generation, [...files.values()], generation.next);
    files.clear();
    generation.records = 0;
    generation.largestBytes = 0;
    generation.isClosing = false;
    generation.intent = null;
    generation.safe = generation.next;
    this.context.requestCommit();
  }

  /** Has whoever comes next know of it, before anything of it is visible. */
  async #say(generation: Generation): Promise<void> {
    const { topic, partition, safe: offset, next, redo } = generation;
    if (generation.intent !== null || this.target.intent === undefined) return;
    const metadata = redo?.text ?? this.target.intent(next);
    await this.context.commit([{ topic, partition, offset, metadata }]);
    generation.intent = metadata;
  }
}

/** What a full disk or a folder that went away causes may be over soon. */
export async function retriable<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RetriableError || !(error instanceof Error)) throw error;
    throw new RetriableError(`cannot write ${what}: ${error.message}`, { cause: error });
  }
}

function isRedone({ redo }: Generation, offset: bigint): boolean {
  return redo !== null && offset >= redo.until;
}

/** With what is to be known of what is not made again yet. */
function withWords(position: SinkPosition, redo: Redo | null): SinkPosition {
  const isUnder = redo !== null && position.offset < redo.until;
  return isUnder ? { ...position, metadata: redo.text } : position;
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}+${partition}`;
}
