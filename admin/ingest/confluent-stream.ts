/**
 * Records of Confluent's REST Proxy as they come, each with an answer of its own in their order: the
 * answers stream while the body does.
 */
import type { Clock } from "../../core/io.ts";
import type { RecordMetadata } from "../../client/producer.ts";
import { clientProblem } from "../client-problem.ts";
import { Problem } from "../problem.ts";
import { BodyCutError, type BodyReader } from "./body-reader.ts";
import { ConfluentError, type ConfluentRecord, confluentRecord } from "./confluent-record.ts";
import { LINE_BYTES_MAX } from "./ingest-body.ts";
import { JsonObjects, JsonObjectsError } from "./json-objects.ts";
import type { LeasedProducer } from "./producer-pool.ts";

/** Answers that wait for their reader; beyond it the body is not read on. */
const ANSWERS_MAX = 10_000;

/** What answers say of the place. */
export interface ConfluentTopic {
  readonly clusterId: string;
  readonly topic: string;
}

/** An answer, and whether the record is there. */
interface Answer {
  readonly body: Readonly<Record<string, unknown>>;
  readonly isGood: boolean;
}

/** See the head of the file. */
export class ConfluentStream {
  /** Whether every record is acknowledged so far. */
  isGood = true;
  readonly #answers: Promise<Answer>[] = [];
  #isRead = false;
  #failure: unknown = null;
  /** Tells the reader that there is an answer, or the end. */
  #came: (() => void) | null = null;
  /** Tells the body that an answer was taken. */
  #taken: (() => void) | null = null;

  constructor(
    readonly at: ConfluentTopic,
    readonly leased: LeasedProducer,
    readonly clock: Clock,
    /** Called once, when nothing of it is under way any more. */
    readonly done: () => void,
  ) {}

  /** Reads the body to its end; bugs come out of `answers`. */
  async feed(body: BodyReader): Promise<void> {
    const objects = new JsonObjects(LINE_BYTES_MAX);
    try {
      for (let bytes = await body.next(); bytes !== null; bytes = await body.next()) {
        for (const object of objects.push(bytes)) {
          this.#answer(this.#send(object));
          if (this.#answers.length >= ANSWERS_MAX) await this.#room();
        }
      }
      if (objects.isInside) throw new JsonObjectsError("the body ends within an object");
    } catch (error) {
      body.close();
      const isTheirs = error instanceof JsonObjectsError || error instanceof BodyCutError ||
        error instanceof Problem;
      if (isTheirs) this.#answer(Promise.resolve(refusal(400, error.message)));
      else this.#failure = error;
    }
    this.#isRead = true;
    this.#came?.();
  }

  /** The answers as the body of a response; `first`: one that was taken already. */
  stream(first: string): ReadableStream<Uint8Array> {
    const encoder = new TextEncoder();
    let next = first === "" ? null : first;
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const text = next ?? await this.next();
        next = null;
        if (text !== null) return controller.enqueue(encoder.encode(text));
        controller.close();
        this.done();
      },
      cancel: async () => {
        // Who gives up reading has sent the records nevertheless.
        await this.leased.producer.flush();
        this.isGood = false;
        this.done();
      },
    }, { highWaterMark: 0 });
  }

  /** The next answer as a line, or null behind the last one. */
  async next(): Promise<string | null> {
    while (this.#answers.length === 0) {
      if (this.#failure !== null) throw this.#failure;
      if (this.#isRead) return null;
      await new Promise<void>((resolve) => this.#came = resolve);
    }
    const { body, isGood } = await this.#answers[0]!;
    void this.#answers.shift();
    this.#taken?.();
    if (!isGood) this.isGood = false;
    return `${JSON.stringify(body)}\r\n`;
  }

  #answer(answer: Promise<Answer>): void {
    answer.catch(() => {});
    this.#answers.push(answer);
    this.#came?.();
  }

  #room(): Promise<void> {
    return new Promise((resolve) => this.#taken = resolve);
  }

  async #send(object: Uint8Array): Promise<Answer> {
    let record: ConfluentRecord;
    try {
      record = confluentRecord(object);
    } catch (error) {
      if (error instanceof ConfluentError) return refusal(422, error.message);
      throw error;
    }
    const { partition, key, value, headers } = record;
    const { topic } = this.at;
    const timestampMs = record.timestampMs ?? this.clock.wallMs();
    try {
      const stored = await this.leased.producer.send({
        ...{ topic, key: key.bytes, value: value.bytes, headers, timestampMs },
        ...(partition === null ? {} : { partition }),
      });
      return { isGood: true, body: this.#stored(stored, record) };
    } catch (error) {
      const problem = clientProblem(error);
      if (problem === null) throw error;
      return refusal(problem.status, problem.detail);
    }
  }

  #stored({ partition, offset, timestampMs }: RecordMetadata, { key, value }: ConfluentRecord) {
    const size = ({ type, bytes }: ConfluentRecord["key"]) =>
      bytes === null ? {} : { type, size: bytes.length };
    return {
      error_code: 200,
      cluster_id: this.at.clusterId,
      topic_name: this.at.topic,
      partition_id: partition,
      offset: Number(offset),
      timestamp: new Date(timestampMs).toISOString(),
      ...(key.bytes === null ? {} : { key: size(key) }),
      ...(value.bytes === null ? {} : { value: size(value) }),
    };
  }
}

function refusal(error_code: number, message: string): Answer {
  return { isGood: false, body: { error_code, message } };
}
