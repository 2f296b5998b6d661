/**
 * `produce --resume NAME`: how far an input has been taken is a record (key NAME) of the compacted
 * topic `kstream-ingest`, written in the same transaction as the records up to there. So whoever runs
 * it again goes on exactly behind what readers of committed records see. The transactional id comes
 * from NAME: a second run fences the first one.
 *
 *     {"version":1,"topic":"logs","input":"app.log","device":"65024","inode":"131","position":8192,
 *      "headBytes":4096,"headHash":"9f86…","passed":81,"header":null}
 */
import { Admin } from "../../client/admin.ts";
import { Consumer } from "../../client/consumer.ts";
import { KafkaError } from "../../client/errors.ts";
import type { ClientIo, ClientOptions } from "../../client/options.ts";
import type { Producer, TopicWriter } from "../../client/producer.ts";
import type { Codecs } from "../../core/compression/codec.ts";
import { Errors } from "../../core/errors.ts";
import type { Timer } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { INGEST_TOPIC } from "./ingest-topic.ts";
import type { InputPosition } from "./inputs.ts";

const PARTITION = 0;
const VERSION = 1;
/** Others may be in the midst of their transactions, which end within this time. */
const READ_TIMEOUT_MS = 70_000;
const SAY_AFTER_MS = 2000;

/** The outside of an ingest. */
export interface IngestIo {
  readonly client: ClientIo;
  readonly say: (line: string) => void;
}

/** What is kept under a name. */
export interface SavedIngest {
  readonly topic: string;
  /** Name of the input, for messages. */
  readonly input: string | null;
  readonly at: InputPosition;
  /** Records of the input that were gone over. */
  readonly passed: number;
  /** The first row of CSV. */
  readonly header: string | null;
}

/** An ingest under way: one transaction after the other, each with the position behind it. */
export class Ingest {
  private constructor(
    readonly name: string,
    readonly producer: Producer,
    readonly writer: TopicWriter,
    /** What the last run under this name left, or null. */
    readonly saved: SavedIngest | null,
  ) {}

  /** Fences the run before, then reads what it left, and begins the first transaction. */
  static async open(
    name: string,
    producer: Producer,
    io: IngestIo,
    client: ClientOptions,
    codecs: Codecs,
  ): Promise<Ingest> {
    const end = await ensureTopic(io.client, client);
    await producer.transactions.init();
    // What the one before has committed in the meantime is below the end that is asked for now.
    const until = end < 0 ? 0 : await endOfTopic(io.client, client);
    const saved = until === 0 ? null : await readSaved(name, until, io, client, codecs);
    const writer = await producer.topic(INGEST_TOPIC);
    producer.transactions.begin();
    return new Ingest(name, producer, writer, saved);
  }

  /** Commits everything up to the position, and begins the next transaction. */
  async commit(position: SavedIngest): Promise<void> {
    const { writer, producer } = this;
    try {
      const key = Buffer.from(this.name);
      const value = Buffer.from(JSON.stringify(toJson(position)));
      const { clock } = producer.cluster.io;
      while (writer.append(PARTITION, clock.wallMs(), key, value) < 0) await producer.room();
      await producer.transactions.commit();
      producer.transactions.begin();
    } catch (error) {
      throw this.explained(error);
    }
  }

  /** The error as the person at the terminal gets it. */
  explained(error: unknown): unknown {
    const isFenced = error instanceof KafkaError && FENCED.has(error.code);
    if (!isFenced) return error;
    return new OperatorError(
      `another produce has taken over "${this.name}"`,
      "",
      "only one at a time may use a name",
      1,
    );
  }
}

const FENCED: ReadonlySet<number> = new Set([
  Errors.INVALID_PRODUCER_EPOCH,
  Errors.PRODUCER_FENCED,
]);

