/**
 * Reads a topic as it grows, for commands that wait for records: from a place on, committed records
 * only, until what is looked for has come or the time is over.
 */
import { Consumer } from "../client/consumer.ts";
import { UnknownTopicError } from "../client/cluster.ts";
import { ConnectionError } from "../client/errors.ts";
import type { RecordPlace } from "../core/expression/expression.ts";
import { sleep } from "../core/io.ts";
import type { RecordCursor } from "../core/records/record-cursor.ts";
import { clientIo, clientOptions, missingTopic } from "./client.ts";
import type { OffsetPoint } from "../core/text/offset-range.ts";
import { resolveRanges } from "../client/consumer/partition-ranges.ts";
import type { PartitionRange } from "../client/consumer/partition-ranges.ts";
import type { Look, Patience } from "./patience.ts";

/** What to read. */
export interface WatchSettings {
  readonly topic: string;
  readonly from: OffsetPoint;
  /** Null for all that the topic has when it is found. */
  readonly partitions: readonly number[] | null;
  /** Ends once everything has been read that was there at first. */
  readonly exitAtEnd: boolean;
  readonly client: ReturnType<typeof clientOptions>;
}

/** What to do after some records: read on, read on for a while only, or end. */
export type Verdict = "read-on" | "settle" | "end";

/** Who looks at the records. */
export interface Watcher {
  /** The record is valid until the call is over. */
  see(record: RecordCursor, place: RecordPlace): void;
  /** Asked between chunks; `caughtUp`: all that was there at first has been seen. */
  verdict(caughtUp: boolean): Verdict;
  /** How long `settle` goes on. */
  readonly settleMs: number;
}

/** Why reading ended: by the verdict, at the end of the topic, or with the time. */
export type WatchEnd = "verdict" | "topic-end" | "deadline";

/** How long a broker that has said nothing is given to answer at the end. */
const PROBE_MS = 1000;

/**
 * Reads until the watcher ends it. Throws `OperatorError` (3: no broker could be reached; 1: the topic
 * never came) and what the watcher throws.
 */
export async function watchRecords(
  settings: WatchSettings,
  patience: Patience,
  watcher: Watcher,
): Promise<WatchEnd> {
  const { bunCodecs } = await import("../core/compression/bun.ts");
  const consumer = new Consumer(clientIo, {
    ...settings.client,
    codecs: bunCodecs,
    isolationLevel: "read_committed",
    autoOffsetReset: "earliest",
  });
  try {
    const ranges = await findRanges(consumer, settings, patience);
    if (ranges === null) throw patience.failure(`topic "${settings.topic}" did not come`);
    return await new RecordWatch(consumer, settings, ranges, watcher).run(patience.leftMs);
  } finally {
    await consumer.close();
  }
}

/** Null if the topic is not there in time; one that comes meanwhile is read from its start. */
async function findRanges(
  { cluster }: Consumer,
  settings: WatchSettings,
  patience: Patience,
): Promise<PartitionRange[] | null> {
  const { topic, partitions } = settings;
  let from = settings.from;
  return await patience.until(async (): Promise<Look<PartitionRange[]>> => {
    await cluster.any();
    try {
      const { partitions: known } = await cluster.topic(topic, { waitForLeaders: true });
      const missing = partitions?.find((partition) => partition >= known.length);
      if (missing !== undefined) return { why: `it has no partition ${missing}` };
      const wanted = partitions ?? known.map(({ partition }) => partition);
      const options = { exitAtEnd: true, isolationLevel: "read_committed" as const };
      return {
        found: await resolveRanges(cluster, topic, wanted, { from, until: null }, options),
      };
    } catch (error) {
      if (!(error instanceof UnknownTopicError)) throw error;
      // All that a topic gets after we came is new.
      if (from.kind === "end" || from.kind === "time") from = { kind: "start", plus: 0n };
      if (settings.exitAtEnd) throw await missingTopic(cluster, topic);
      const { whatToDo } = await missingTopic(cluster, topic, "");
      return { why: `it does not exist${whatToDo === "" ? "" : `: ${whatToDo}`}` };
    }
  });
}

class RecordWatch {
  readonly #over = new AbortController();
  readonly #ranges: ReadonlyMap<number, PartitionRange>;
  /** Partitions with records that were there at first and have not been seen. */
  readonly #behind: Set<number>;
  #isSettling = false;

  constructor(
    readonly consumer: Consumer,
    readonly settings: WatchSettings,
    ranges: readonly PartitionRange[],
    readonly watcher: Watcher,
  ) {
    this.#ranges = new Map(ranges.map((range) => [range.partition, range]));
    this.#behind = new Set(
      ranges.filter(({ from, until }) => from < (until ?? 0)).map(({ partition }) => partition),
    );
  }

  async run(leftMs: number): Promise<WatchEnd> {
    const { topic } = this.settings;
    this.#endAfter(leftMs);
    await this.consumer.assign(
      [...this.#ranges.values()].map(({ partition, from }) => {
        return { topic, partition, offset: BigInt(from) };
      }),
    );
    for (;;) {
      const end = this.#judge();
      if (end !== null) return end;
      const chunk = await this.#next();
      if (chunk === null) break;
      const { skipBelow = 0, until = null } = this.#ranges.get(chunk.partition) ?? {};
      for (const cursor of chunk.each()) {
        if (this.settings.exitAtEnd && cursor.offset >= (until ?? Infinity)) break;
        if (cursor.offset >= skipBelow) this.watcher.see(cursor, chunk);
      }
      if (chunk.nextOffset >= (until ?? 0)) this.#behind.delete(chunk.partition);
    }
    if (this.#isSettling) return "verdict";
    await this.#probe();
    return "deadline";
  }

  #judge(): WatchEnd | null {
    const caughtUp = this.#behind.size === 0;
    switch (this.watcher.verdict(caughtUp)) {
      case "end":
        return "verdict";
      case "settle":
        if (this.watcher.settleMs === 0) return "verdict";
        if (!this.#isSettling) this.#endAfter(this.watcher.settleMs);
        this.#isSettling = true;
        return null;
      case "read-on":
        return caughtUp && this.settings.exitAtEnd ? "topic-end" : null;
    }
  }

  #endAfter(delayMs: number): void {
    clientIo.clock.setTimer(delayMs, () => this.#over.abort());
  }

  async #next() {
    try {
      return await this.consumer.nextChunk(this.#over.signal);
    } catch (error) {
      if (this.#over.signal.aborted) return null;
      throw error;
    }
  }

  /** Whether nothing came because nobody is there. */
  async #probe(): Promise<void> {
    const { cluster } = this.consumer;
    const gaveUp = sleep(clientIo.clock, PROBE_MS).then(() => {
      throw new ConnectionError(
        "timeout",
        this.settings.client.brokers[0] ?? { host: "", port: 0 },
        `the broker has not answered for ${PROBE_MS} ms`,
      );
    });
    await Promise.race([cluster.refresh([this.settings.topic]), gaveUp]);
  }
}
