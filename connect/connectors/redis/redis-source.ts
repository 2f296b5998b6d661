/** Entries of Redis streams. */
import { boolean, defineSource, int, list, string } from "../../index.ts";
import type {
  ConfigOf,
  ConnectHeader,
  ConnectValue,
  PartialSourceRecord,
  SourceContext,
} from "../../index.ts";
import { nameTemplate, templateCheck, topicName } from "../../formats/index.ts";
import { probeWorld, RedisConnection, redisFields, redisProblems } from "./connection.ts";
import type { Reply } from "./connection.ts";
import { isEntryId, StreamProgress, streamState } from "./stream-progress.ts";
import type { StreamGap, StreamState } from "./stream-progress.ts";

const fields = {
  ...redisFields,
  topic: string().default("{stream}").importance("HIGH").check(templateCheck(["stream"])).doc(
    "The topic that records are written to; {stream} stands for the name of the stream, with _ for what " +
      "topics cannot have in theirs.",
  ),
  "redis.stream.name": list().default([]).importance("HIGH").doc(
    "The streams that are read, by their keys. One that is not there is waited for.",
  ).example("orders"),
  "redis.stream.pattern": string().optional().doc(
    "A pattern of Redis for more of them, which are looked for again and again.",
  ).example("orders:*"),
  "redis.stream.offset": string().default("0-0").check((text) =>
    text === "$" || isEntryId(text) ? null : "must be 0-0, $ or the id of an entry"
  ).doc(
    "Where a stream is begun that nothing is remembered of: 0-0 with what is there, $ behind it, or " +
      "behind the entry of this id. What comes to be later is read from its begin, unless it is an id.",
  ),
  "redis.stream.block": int({ min: 1, max: 60_000 }).default(1000).doc(
    "How many milliseconds Redis waits for entries before it is asked again.",
  ),
  "batch.size": int({ min: 1, max: 100_000 }).default(500).doc(
    "How many entries are read at a time, at most, of all streams together.",
  ),
  "refresh.interval.ms": int({ min: 100 }).default(10_000).doc(
    "How often streams are looked for by the pattern, and all are looked at for gaps.",
  ),
  "key.field": string().optional().doc(
    "The field of an entry that becomes the key of its record; without it, the id of the entry does.",
  ),
  "value.field": string().optional().doc(
    "The field that alone becomes the value; without it, the value is an object of all fields.",
  ),
  bytes: boolean().default(false).doc(
    "Whether fields are bytes; else they are texts, but for what is no UTF-8.",
  ),
};

type Config = ConfigOf<typeof fields>;
type Context = SourceContext<Config>;

export default defineSource({
  name: "redis-source",
  version: "1.0.0",
  doc:
    "Reads streams of Redis (XREAD). Where it has come to is stored with Connect's offsets, not in a " +
    "group of Redis, so nothing is lost when it is killed, and with exactly.once.support each entry is " +
    "in the topic once. Entries that were trimmed or deleted before they were read are told of in the " +
    "log, in status and metrics (entries-lost-total; Redis 7 and later). Redis Cluster and Sentinel are " +
    "not known.",
  delivery: "exactly-once",
  example: {
    "redis.uri": "rediss://redis.example.com:6379",
    "redis.password": "${env:REDIS_PASSWORD}",
    "redis.stream.name": "orders",
  },
  config: fields,
  check(config) {
    const isNone = config["redis.stream.name"].length === 0 &&
      config["redis.stream.pattern"] === null;
    const message = '"redis.stream.name" or "redis.stream.pattern" must say what is read';
    return [
      ...redisProblems(config),
      ...isNone ? [{ field: "redis.stream.name", message }] : [],
    ];
  },
  async probe(config, signal) {
    const connection = await RedisConnection.open(config, probeWorld(signal));
    try {
      const streams = config["redis.stream.name"];
      for (const stream of streams) await stateOf(connection, stream);
      if (config["redis.stream.pattern"] !== null) await connection.send(["SCAN", "0"]);
      await connection.send(["XREAD", "COUNT", "1", "STREAMS", streams[0] ?? "kstream", "0-0"]);
    } finally {
      connection.close();
    }
  },
  read: (context) => new StreamSource(context).read(),
  checkOffsets(positions) {
    for (const { partition, offset } of positions) {
      if (typeof partition["stream"] !== "string") {
        throw new Error('a partition of redis-source is {"stream": NAME}');
      }
      if (offset !== null && !isEntryId(String(offset["id"] ?? ""))) {
        throw new Error('an offset of redis-source is {"id": ID OF AN ENTRY}, as 1526919030474-55');
      }
    }
  },
});

/** Fails from one reading to the next, so that another server is asked. */
const attempts = new WeakMap<Config, number>();

/** Null: there is no such key. */
async function stateOf(connection: RedisConnection, stream: string): Promise<StreamState | null> {
  if (await connection.send(["EXISTS", stream]) === 0) return null;
  return streamState(await connection.send(["XINFO", "STREAM", stream]));
}

class StreamSource {
  readonly #context: Context;
  readonly #streams = new Map<string, StreamProgress>();
  readonly #topicOf: (names: { readonly stream: string }) => string;
  #lookedMs = -Infinity;
  #isFirstLook = true;
  #lost = 0;

  constructor(context: Context) {
    this.#context = context;
    this.#topicOf = nameTemplate(context.config.topic, ["stream"]);
  }

