/** Records into Redis: streams, hashes, strings, lists, channels. */
import { nameTemplate, templateCheck } from "../../formats/index.ts";
import { choice, defineSink, int, long, RetriableError, string } from "../../index.ts";
import type { ConfigOf, SinkContext, SinkPosition, SinkRecord } from "../../index.ts";
import {
  probeWorld,
  RedisConnection,
  redisFields,
  redisProblems,
  refusalFrom,
} from "./connection.ts";
import { makeSteps } from "./partition-writer.ts";
import type { Step } from "./partition-writer.ts";
import { commandsOf, NoCommand } from "./sink-commands.ts";
import type { CommandSettings } from "./sink-commands.ts";

const NAMES = ["topic", "key"] as const;

const fields = {
  ...redisFields,
  "redis.type": choice("STREAM", "HASH", "STRING", "LIST", "PUBSUB").default("STREAM")
    .importance("HIGH").doc(
      "What records become: entries of a stream (XADD), hashes by their keys (HSET), strings by their keys " +
        "(SET), elements of a list (RPUSH), messages of a channel (PUBLISH).",
    ),
  "redis.key": string().default("{topic}").importance("HIGH").check(templateCheck(NAMES)).doc(
    "The stream, list or channel; of hashes and strings what their keys begin with. {topic} and {key} " +
      "stand for those of the record.",
  ).example("orders:{key}"),
  "redis.separator": string().default(":").doc(
    "What is between redis.key and the key of the record for hashes and strings, unless redis.key has " +
      "{key}.",
  ),
  "redis.stream.maxlen": long({ min: 1 }).optional().doc(
    "About how many entries a stream keeps (MAXLEN ~); without it all.",
  ),
  "redis.stream.key.field": string().optional().doc(
    "The field of an entry that holds the key of the record; without it the key is not there.",
  ),
  "redis.expire.ms": long({ min: 1 }).optional().doc(
    "How long hashes and strings stay after they were written last; without it for good.",
  ),
  "redis.offsets.key": string().default("kstream:offsets:{connector}").check(
    templateCheck(["connector"]),
  ).doc(
    "The hash that offsets are kept in, by topic and partition. {connector} stands for the name of the " +
      "connector. It counts more than the group's offsets: who deletes it has the group's count again.",
  ),
  "batch.size": int({ min: 1, max: 10_000 }).default(500).doc(
    "How many records are written in one step, at most; Redis does nothing else meanwhile.",
  ),
};

type Config = ConfigOf<typeof fields>;
type Context = SinkContext<Config>;

export default defineSink({
  name: "redis-sink",
  version: "1.0.0",
  doc:
    "Writes records to Redis: to streams, as hashes or strings by key (a tombstone deletes them), to " +
    "lists, or to channels. A hash keeps fields that a record does not name; those that are null in it " +
    "go. Exactly once: records and the offset behind them are written in one step by a script, so the " +
    "user must be allowed EVAL. What Redis loses in a crash or failover is written again as long as " +
    "offsets are lost with it; what it loses with all its data is not. Redis Cluster and Sentinel are " +
    "not known.",
  delivery: "exactly-once",
  example: {
    "redis.uri": "rediss://redis.example.com:6379",
    "redis.password": "${env:REDIS_PASSWORD}",
    "redis.type": "HASH",
  },
  config: fields,
  check: (config) => redisProblems(config),
  async probe(config, signal) {
    const connection = await RedisConnection.open(config, probeWorld(signal));
    try {
      await connection.send(["EVAL", "return redis.call('HLEN', KEYS[1])", "1", "kstream:probe"]);
    } finally {
      connection.close();
    }
  },
  open(context) {
    const sink = new RedisSink(context);
    return {
      assigned: (partitions) => sink.assigned(partitions),
      write: (records) => sink.write(records),
      revoked: (partitions) => Promise.resolve(sink.revoked(partitions)),
      close: () => Promise.resolve(sink.close()),
    };
  },
});

type TopicPartition = { readonly topic: string; readonly partition: number };

const nameOf = ({ topic, partition }: TopicPartition) => `${topic}-${partition}`;

/** How much of a partition is written in one step, at most. */
const STEP_BYTES_MAX = 4 * 1024 * 1024;
/** How often a server is looked for when partitions come. */
const ASSIGN_ATTEMPTS = 8;
const PAUSE_MS_MIN = 250;

class RedisSink {
  readonly #settings: CommandSettings;
  readonly #offsetsKey: string;
  /** By partition, the offset that Redis has noted; empty: none. */
  readonly #noted = new Map<string, string>();
  #connection: RedisConnection | null = null;
  #attempt = 0;

