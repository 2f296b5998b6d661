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
import { FormatError } from "./format-error.ts";
import type { RollingSettings } from "./rolling-settings.ts";
import { rowOf } from "./writer.ts";
import type { Drain, FormatWriter } from "./writer.ts";

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
}

/** Files that grow, and what they cannot take yet. */
interface OpenFile extends StagedFile {
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
  /** Time of its first record; of the wall when it began. */
  firstMs: number;
  startedMs: number;
  /** Offset of the record that comes next. */
  next: bigint;
  /** Everything before it is published, or was nothing to publish. */
  safe: bigint;
  isClosing: boolean;
}

const NOTHING = new Uint8Array(0);

export class RollingFiles {
  readonly #generations = new Map<string, Generation>();
  #fileNumber = 0;
  #heldBytes = 0;

  constructor(
    readonly settings: RollingSettings,
    /** Exists, and is of this task alone. */
    readonly staging: string,
    readonly target: RollingTarget,
    readonly context: Pick<SinkContext<unknown>, "clock" | "log" | "reject" | "requestCommit">,
  ) {}

  /** Takes records. On an error the same may come again: those that were taken are gone over. */
  async write(records: readonly SinkRecord[]): Promise<void> {
    for (const record of records) {
      const { topic, partition, offset } = record.original;
      const generation = this.#generationOf({ topic, partition }, offset);
      if (generation.isClosing) await this.#close(generation);
      if (offset < generation.next) continue;
      await this.#take(generation, record);
      generation.next = offset + 1n;
      if (this.#isFull(generation)) await this.#close(generation);
    }
  }

  /** Up to where everything is published; `taken` is where each partition has come to. */
  async flush(taken: readonly SinkPosition[], leaving: boolean): Promise<SinkPosition[]> {
    const positions: SinkPosition[] = [];
    for (const position of taken) {
      const generation = this.#generations.get(nameOf(position));
      if (generation !== undefined) {
        const isDue = generation.isClosing || this.#isOld(generation) ||
          (leaving && this.settings.closesWhenLeaving);
        if (isDue) await this.#close(generation);
      }
      // Records that were left out on their way here are safe where nothing before them is open.
      const isOpen = generation !== undefined && generation.files.size > 0;
      positions.push(isOpen ? { ...position, offset: generation.safe } : position);
    }
    return positions;
  }

  /** Forgets what is not published. */
  async drop(partitions: readonly TopicPartition[]): Promise<void> {
    for (const of of partitions) {
      const generation = this.#generations.get(nameOf(of));
      if (generation === undefined) continue;
      this.#generations.delete(nameOf(of));
      for (const file of generation.files.values()) {
        this.#heldBytes -= file.writer.heldBytes;
        await rm(file.path, { force: true });
      }
    }
  }

  #generationOf(of: TopicPartition, offset: bigint): Generation {
    const name = nameOf(of);
    const known = this.#generations.get(name);
    if (known !== undefined) return known;
    const generation: Generation = {
      ...of,
      files: new Map(),
      records: 0,
      firstMs: 0,
      startedMs: 0,
      next: offset,
      safe: offset,
      isClosing: false,
    };
    this.#generations.set(name, generation);
    return generation;
  }

  async #take(generation: Generation, record: SinkRecord): Promise<void> {
    const { content, pathOf, timeMsOf, filesMax, rotateIntervalMs } = this.settings;
    const row = rowOf(record, content);
    const folder = pathOf(record);
    const timeMs = timeMsOf(record);
    const known = generation.files.get(folder);
    const endsBefore = generation.files.size > 0 && (
      (known === undefined && generation.files.size >= filesMax) ||
      (known !== undefined && !known.writer.fits(row)) ||
      (rotateIntervalMs !== null && Math.abs(timeMs - generation.firstMs) >= rotateIntervalMs)
    );
    if (endsBefore) await this.#close(generation);
    const file = generation.files.get(folder) ?? this.#open(record, folder);
    const before = file.writer.heldBytes;
    try {
      file.writer.add(row);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return await this.context.reject(record, error);
    }
    this.#heldBytes += file.writer.heldBytes - before;
    if (generation.files.size === 0) {
      generation.safe = record.original.offset;
      generation.firstMs = timeMs;
      generation.startedMs = this.context.clock.monotonicMs();
    }
    generation.files.set(folder, file);
    generation.records++;
    await this.#drain(file, "ready");
    if (this.#heldBytes > this.settings.bufferBytes) await this.#drainAll();
  }

  /** Nothing is written before the first bytes are drained. */
  #open({ original: { topic, partition, offset } }: SinkRecord, folder: string): OpenFile {
    const { newWriter, extension } = this.settings;
    const base = `${topic}+${partition}+${String(offset).padStart(20, "0")}${extension}`;
    return {
      path: join(this.staging, `${topic}+${partition}+${this.#fileNumber++}.tmp`),
      name: folder === "" ? base : `${folder}/${base}`,
      writer: newWriter(),
      size: 0,
      pending: null,
      isWhole: false,
    };
  }

  #isFull({ records, files }: Generation): boolean {
    const { flushSize, rotateBytes } = this.settings;
    if (flushSize !== null && records >= flushSize) return true;
    for (const { writer } of files.values()) if (writer.sizeBytes >= rotateBytes) return true;
    return false;
  }

  #isOld({ startedMs, files }: Generation): boolean {
    const { scheduleMs } = this.settings;
    if (scheduleMs === null || files.size === 0) return false;
    return this.context.clock.monotonicMs() - startedMs >= scheduleMs;
  }

  async #drainAll(): Promise<void> {
    for (const { files } of this.#generations.values()) {
      for (const file of files.values()) await this.#drain(file, "all");
    }
  }

  async #drain(file: OpenFile, what: Drain): Promise<void> {
    await this.#writePending(file);
    const before = file.writer.heldBytes;
    const bytes = file.writer.drain(what);
    this.#heldBytes -= before - file.writer.heldBytes;
    if (bytes.length > 0) {
      file.pending = await compressPiece(this.settings.compression, bytes);
      await this.#writePending(file);
    }
    if (what === "end") file.isWhole = true;
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
    await this.target.publish(generation, [...files.values()], generation.next);
    files.clear();
    generation.records = 0;
    generation.isClosing = false;
    generation.safe = generation.next;
    this.context.requestCommit();
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

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}+${partition}`;
}
