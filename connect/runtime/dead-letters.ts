/** Records that could not go on, with what is known of why, in a topic of their own (KIP-298). */
import type { Admin } from "../../client/admin.ts";
import { KafkaError } from "../../client/errors.ts";
import type { Producer } from "../../client/producer.ts";
import { Errors } from "../../core/errors.ts";
import type { RecordHeader } from "../../core/records/record-cursor.ts";
import type { TaskId } from "../worker/status.ts";
import type { Stage } from "./pipeline.ts";

/** A record as it was before anything was done to it. */
export interface RefusedRecord {
  readonly topic: string;
  /** Null: it has none yet, as of a source. */
  readonly partition: number | null;
  readonly offset: bigint | null;
  /** Milliseconds since 1970, or −1. */
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

const PREFIX = "__connect.errors.";
const encoder = new TextEncoder();

/** See the head of the file. */
export class DeadLetters {
  constructor(
    readonly producer: Producer,
    readonly topic: string,
    readonly task: TaskId,
    readonly withContext: boolean,
    /** Takes secrets out of what is said of an error. */
    readonly hidden: (text: string) => string = (text) => text,
  ) {}

  /** Makes the topic if it is missing, with one partition as Connect does. Throws `KafkaError`. */
  async prepare(admin: Admin, replicationFactor: number): Promise<void> {
    const [result] = await admin.createTopics([{
      name: this.topic,
      partitions: 1,
      ...(replicationFactor < 0 ? {} : { replicationFactor }),
    }]);
    const error = result?.error ?? null;
    const isThere = error instanceof KafkaError && error.code === Errors.TOPIC_ALREADY_EXISTS;
    if (error !== null && !isThere) throw error;
  }

  /** Resolves when it is acknowledged. Throws what keeps it from being. */
  async send(record: RefusedRecord, stage: Stage, error: unknown): Promise<void> {
    await this.producer.send({
      topic: this.topic,
      key: record.key,
      value: record.value,
      ...(record.timestampMs < 0 ? {} : { timestampMs: record.timestampMs }),
      headers: this.withContext
        ? [...record.headers, ...this.#context(record, stage, error)]
        : record.headers,
    });
  }

  #context({ topic, partition, offset }: RefusedRecord, stage: Stage, error: unknown) {
    const isError = error instanceof Error;
    const entries: [string, string | null][] = [
      ["topic", topic],
      ...(partition === null ? [] : [["partition", `${partition}`] satisfies [string, string]]),
      ...(offset === null ? [] : [["offset", `${offset}`] satisfies [string, string]]),
      ["connector.name", this.task.connector],
      ["task.id", `${this.task.task}`],
      ["stage", stage],
      ["exception.class.name", isError ? error.name : typeof error],
      ["exception.message", isError ? error.message : String(error)],
      ["exception.stacktrace", isError ? error.stack ?? null : null],
    ];
    return entries.map(([name, text]): RecordHeader => [
      `${PREFIX}${name}`,
      text === null ? null : encoder.encode(this.hidden(text)),
    ]);
  }
}
