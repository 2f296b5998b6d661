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
import {
  badValue,
  count,
  createRoute,
  flag,
  newRoutes,
  streamed,
  wholeNumber,
} from "../openapi.ts";
import { z } from "../openapi.ts";
import { Problem } from "../problem.ts";
import { RECORD } from "../record-schemas.ts";
import type { AdminServices } from "../services.ts";
import { TOPIC_PARAM } from "./topics.ts";

const DEADLINE_MS = 15_000;
/** How many requests are served at a time. */
const SEARCHES_MAX = 16;
/** What one answer has of a history. */
const RECORDS_MAX = 1000;
const BYTES_MAX = 4 * 1024 * 1024;

const ENCODINGS = ["utf8", "base64", "base64url"] as const;
const QUERY = z.strictObject({
  encoding: z.enum(ENCODINGS).default("utf8").describe("how the key is written"),
  partition: wholeNumber(0, 0x7fff_ffff).optional()
    .describe("where to look; default: where Java's partitioner puts the key"),
  history: flag.describe("all records that are kept, in their order; else the latest"),
  from: wholeNumber(0, Number.MAX_SAFE_INTEGER).optional()
    .describe("the first offset of a history"),
});
const KEY = createRoute({
  method: "get",
  path: "/v1/topics/{topic}/keys/:key{.*}",
  operationId: "getKey",
  tags: ["records"],
  summary:
    "The latest record of a key, or all of them, as a read_committed consumer would see them",
  description: "503 with the title `still indexing` while the topic's keys are being indexed, " +
    "which goes on with the next request.",
  request: { params: TOPIC_PARAM.extend({ key: z.string() }), query: QUERY },
  responses: {
    200: streamed({
      "application/json": z.object({
        clusterId: z.string(),
        topic: z.string(),
        partition: z.int(),
        nextOffset: count.nullable().describe("where a history goes on; null: this is all of it"),
        records: z.array(RECORD),
      }).openapi("KeyRecords"),
    }, "The records; none where there is no record of the key"),
  },
});

export function keyRoutes({ broker }: AdminServices) {
  let searches = 0;
  return newRoutes().openapi(KEY, async (context) => {
    const { topic, key } = context.req.valid("param");
    const query = readQuery(key, context.req.valid("query"));
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
}

interface Query {
  readonly key: Uint8Array;
  /** Null: where the key belongs. */
  readonly partition: number | null;
  /** The first offset of a history; null for the latest record. */
  readonly historyFrom: number | null;
}

function readQuery(key: string, given: z.output<typeof QUERY>): Query {
  const { encoding, partition = null, history, from } = given;
  if (from !== undefined && !history) {
    throw badValue("query", "from", "goes with history=true");
  }
  return { key: keyOf(key, encoding), partition, historyFrom: history ? from ?? 0 : null };
}

function keyOf(key: string, encoding: (typeof ENCODINGS)[number]): Uint8Array {
  if (encoding === "utf8") return new TextEncoder().encode(key);
  try {
    return Uint8Array.fromBase64(key, { alphabet: encoding });
  } catch {
    throw badValue("query", "encoding", `the key is no ${encoding}`);
  }
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