  constructor(readonly context: Context) {
    const { config, connector } = context;
    const keyOf = nameTemplate(config["redis.key"], NAMES);
    this.#offsetsKey = nameTemplate(config["redis.offsets.key"], ["connector"])({ connector });
    this.#settings = {
      type: config["redis.type"],
      keyOf: (topic, key) => keyOf({ topic, key }),
      separator: config["redis.key"].includes("{key}") ? null : config["redis.separator"],
      maxLength: config["redis.stream.maxlen"],
      keyField: config["redis.stream.key.field"],
      expireMs: config["redis.expire.ms"],
    };
  }

  /** Where Redis has come to. */
  async assigned(partitions: readonly TopicPartition[]): Promise<SinkPosition[]> {
    const names = partitions.map(nameOf);
    const noted = await this.#patiently((connection) =>
      connection.send(["HMGET", this.#offsetsKey, ...names])
    );
    const positions: SinkPosition[] = [];
    for (const [i, { topic, partition }] of partitions.entries()) {
      const text = Array.isArray(noted) ? String(noted[i] ?? "") : "";
      if (text !== "" && !/^\d{1,19}$/.test(text)) {
        throw new Error(`"${this.#offsetsKey}" of Redis holds what is no offset: delete that hash`);
      }
      this.#noted.set(nameOf({ topic, partition }), text);
      if (text !== "") positions.push({ topic, partition, offset: BigInt(text) });
    }
    return positions;
  }

  async write(records: readonly SinkRecord[]): Promise<void> {
    for (const [name, own] of Map.groupBy(records, ({ original }) => nameOf(original))) {
      for (let from = 0; from < own.length;) {
        from += await this.#writeSome(name, own.slice(from, from + this.#batchSize));
      }
    }
  }

  revoked(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#noted.delete(nameOf(partition));
  }

  close(): void {
    this.#connection?.close();
  }

  get #batchSize(): number {
    return this.context.config["batch.size"];
  }

  /** How many of the records are done; at least one. */
  async #writeSome(name: string, records: readonly SinkRecord[]): Promise<number> {
    const steps: Step[] = [];
    let bytes = 0;
    for (const record of records) {
      const step = await this.#stepOf(record);
      bytes += sizeOf(step);
      if (bytes > STEP_BYTES_MAX && steps.length > 0) break;
      steps.push(step);
    }
    await this.#make(name, records, steps);
    return steps.length;
  }

  async #stepOf(record: SinkRecord): Promise<Step> {
    const { offset } = record.original;
    if (offset < BigInt(this.#notedOf(record))) return { offset, commands: [] };
    try {
      return { offset, commands: commandsOf(record, this.#settings) };
    } catch (error) {
      if (!(error instanceof NoCommand)) throw error;
      await this.context.reject(record, error);
      return { offset, commands: [] };
    }
  }

  #notedOf({ original }: SinkRecord): string {
    return this.#noted.get(nameOf(original)) || "0";
  }

  async #make(name: string, records: readonly SinkRecord[], all: readonly Step[]): Promise<void> {
    for (let steps = [...all];;) {
      const expected = this.#noted.get(name) ?? "";
      steps = steps.filter(({ offset }) => offset >= BigInt(expected || "0"));
      if (steps.length === 0) return;
      const connection = await this.#connected();
      const outcome = await makeSteps(connection, this.#offsetsKey, name, expected, steps);
      if (outcome.kind === "done") {
        this.#noted.set(name, String(steps.at(-1)!.offset + 1n));
        return;
      }
      this.#adopt(name, expected, outcome.noted);
      if (outcome.kind === "other") continue;
      const refusal = refusalFrom(connection.server, outcome.why);
      if (refusal instanceof RetriableError) {
        connection.close();
        throw refusal;
      }
      const { offset } = steps[outcome.step]!;
      await this.context.reject(records.find((one) => one.original.offset === offset)!, refusal);
      steps = steps.map((step) => step.offset === offset ? { offset, commands: [] } : step);
    }
  }

  /** Throws where Redis has gone back. */
  #adopt(name: string, expected: string, noted: string): void {
    if (BigInt(noted || "0") < BigInt(expected || "0")) {
      throw new Error(
        `Redis has lost what was written to it: of ${name} it has noted ` +
          `${
            noted === "" ? "nothing" : `offset ${noted}`
          }, not ${expected}; it is begun there again`,
      );
    }
    this.#noted.set(name, noted);
  }

  /** Throws `RetriableError`. */
  async #connected(): Promise<RedisConnection> {
    if (this.#connection?.isOpen === true) return this.#connection;
    const { config } = this.context;
    return this.#connection = await RedisConnection.open(config, this.context, this.#attempt++);
  }

  /** Partitions are waited for by the group, so that a server is not, for long. */
  async #patiently<T>(ask: (connection: RedisConnection) => Promise<T>): Promise<T> {
    const { clock, signal, log } = this.context;
    for (let attempt = 1, pauseMs = PAUSE_MS_MIN;; attempt++, pauseMs *= 2) {
      try {
        return await ask(await this.#connected());
      } catch (error) {
        const isLast = attempt === ASSIGN_ATTEMPTS || signal.aborted;
        if (!(error instanceof RetriableError) || isLast) throw error;
        log.warn("offsets are asked for again", { error: error.message, pauseMs });
        await clock.sleep(pauseMs, signal);
      }
    }
  }
}

function sizeOf({ commands }: Step): number {
  let bytes = 0;
  for (const command of commands) for (const part of command) bytes += part.length;
  return bytes;
}
