/**
 * `POST|PUT /v1/topics/TOPIC/records[/KEY]`: writes the records of the body, of any length:
 *
 *     kstream consume orders -f json | curl -T- http://127.0.0.1:8080/v1/topics/copy/records
 *     curl -T access.log 'http://127.0.0.1:8080/v1/topics/logs/records?format=lines'
 *
 * The content type or `format` says how: `json` (a line is an envelope, as `consume -f json` prints
 * it: also what has no type), `lines` (a line is a value: `text/plain`), `csv`, or `one`, where the
 * body is one value: all other types.
 *
 * `GET /v1/topics/TOPIC/records?from=-1h&where=…&follow=true`: records as NDJSON, or as Server-Sent
 * Events whose id is where to go on. `docs/admin.md` has the parameters of both.
 */
import type { Context } from "hono";
import type { AdminEnv } from "../app.ts";
import { answerStream, type StreamAnswer } from "../browse/answer-stream.ts";
import { runBrowse } from "../browse/browse.ts";
import { BROWSE_HEADERS, BROWSE_QUERY, browseQuery } from "../browse/browse-query.ts";
import { clientProblem } from "../client-problem.ts";
import { ingestAnswer } from "../ingest/answer.ts";
import { BodyReader } from "../ingest/body-reader.ts";
import { ingestBody, type IngestOutcome, LINE_BYTES_MAX } from "../ingest/ingest-body.ts";
import {
  INGEST_HEADERS,
  INGEST_QUERY,
  type IngestQuery,
  ingestQuery,
} from "../ingest/ingest-query.ts";
import { ingestOne } from "../ingest/ingest-one.ts";
import { poolOf } from "../ingest/producer-pool.ts";
import { createRoute, json, newRoutes, streamed, streamedBody, z } from "../openapi.ts";
import { Problem } from "../problem.ts";
import { END, NEW_RECORD, RECORD, WRITTEN } from "../record-schemas.ts";
import type { AdminServices } from "../services.ts";
import { TOPIC_PARAM } from "./topics.ts";

/** Fetched and not sent yet, of one answer. */
const QUEUED_BYTES = 4 * 1024 * 1024;

const tags = ["records"];
const READ = createRoute({
  method: "get",
  path: "/v1/topics/{topic}/records",
  operationId: "readRecords",
  tags,
  summary: "Records of a range, or as they come",
  description:
    "NDJSON ends with an `end` where it is not all that was asked for. Events have where " +
    "to go on as their id; the last one is `end`.",
  request: { params: TOPIC_PARAM, query: BROWSE_QUERY, headers: BROWSE_HEADERS },
  responses: {
    200: streamed({
      "application/x-ndjson": z.union([RECORD, z.object({ end: END })]),
      "text/event-stream": z.union([RECORD, END]),
      "text/csv": z.string().describe("with a line of names: topic, partition, offset, …"),
    }, "The records"),
  },
});

const text = { type: "string" } as const;
const BODY = streamedBody({
  "application/x-ndjson": { schema: { $ref: "#/components/schemas/NewRecord" } },
  "text/plain": { schema: { ...text, description: "a line is a value" } },
  "text/csv": { schema: { ...text, description: "a row is a record" } },
  "application/json": { schema: { description: "one value: the body, byte for byte" } },
  "application/octet-stream": { schema: { ...text, description: "one value, as with all others" } },
}, "The records; of NDJSON each line is one");
const WRITE = {
  tags,
  summary: "Write the records of a body of any length",
  description: "The content type, or `format`, says what a record is. HTTP headers " +
    "`Kstream-Header-NAME` become headers of the records, and `traceparent`, `tracestate` and " +
    "`baggage` under their own names. A problem says how much of the body is stored.",
  // Any number of them, so that they are none of the schema's own.
  parameters: [{
    name: "headers",
    in: "query" as const,
    style: "form" as const,
    explode: true,
    description: "header.NAME=VALUE: a header of each record",
    schema: {
      type: "object" as const,
      propertyNames: { pattern: "^header\\.[A-Za-z0-9_.-]{1,50}$" },
      additionalProperties: text,
    },
  }],
  responses: { 200: json(WRITTEN, "All of them are acknowledged") },
};
const REQUEST = { query: INGEST_QUERY, headers: INGEST_HEADERS, body: BODY };
const TOPIC = {
  path: "/v1/topics/{topic}/records",
  request: { ...REQUEST, params: TOPIC_PARAM },
} as const;
const KEY = {
  path: "/v1/topics/{topic}/records/:key{.+}",
  request: { ...REQUEST, params: TOPIC_PARAM.extend({ key: z.string() }) },
} as const;
const POST = createRoute({ ...WRITE, ...TOPIC, method: "post", operationId: "writeRecords" });
const PUT = createRoute({ ...WRITE, ...TOPIC, method: "put", operationId: "putRecords" });
const POST_KEY = createRoute({
  ...WRITE,
  ...KEY,
  method: "post",
  operationId: "writeRecordsOfKey",
});
const PUT_KEY = createRoute({ ...WRITE, ...KEY, method: "put", operationId: "putRecordsOfKey" });

