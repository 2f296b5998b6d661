/**
 * Makes the key index of a segment as far as it goes, or goes on where an earlier call has ended.
 * What looks at records is `key-index-task.ts`, in a worker.
 */
import { allocateShared } from "../../core/buffer-pool.ts";
import { DiskError, type DiskFile, type OffloadSession } from "../../core/io.ts";
import { SECRET_BYTES } from "../cleaner/key-hash.ts";
import type { LogContext } from "../log-context.ts";
import type { Segment } from "../segment.ts";
import { handOver, roomFor, type SharedMemory, takeOver } from "../shared-memory.ts";
import {
  type KeyIndexAnswer,
  type KeyIndexCall,
  keyIndexTask,
  runBytesMax,
} from "./key-index-task.ts";

/** What is read at a time, unless a batch is larger. */
const CHUNK_BYTES = 512 * 1024;
const NOTHING = new Uint8Array(0);
const NEVER = new AbortController().signal;

/** What is to be indexed. */
export interface KeyBuild {
  readonly segment: Segment;
  /** Offsets in the segment are below. */
  readonly endOffset: number;
  /** When to stop, on the monotonic clock; what was done by then is kept. */
  readonly deadlineMs: number;
  /** Throws if the segment is another one by now. Asked before anything is written. */
  readonly check: () => void;
}

/**
 * False if the deadline came first. A segment that cannot be read to its end is indexed up to there,
 * and refused from then on. Throws what `check` throws, an `OffloadError` or a `DiskError`.
 */
export async function buildKeyIndex(context: LogContext, build: KeyBuild): Promise<boolean> {
  const pinned = context.files.pin(build.segment.logPath);
  const session = context.io.offload.open(keyIndexTask(context.codecs));
  try {
    return await new Builder(context, build, pinned.file, session).run();
  } finally {
    session.end();
    pinned.release();
  }
}

class Builder {
  private readonly shared: SharedMemory;

  constructor(
    private readonly context: LogContext,
    private readonly build: KeyBuild,
    private readonly log: DiskFile,
    private readonly session: OffloadSession<KeyIndexCall, KeyIndexAnswer>,
  ) {
    const { runKeysMax } = context.keyIndexing.limits;
    this.shared = {
      input: allocateShared(CHUNK_BYTES),
      output: allocateShared(runBytesMax(runKeysMax)),
    };
  }

  async run(): Promise<boolean> {
    const { context, build } = this;
    const { segment } = build;
    const { keyIndex } = segment;
    const end = segment.sizeBytes;
    await this.begin();
    let wanted = CHUNK_BYTES;
    for (let position = keyIndex.toPosition; position < end;) {
      if (context.io.clock.monotonicMs() >= build.deadlineMs) {
        await this.finishRun();
        return false;
      }
      const size = Math.min(wanted, end - position);
      const chunk = roomFor(this.shared.input, size);
      const count = await this.log.read(chunk, position);
      build.check();
      const handed = handOver(this.shared.input, chunk);
      const answer = await this.session.call({ kind: "add", ...handed });
      build.check();
      position += answer.usedBytes;
      wanted = Math.max(CHUNK_BYTES, answer.neededBytes);
      const isCut = answer.neededBytes > end - position || count < size;
      if (answer.damage !== null || isCut) {
        this.refuse(position, answer.damage ?? "the file is cut short");
        break;
      }
      if (answer.isFull && !await this.finishRun()) return true;
      await context.keyIndexing.throttle.spend(answer.usedBytes, NEVER);
      build.check();
    }
    await this.finishRun();
    return true;
  }

  private async begin(): Promise<void> {
    const { segment, endOffset } = this.build;
    const { keyIndex, baseOffset } = segment;
    const plan = {
      baseOffset,
      fromPosition: keyIndex.toPosition,
      fromOffset: keyIndex.nextOffset,
      endOffset,
      secret: this.context.io.random.bytes(SECRET_BYTES),
      runKeysMax: this.context.keyIndexing.limits.runKeysMax,
    };
    await this.session.call({ kind: "begin", bytes: NOTHING, plan, shared: this.shared });
    this.build.check();
  }

  /** False if the disk refuses the run. */
  private async finishRun(): Promise<boolean> {
    const answer = await this.session.call({ kind: "finish", bytes: NOTHING });
    this.build.check();
    const run = takeOver(this.shared.output, answer);
    if (run.length === 0) return true;
    try {
      this.build.segment.keyIndex.append(run);
      return true;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.refuse(this.build.segment.keyIndex.toPosition, error.message);
      return false;
    }
  }

  private refuse(position: number, why: string): void {
    const { segment } = this.build;
    segment.keyIndex.isRefused = true;
    this.context.logger.warn("the keys of a segment are not indexed to its end", {
      segment: segment.logPath,
      position,
      why,
    });
  }
}