/** Makes the topic if it is missing; 0 if it was there, −1 if it is new. */
async function ensureTopic(io: ClientIo, client: ClientOptions): Promise<number> {
  const admin = new Admin(io, client);
  try {
    const [described] = await admin.describeTopics([INGEST_TOPIC]);
    if (described?.topic !== null && described?.topic !== undefined) return 0;
    const [created] = await admin.createTopics([
      { name: INGEST_TOPIC, partitions: 1, configs: { "cleanup.policy": "compact" } },
    ]);
    const error = created?.error ?? null;
    if (error === null) return -1;
    if (error.code === Errors.TOPIC_ALREADY_EXISTS) return 0;
    throw error;
  } finally {
    admin.close();
  }
}

async function endOfTopic(io: ClientIo, client: ClientOptions): Promise<number> {
  const admin = new Admin(io, client);
  try {
    const query = { topic: INGEST_TOPIC, partition: PARTITION, at: "latest" as const };
    const [found] = await admin.listOffsets([query]);
    if (found?.error) throw found.error;
    return Number(found?.offset ?? 0n);
  } finally {
    admin.close();
  }
}

/** The last record under the name below `until`, of those that are committed. */
async function readSaved(
  name: string,
  until: number,
  { client: io, say }: IngestIo,
  client: ClientOptions,
  codecs: Codecs,
): Promise<SavedIngest | null> {
  const consumer = new Consumer(io, {
    ...client,
    codecs,
    isolationLevel: "read_committed",
    autoOffsetReset: "earliest",
  });
  const late = new AbortController();
  const timer: Timer = io.clock.setTimer(READ_TIMEOUT_MS, () => {
    late.abort(
      new OperatorError(
        `"${name}" cannot be read from ${INGEST_TOPIC}`,
        "a transaction of somebody else is open there",
        'see "kstream txn hanging"',
        3,
      ),
    );
  });
  const waiting: Timer = io.clock.setTimer(SAY_AFTER_MS, () => {
    say(`kstream: waiting for a transaction that is open in ${INGEST_TOPIC}`);
  });
  const key = Buffer.from(name);
  let last: Uint8Array | null = null;
  try {
    await consumer.assign([{ topic: INGEST_TOPIC, partition: PARTITION, offset: 0n }]);
    for (let next = 0; next < until;) {
      const chunk = await consumer.nextChunk(late.signal);
      if (chunk === null) break;
      chunk.visit((cursor) => {
        if (key.equals(cursor.key() ?? EMPTY)) last = cursor.value()?.slice() ?? null;
        return true;
      });
      next = chunk.nextOffset;
    }
  } finally {
    timer.cancel();
    waiting.cancel();
    await consumer.close();
  }
  return last === null ? null : parseSaved(name, last);
}

const EMPTY = new Uint8Array(0);

function toJson({ topic, input, at, passed, header }: SavedIngest): object {
  const { position, file, headBytes, headHash } = at;
  return {
    version: VERSION,
    ...{ topic, input, device: file?.device ?? null, inode: file?.inode ?? null },
    ...{ position, headBytes, headHash, passed, header },
  };
}

/** Reads a record's value. Throws `OperatorError` if it is not of this kind. */
function parseSaved(name: string, bytes: Uint8Array): SavedIngest {
  let record: unknown;
  try {
    record = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw unreadable(name);
  }
  if (!isObject(record) || record["version"] !== VERSION) throw unreadable(name);
  const text = (field: string) => {
    const value = record[field];
    if (typeof value !== "string") throw unreadable(name);
    return value;
  };
  const orNull = (field: string) => record[field] === null ? null : text(field);
  const count = (field: string) => {
    const value = record[field];
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
      throw unreadable(name);
    }
    return value;
  };
  const device = orNull("device");
  const inode = orNull("inode");
  const file = device === null || inode === null ? null : { device, inode };
  const headBytes = count("headBytes");
  return {
    topic: text("topic"),
    input: orNull("input"),
    at: { position: count("position"), file, headBytes, headHash: text("headHash") },
    passed: count("passed"),
    header: orNull("header"),
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function unreadable(name: string): OperatorError {
  return new OperatorError(
    `what ${INGEST_TOPIC} has under "${name}" cannot be read`,
    "it is of another version, or nobody's",
    "choose another name, or start over with --from-start",
    1,
  );
}