  async *read(): AsyncGenerator<readonly PartialSourceRecord[]> {
    const { config, signal, clock } = this.#context;
    const attempt = attempts.get(config) ?? 0;
    attempts.set(config, attempt + 1);
    const connection = await RedisConnection.open(config, this.#context, attempt);
    this.#context.gauge("entries-lost-total", 0);
    try {
      while (!signal.aborted) {
        if (clock.monotonicMs() - this.#lookedMs >= config["refresh.interval.ms"]) {
          await this.#look(connection);
        }
        const records = await this.#next(connection);
        if (records.length > 0) yield records;
        attempts.set(config, attempt);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      connection.close();
    }
  }

  /** Finds streams, and what has become of those that are known. */
  async #look(connection: RedisConnection): Promise<void> {
    const { config, clock } = this.#context;
    for (const stream of config["redis.stream.name"]) await this.#add(connection, stream);
    const pattern = config["redis.stream.pattern"];
    for (let cursor = "0"; pattern !== null;) {
      const found = await connection.send([
        ...["SCAN", cursor, "MATCH", pattern, "COUNT", "1000", "TYPE", "stream"],
      ]);
      const [next, names] = listOf(found);
      for (const name of listOf(names)) await this.#add(connection, String(name));
      cursor = String(next);
      if (cursor === "0") break;
    }
    for (const [stream, progress] of this.#streams) {
      const state = await stateOf(connection, stream);
      if (state !== null) this.#tell(stream, progress.saw(state));
    }
    this.#isFirstLook = false;
    this.#lookedMs = clock.monotonicMs();
  }

  async #add(connection: RedisConnection, stream: string): Promise<void> {
    if (this.#streams.has(stream)) return;
    const { config, offsets, log } = this.#context;
    const stored = await offsets.get({ stream });
    const start = config["redis.stream.offset"];
    const progress = stored !== null ? StreamProgress.after(stored) : StreamProgress.from(
      start === "$" && !this.#isFirstLook ? "0-0" : start,
      await stateOf(connection, stream),
    );
    this.#streams.set(stream, progress);
    log.info("reads a stream", { stream, after: progress.id });
  }

  async #next(connection: RedisConnection): Promise<PartialSourceRecord[]> {
    const { config, clock, signal } = this.#context;
    const blockMs = config["redis.stream.block"];
    const names = [...this.#streams.keys()];
    if (names.length === 0) {
      await clock.sleep(Math.min(blockMs, config["refresh.interval.ms"]), signal);
      return [];
    }
    const count = Math.max(1, Math.floor(config["batch.size"] / names.length));
    const reply = await connection.send([
      ...["XREAD", "COUNT", String(count), "BLOCK", String(blockMs), "STREAMS", ...names],
      ...names.map((name) => this.#streams.get(name)!.id),
    ], blockMs);
    const records: PartialSourceRecord[] = [];
    const silent = new Set(names);
    for (const part of listOf(reply ?? [])) {
      const [name, entries] = listOf(part);
      silent.delete(String(name));
      this.#take(String(name), listOf(entries), records);
    }
    for (const name of silent) this.#tell(name, this.#streams.get(name)!.foundNothing());
    return records;
  }

  #take(stream: string, entries: readonly Reply[], records: PartialSourceRecord[]): void {
    const progress = this.#streams.get(stream);
    if (progress === undefined) {
      throw new Error(`Redis answers of "${stream}", which was not asked`);
    }
    const topic = topicName(this.#topicOf({ stream }));
    const sourcePartition = { stream };
    for (const entry of entries) {
      const [idBytes, pairs] = listOf(entry);
      const id = String(idBytes);
      this.#tell(stream, progress.took(id));
      const { key, value } = this.#parts(id, listOf(pairs ?? []));
      records.push({
        topic,
        key,
        value,
        headers: headersOf(stream, id),
        timestampMs: timeOf(id, this.#context.clock.wallMs()),
        sourcePartition,
        sourceOffset: progress.offset(),
      });
    }
  }

  #parts(id: string, pairs: readonly Reply[]): { key: ConnectValue; value: ConnectValue } {
    const { bytes, "key.field": keyField, "value.field": valueField } = this.#context.config;
    const found = new Map<string, ConnectValue>();
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      found.set(String(pairs[i]), fieldValue(pairs[i + 1], bytes));
    }
    return {
      key: keyField === null ? id : found.get(keyField) ?? null,
      // Own properties, whatever they are called.
      value: valueField === null ? Object.fromEntries(found) : found.get(valueField) ?? null,
    };
  }

  #tell(stream: string, gap: StreamGap | null): void {
    if (gap === null) return;
    const { log, gauge } = this.#context;
    const { after, before, count } = gap;
    if (count === null) {
      log.error("the stream was made anew, or has lost its end: it goes on with what comes now", {
        stream,
        after,
        before,
      });
      return;
    }
    this.#lost += count;
    gauge("entries-lost-total", this.#lost);
    log.error("entries were trimmed or deleted before they were read", {
      stream,
      count,
      after,
      before,
    });
  }
}

function listOf(reply: Reply | undefined): readonly Reply[] {
  if (Array.isArray(reply)) return reply;
  throw new Error("Redis answers with what is no list");
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function fieldValue(reply: Reply | undefined, isBytes: boolean): ConnectValue {
  if (!(reply instanceof Buffer)) return reply === undefined ? null : String(reply);
  if (isBytes) return Uint8Array.from(reply);
  try {
    return utf8.decode(reply);
  } catch {
    return Uint8Array.from(reply);
  }
}

function headersOf(stream: string, id: string): ConnectHeader[] {
  return [
    { name: "redis.stream", schema: null, value: stream },
    { name: "redis.id", schema: null, value: id },
  ];
}

const YEAR_2000_MS = 946_684_800_000;
const DAY_MS = 86_400_000;

/** The time that an id begins with, where Redis has made it; null where it can be none. */
function timeOf(id: string, nowMs: number): number | null {
  const ms = Number(id.split("-")[0]);
  return ms > YEAR_2000_MS && ms < nowMs + DAY_MS ? ms : null;
}
