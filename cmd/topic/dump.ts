import {
  closeSync,
  createReadStream,
  existsSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  renameSync,
  writeSync,
} from "node:fs";
import { OperatorError } from "../../core/operator-error.ts";
import { UnknownTopicError } from "../../client/cluster.ts";
import { refusal, withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { missingTopic } from "../client.ts";
import { count, formatBytes, print, printJson } from "../output.ts";
import { reasonOf } from "../reason.ts";
import { writeStdout } from "../stdout.ts";
import { onInterrupt, say } from "../terminal.ts";
import { DumpError, encodeChunk, encodeEnd, encodeStart, readFrames } from "./copy/dump-file.ts";
import type { DumpHeader } from "./copy/dump-file.ts";
import { CountedProgress } from "../progress.ts";
import { describeSource, readTopic } from "./copy/source.ts";
import type { SourceChunk } from "./copy/source.ts";

/** Options of `topic dump`. */
export interface DumpOptions extends AdminOptions {
  readonly output?: string | undefined;
  readonly groups?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** Where frames go. */
interface Sink {
  write(parts: readonly Uint8Array[]): Promise<void>;
  /** All is written: makes it durable and gives it its name. */
  finish(): void;
  close(): void;
}

/** `kstream topic dump`. */
export async function dumpTopic(topic: string, options: DumpOptions): Promise<void> {
  const path = options.output ?? `${topic}.dump`;
  if (path === "-" && options.json) {
    throw new OperatorError("--json and -o - both go to standard output", "", "choose one", 2);
  }
  if (path !== "-" && existsSync(path)) {
    throw new OperatorError(
      `${path} is there already`,
      "",
      "remove it, or name another with -o",
      2,
    );
  }
  await withAdmin(options, async (admin) => {
    try {
      const fresh = await describeSource(admin, topic, options.groups ?? false);
      const partial = `${path}.partial`;
      const dump = path !== "-" && existsSync(partial)
        ? await Dump.resume(path, fresh)
        : await Dump.start(path, fresh);
      await dump.run(options);
      const summary = dump.summary();
      if (options.json) await printJson({ ...summary, file: path });
      else if (path !== "-") {
        const what = `${count(summary.records, "record")}, ${formatBytes(summary.bytes)}`;
        await print(`dumped topic ${topic} to ${path}: ${what}\n`);
      }
    } catch (error) {
      if (error instanceof UnknownTopicError) {
        throw await missingTopic(admin.cluster, topic, "see: kstream topic list");
      }
      throw refusal(`cannot dump topic "${topic}"`, error);
    }
  });
}

class Dump {
  readonly #next = new Map<number, number>();
  readonly #records = new Map<number, number>();
  readonly #chunks: [number, number, number][] = [];
  #position = 0;

  private constructor(
    readonly path: string,
    readonly header: DumpHeader,
    readonly sink: Sink,
    readonly resumed: boolean,
  ) {
    for (const { partition, startOffset } of header.partitions) {
      this.#next.set(partition, startOffset);
    }
  }

  static async start(path: string, header: DumpHeader): Promise<Dump> {
    const sink = path === "-" ? stdoutSink() : fileSink(path, "wx");
    const dump = new Dump(path, header, sink, false);
    await dump.#write(encodeStart(header));
    return dump;
  }

  /** Goes on behind what is sound in the file that an earlier run has left. */
  static async resume(path: string, fresh: DumpHeader): Promise<Dump> {
    const partial = `${path}.partial`;
    let dump: Dump | null = null;
    let sink: FileSink | null = null;
    let sound = 0;
    try {
      for await (const frame of readFrames(createReadStream(partial))) {
        if (frame.type === "index") break;
        if (frame.type === "header") {
          checkSame(frame.header, fresh, partial);
          sink = fileSink(path, "r+");
          dump = new Dump(path, frame.header, sink, true);
        } else {
          const { partition, nextOffset, records } = frame.chunk;
          if (dump !== null) dump.#note(frame.position, partition, nextOffset, records);
        }
        sound = frame.endPosition;
      }
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
    }
    if (dump === null || sink === null) {
      throw new OperatorError(`${partial} cannot be continued`, "it is no dump", "remove it");
    }
    say(`kstream: going on with ${partial} from ${formatBytes(sound)}`);
    dump.#position = sound;
    sink.cut(sound);
    return dump;
  }

  async run(options: AdminOptions): Promise<void> {
    const signal = onInterrupt();
    const ranges = this.header.partitions.map((range) => ({
      ...range,
      startOffset: Math.max(range.startOffset, this.#next.get(range.partition) ?? 0),
    }));
    const total = ranges.reduce((sum, range) => sum + range.endOffset - range.startOffset, 0);
    const progress = new CountedProgress("dumped", total);
    try {
      for await (const chunk of readTopic(this.header.topic, ranges, options, signal)) {
        const before = this.#next.get(chunk.partition) ?? 0;
        await this.#chunk(chunk);
        progress.add(chunk.nextOffset - before, chunk.sizeBytes);
      }
      await this.#write(encodeEnd(this.#index(), this.#position));
      this.sink.finish();
    } catch (error) {
      if (!signal.aborted || error !== signal.reason) throw error;
      const what = this.path === "-" ? "the dump is not complete" : "run it again to go on";
      throw new OperatorError("interrupted", what, "", 4);
    } finally {
      progress.end();
      this.sink.close();
    }
  }

  summary() {
    return {
      topic: this.header.topic,
      resumed: this.resumed,
      records: this.#index().records,
      bytes: this.#position,
      partitions: this.header.partitions.map((range) => ({
        ...range,
        records: this.#records.get(range.partition) ?? 0,
      })),
      groups: this.header.groups.map(({ group }) => group),
    };
  }

  async #chunk(chunk: SourceChunk): Promise<void> {
    const { partition, nextOffset, records, batches } = chunk;
    this.#note(this.#position, partition, nextOffset, records);
    await this.#write(encodeChunk({ partition, nextOffset, records }, batches));
  }

  #note(position: number, partition: number, nextOffset: number, records: number): void {
    this.#chunks.push([position, partition, nextOffset]);
    this.#next.set(partition, nextOffset);
    this.#records.set(partition, (this.#records.get(partition) ?? 0) + records);
  }

  #index() {
    const partitions = this.header.partitions.map(({ partition }) => ({
      partition,
      records: this.#records.get(partition) ?? 0,
    }));
    const records = partitions.reduce((sum, each) => sum + each.records, 0);
    return { records, partitions, chunks: this.#chunks };
  }

  async #write(parts: readonly Uint8Array[]): Promise<void> {
    await this.sink.write(parts);
    for (const part of parts) this.#position += part.length;
  }
}