export function recordRoutes(services: AdminServices) {
  const routes = newRoutes();
  routes.openAPIRegistry.register("NewRecord", NEW_RECORD);
  return routes
    .openapi(READ, (context) => {
      const { topic } = context.req.valid("param");
      const resume = context.req.valid("header")["last-event-id"];
      return read(services, context, topic, context.req.valid("query"), resume);
    })
    .openapi(POST, async (context) => {
      const { topic } = context.req.valid("param");
      const { "kstream-key": key = null } = context.req.valid("header");
      const query = ingestQuery(context.req.raw, context.req.valid("query"), key);
      return context.json(ingestAnswer(await write(services, context, topic, query)), 200);
    })
    .openapi(PUT, async (context) => {
      const { topic } = context.req.valid("param");
      const { "kstream-key": key = null } = context.req.valid("header");
      const query = ingestQuery(context.req.raw, context.req.valid("query"), key);
      return context.json(ingestAnswer(await write(services, context, topic, query)), 200);
    })
    .openapi(POST_KEY, async (context) => {
      const { topic, key } = context.req.valid("param");
      const query = ingestQuery(context.req.raw, context.req.valid("query"), key);
      return context.json(ingestAnswer(await write(services, context, topic, query)), 200);
    })
    .openapi(PUT_KEY, async (context) => {
      const { topic, key } = context.req.valid("param");
      const query = ingestQuery(context.req.raw, context.req.valid("query"), key);
      return context.json(ingestAnswer(await write(services, context, topic, query)), 200);
    });
}

async function read(
  services: AdminServices,
  context: Context<AdminEnv>,
  topic: string,
  given: z.output<typeof BROWSE_QUERY>,
  resume: ReadonlyMap<number, number> | undefined,
): Promise<Response> {
  const query = browseQuery(given, resume, services.broker.io.clock.wallMs());
  const answer: StreamAnswer = {
    kind: "stream",
    topic,
    range: query,
    format: query.format,
    queuedBytes: QUEUED_BYTES,
  };
  return await answerStream(services, context, answer, (scan, format, writer, stopping) => {
    return runBrowse(scan, query, format, writer, stopping);
  });
}

async function write(
  services: AdminServices,
  context: Context<AdminEnv>,
  topic: string,
  query: IngestQuery,
): Promise<IngestOutcome> {
  // Reads of the body have a bound of their own, and an answer waits for acknowledgements.
  context.env.exchange?.setIdleSeconds(0);
  await requireDurability(services, context, topic, query);
  const { clock } = services.broker.io;
  const pool = poolOf(services);
  const { acks, compression, create } = query;
  const client = services.client(context.get("principal"), context.env.peer);
  const leased = pool.lease(client, { acks, compression, create });
  const body = new BodyReader(clock, context.req.raw);
  let isGood = false;
  try {
    const outcome = query.format === "one"
      ? await ingestOne(topic, query, await body.all(LINE_BYTES_MAX), leased, clock)
      : await ingestBody(topic, query, body, leased, clock);
    isGood = outcome.failed === 0;
    if (outcome.problem !== null) body.close();
    return outcome;
  } catch (error) {
    body.close();
    throw clientProblem(error) ?? error;
  } finally {
    await pool.release(leased, isGood);
  }
}

/** Refuses what asks for more than the topic promises. */
async function requireDurability(
  services: AdminServices,
  context: Context<AdminEnv>,
  topic: string,
  { durability, acks }: IngestQuery,
): Promise<void> {
  if (durability !== "fsync") return;
  if (acks !== "all") throw new Problem(400, "bad request", "durability=fsync needs acks=all");
  const { admin } = services.client(context.get("principal"), context.env.peer);
  const names = ["kstream.durability"];
  const configs = await admin.describeConfigs({ type: "topic", name: topic }, { names })
    .catch((error: unknown) => {
      throw clientProblem(error) ?? error;
    });
  const promised = configs.find(({ name }) => name === names[0])?.value ?? "unknown";
  if (promised === "fsync") return;
  const detail = `topic "${topic}" has kstream.durability=${promised}: what is acknowledged may ` +
    "not be on disk yet; set the config to fsync, or do not ask for it";
  throw new Problem(409, "not durable enough", detail);
}
