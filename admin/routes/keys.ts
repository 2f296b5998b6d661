/**
 * `GET /v1/topics/TOPIC/keys/KEY`: the latest record of a key as `consume -f json` has it, or none,
 * as a `read_committed` consumer would see it:
 *
 *     {"clusterId": "…", "topic": "orders", "partition": 0, "records": [{…}], "nextOffset": null}
 *
 * - `encoding=base64` (or base64url): how KEY is written; else it is text.
 * - `partition=N`: where to look; else where Java's partitioner puts the key.
 * - `history=true`: all records that are kept, in their order, from the offset `from=N` on. Where
 *   there are more than fit an answer, `nextOffset` is where to go on.
 *
 * Segments are indexed when they are first looked at; while that takes longer than 15 s the answer
 * is 503 with the title "still indexing", and the next request goes on from there.
 */
import type { Context } from "hono";
import { Errors } from "../../core/errors.ts";
import { partitionOfKey } from "../../core/murmur2.ts";
import { formatEnvelope } from "../../core/records/record-json.ts";
import type { HostPort } from "../../core/io.ts";
import { type Principal, principalName } from "../../broker/authorizer.ts";
import type { Broker } from "../../broker/broker.ts";
import type { Partition } from "../../broker/partition.ts";
import {
  type KeyedRecord,
  KeyIndexUnfinished,
  KeySearchError,
} from "../../storage/partition-log.ts";
import type { Routes } from "../app.ts";
import { Problem } from "../problem.ts";

const PARAMETERS: readonly string[] = ["encoding", "partition", "history", "from"];
const DEADLINE_MS = 15_000;
/** How many requests are served at a time. */
const SEARCHES_MAX = 16;
/** What one answer has of a history. */
const RECORDS_MAX = 1000;
const BYTES_MAX = 4 * 1024 * 1024;

export const keyRoutes: Routes = (app, { broker }) => {
  let searches = 0;
  app.get("/v1/topics/:topic/keys/:key{.*}", async (context) => {
    const topic = context.req.param("topic");
    const query = parseQuery(context, context.req.param("key"));
    const partition = find(broker, topic, query, context.var.principal, context.env.peer);
    if (searches >= SEARCHES_MAX) {
      throw new Problem(503, "busy", "too many keys are being looked for: try again later");
    }
    searches++;
    try {
      const { records, nextOffset } = await search(broker, partition, query);
      const shown = records.map((record) => envelopeOf(partition, record));
      const head = JSON.stringify({
        clusterId: broker.clusterId,
        topic,
        partition: partition.index,
        nextOffset,
      });
      const body = `${head.slice(0, -1)},"records":[${shown.join(",\n")}]}\n`;
      return context.body(body, 200, { "content-type": "application/json" });
    } catch (error) {
      throw problemOf(error, topic);
    } finally {
      searches--;
    }
  });
};

interface Query {
  readonly key: Uint8Array;
  /** Null: where the key belongs. */
  readonly partition: number | null;
  /** The first offset of a history; null for the latest record. */
  readonly historyFrom: number | null;
}

function parseQuery(context: Context, key: string): Query {
  const given = context.req.query();
  const unknown = Object.keys(given).find((name) => !PARAMETERS.includes(name));
  if (unknown !== undefined) {
    throw badQuery(`${unknown.slice(0, 40)} is not known; known are ${PARAMETERS.join(", ")}`);
  }
  const { encoding = "utf8", partition, history = "false", from } = given;
  if (history !== "true" && history !== "false") throw badQuery("history is true or false");
  if (from !== undefined && history === "false") throw badQuery("from goes with history=true");
  return {
    key: keyOf(key, encoding),
    partition: partition === undefined ? null : wholeNumber("partition", partition, 0x7fff_ffff),
    historyFrom: history === "false"
      ? null
      : wholeNumber("from", from ?? "0", Number.MAX_SAFE_INTEGER),
  };
}

function keyOf(key: string, encoding: string): Uint8Array {
  if (encoding === "utf8") return new TextEncoder().encode(key);
  if (encoding !== "base64" && encoding !== "base64url") {
    throw badQuery("encoding is utf8, base64 or base64url");
  }
  try {
    return Uint8Array.fromBase64(key, { alphabet: encoding });
  } catch {
    throw badQuery(`the key is no ${encoding}`);
  }
}

function wholeNumber(name: string, text: string, max: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number <= max) return number;
  throw badQuery(`${name} is a whole number up to ${max}`);
}

function badQuery(why: string): Problem {
  return new Problem(400, "bad request", `the request is refused: ${why}`);
}

/** The partition, if who asks may read it. */
function find(
  broker: Broker,
  topic: string,
  query: Query,
  principal: Principal,
  peer: HostPort,
): Partition {
  const wanted = { operation: "READ", resourceType: "TOPIC", name: topic } as const;
  const name = topic.slice(0, 249);
  if (!broker.authorizer.authorize(principal, peer, wanted)) {
    throw new Problem(
      403,
      "not authorized",
      `${principalName(principal)} may not read topic "${name}"`,
    );
  }
  const image = broker.metadata.image.topics.get(topic);
  if (image === undefined) {
    throw new Problem(404, "not found", `topic "${name}" does not exist`);
  }
  const count = image.partitions.length;
  const index = query.partition ?? partitionOfKey(count, query.key);
  const found = broker.partitions.find(topic, index);
  if (typeof found === "number") {
    throw new Problem(404, "not found", `topic "${name}" has no partition ${index} here`);
  }
  if (found.checkLeader(-1) === Errors.NONE) return found;
  const why = `this broker does not serve partition ${index} of "${name}" now`;
  throw new Problem(503, "not served", why);
}

async function search(
  broker: Broker,
  partition: Partition,
  { key, historyFrom }: Query,
): Promise<{ records: readonly KeyedRecord[]; nextOffset: number | null }> {
  const deadlineMs = broker.io.clock.monotonicMs() + DEADLINE_MS;
  const query = { key, endOffset: partition.endOffset("read_committed"), deadlineMs };
  if (historyFrom === null) {
    const record = await partition.log.latestOfKey(query);
    return { records: record === null ? [] : [record], nextOffset: null };
  }
  const bounds = { fromOffset: historyFrom, recordsMax: RECORDS_MAX, bytesMax: BYTES_MAX };
  return await partition.log.historyOfKey({ ...query, ...bounds });
}

function envelopeOf({ topic, index }: Partition, record: KeyedRecord): string {
  const { offset, timestamp: timestampMs, key, value, headers, isAppendTime } = record;
  return formatEnvelope({
    topic,
    partition: index,
    offset: BigInt(offset),
    timestampMs,
    key,
    value,
    headers,
    isAppendTime,
  });
}

/** What is known of a failure; others are bugs. */
function problemOf(error: unknown, topic: string): unknown {
  if (error instanceof KeyIndexUnfinished) {
    const { indexedBytes, totalBytes } = error;
    const detail = `the keys of "${topic}" are still being indexed: ${indexedBytes} of ` +
      `${totalBytes} bytes are done; ask again to go on`;
    return new Problem(503, "still indexing", detail);
  }
  if (!(error instanceof KeySearchError)) return error;
  const isDamage = error.error === Errors.CORRUPT_MESSAGE;
  return isDamage
    ? new Problem(500, "damaged", `a part of "${topic}" is damaged: ${error.message}`)
    : new Problem(503, "not readable", `"${topic}" cannot be read now: ${error.message}`);
}
