/**
 * Writes the records of a body as they come: bytes go from the body to batches, and the body is read
 * as long as the producer has room. The answer is true at its end: how many records are acknowledged,
 * and if not all are, from which line on none is.
 */
import type { TopicWriter } from "../../client/producer.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { Clock } from "../../core/io.ts";
import { type BadRecordPlace, Feeder, type RecordSink } from "../../core/text/feeder.ts";
import { FramingError } from "../../core/text/framing.ts";
import type { RecordError } from "../../core/text/parse-record.ts";
import { RecordBlocks } from "../../core/text/record-blocks.ts";
import { clientProblem } from "../client-problem.ts";
import { Problem } from "../problem.ts";
import { BodyCutError, type BodyReader } from "./body-reader.ts";
import type { IngestQuery } from "./ingest-query.ts";
import { LineLedger, type PartitionOutcome } from "./line-ledger.ts";
import type { LeasedProducer } from "./producer-pool.ts";

/** The longest line, in bytes. */
export const LINE_BYTES_MAX = 16 * 1024 * 1024;
const BLOCK_BYTES = 256 * 1024;

/** What has become of a body. */
export interface IngestOutcome {
  readonly topic: string;
  readonly acknowledged: number;
  /** Given to the producer and not acknowledged. */
  readonly failed: number;
  /** Left out by `where`. */
  readonly leftOut: number;
  /** Left out by `on-error=skip`. */
  readonly skipped: number;
  /** What ended it; null: all is acknowledged. */
  readonly problem: Problem | null;
  /** Every record of a line before this one is acknowledged. */
  readonly firstUnsafeLine: number;
  /** No record of this line or a later one is acknowledged. */
  readonly noneFromLine: number;
  readonly partitions: readonly PartitionOutcome[];
}

/** A line is no record. */
class BadLine extends Error {
  override readonly name = "BadLine";
}

/** Notes the lines of records on their way to the producer. */
class NotingSink implements RecordSink {
  /** The line of the record that comes next. */
  line: () => number = () => 0;

  constructor(readonly writer: TopicWriter, readonly ledger: LineLedger) {}

  get topic(): string {
    return this.writer.topic;
  }

  get partitionCount(): number {
    return this.writer.partitionCount;
  }

  append(...record: Parameters<RecordSink["append"]>): number {
    const taken = this.writer.append(...record);
    if (taken >= 0) this.ledger.give(taken, this.line());
    return taken;
  }

  appendRange(
    partition: number,
    timestampMs: number,
    source: Uint8Array,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
  ): number {
    const taken = this.writer
      .appendRange(partition, timestampMs, source, keyStart, keyEnd, valueStart, valueEnd);
    if (taken >= 0) this.ledger.give(taken, this.line());
    return taken;
  }
}

/** Writes the records of the body. Throws errors of the client as long as nothing is written. */
export async function ingestBody(
  topic: string,
  query: IngestQuery,
  body: BodyReader,
  leased: LeasedProducer,
  clock: Clock,
): Promise<IngestOutcome> {
  const writer = await openTopic(leased, topic, query.feed.partition);
  const before = [...leased.countsOf(topic)];
  const ledger = new LineLedger((partition) => before[partition] ?? 0);
  leased.onBatch = (report) => {
    if (report.topic === topic) ledger.report(report);
  };
  const run = new IngestRun(query, new NotingSink(writer, ledger), leased, clock);
  const problem = await run.feed(body);
  await leased.producer.flush();
  return run.outcome(problem);
}

/** Throws errors of the client, and a `Problem`. */
export async function openTopic(
  { producer }: LeasedProducer,
  topic: string,
  partition: number,
): Promise<TopicWriter> {
  const writer = await producer.topic(topic);
  if (partition < writer.partitionCount) return writer;
  const detail = `topic "${topic}" has no partition ${partition}, it has ${writer.partitionCount}`;
  throw new Problem(400, "bad request", detail);
}

class IngestRun {
  readonly #feeder: Feeder;
  #skipped = 0;

  constructor(
    readonly query: IngestQuery,
    readonly sink: NotingSink,
    readonly leased: LeasedProducer,
    readonly clock: Clock,
  ) {
    this.#feeder = new Feeder(sink, query.feed, {
      largeBytes: Infinity,
      refuseLarge: false,
      bad: (_record, place, error) => this.#bad(place, error),
      refused: () => {},
    });
    sink.line = () => this.#feeder.passed + 1;
  }

  /** Until the end of the body, or a problem. */
  async feed(body: BodyReader): Promise<Problem | null> {
    const { framing } = this.query.feed;
    const blocks = new RecordBlocks(body.into, framing, 0, BLOCK_BYTES, LINE_BYTES_MAX);
    const { producer } = this.leased;
    this.#feeder.begin(null);
    try {
      for (;;) {
        const block = await blocks.next();
        if (block === null) return null;
        if (block.tooLong > 0) throw this.#tooLong();
        let position = block.start;
        while (position < block.end) {
          if (this.sink.ledger.error !== null) return null;
          position = this.#feeder.feed(block, position, this.clock.wallMs());
          if (position < block.end) await producer.room();
        }
      }
    } catch (error) {
      return this.#problemOf(error);
    }
  }

  outcome(problem: Problem | null): IngestOutcome {
    const { ledger } = this.sink;
    const next = this.#feeder.passed + 1;
    return {
      topic: this.sink.topic,
      acknowledged: ledger.acknowledged,
      failed: ledger.given - ledger.acknowledged,
      leftOut: this.#feeder.leftOut,
      skipped: this.#skipped,
      problem: ledger.error === null ? problem : deliveryProblem(ledger.error),
      firstUnsafeLine: Math.min(ledger.firstFailed, next),
      noneFromLine: ledger.lastAcknowledged + 1,
      partitions: ledger.outcomes(),
    };
  }

  #bad(place: BadRecordPlace, error: RecordError): boolean {
    if (this.query.onError === "stop") throw new BadLine(`${place.text}: ${error.message}`);
    this.#skipped++;
    return true;
  }

  #tooLong(): BadLine {
    return new BadLine(`${this.#feeder.place()} is longer than ${LINE_BYTES_MAX} bytes`);
  }

  #problemOf(error: unknown): Problem {
    if (error instanceof BadLine) return new Problem(400, "no record", error.message);
    if (error instanceof FramingError) {
      return new Problem(400, "no record", `${this.#feeder.place()}: ${error.message}`);
    }
    if (error instanceof BodyCutError) {
      return new Problem(400, "cut short", `the body has ended too soon: ${error.message}`);
    }
    if (error instanceof OperatorError) return new Problem(400, "no record", error.message);
    const problem = clientProblem(error);
    if (problem === null) throw error;
    return problem;
  }
}

function deliveryProblem(error: Error): Problem {
  const problem = clientProblem(error);
  if (problem === null) throw error;
  return problem;
}