/** What is dumped must be the topic that it was: its records have the same offsets then. */
function checkSame(before: DumpHeader, now: DumpHeader, partial: string): void {
  const why = before.topic !== now.topic
    ? `it is of topic "${before.topic}"`
    : before.clusterId !== now.clusterId
    ? "it is of another cluster"
    : before.topicId !== now.topicId
    ? "the topic was deleted and made again"
    : null;
  if (why !== null) {
    throw new OperatorError(`${partial} cannot be continued`, why, "remove it to start over");
  }
}

function stdoutSink(): Sink {
  return {
    write: async (parts) => {
      for (const part of parts) {
        if (!await writeStdout(part)) {
          throw new OperatorError("the reader of the dump has gone", "", "");
        }
      }
    },
    finish: () => {},
    close: () => {},
  };
}

function fileSink(path: string, flags: "wx" | "r+"): FileSink {
  return orExplain(path, () => new FileSink(path, openSync(`${path}.partial`, flags)));
}

class FileSink implements Sink {
  #position = 0;
  #isOpen = true;

  constructor(readonly path: string, readonly fd: number) {}

  cut(position: number): void {
    orExplain(this.path, () => ftruncateSync(this.fd, position));
    this.#position = position;
  }

  // deno-lint-ignore require-await
  async write(parts: readonly Uint8Array[]): Promise<void> {
    let rest = Buffer.concat(parts);
    while (rest.length > 0) {
      const written = orExplain(
        this.path,
        () => writeSync(this.fd, rest, 0, rest.length, this.#position),
      );
      this.#position += written;
      rest = rest.subarray(written);
    }
  }

  finish(): void {
    orExplain(this.path, () => {
      fsyncSync(this.fd);
      this.close();
      renameSync(`${this.path}.partial`, this.path);
    });
  }

  close(): void {
    if (this.#isOpen) closeSync(this.fd);
    this.#isOpen = false;
  }
}

function orExplain<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const why = reasonOf(error);
    throw new OperatorError(`cannot write ${path}`, why, "");
  }
}
