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
import { principalName } from "../../broker/authorizer.ts";
import type { Context } from "hono";
import type { AdminEnv, AdminServices, Routes } from "../app.ts";
import { answerStream, type StreamAnswer, topicOf } from "../browse/answer-stream.ts";
import { runBrowse } from "../browse/browse.ts";
import { browseQuery } from "../browse/browse-query.ts";
import { clientProblem } from "../client-problem.ts";
import { ingestAnswer } from "../ingest/answer.ts";
import { BodyReader } from "../ingest/body-reader.ts";
import { ingestBody, LINE_BYTES_MAX } from "../ingest/ingest-body.ts";
import { type IngestQuery, ingestQuery } from "../ingest/ingest-query.ts";
import { ingestOne } from "../ingest/ingest-one.ts";
import { poolOf, type ProducerPool } from "../ingest/producer-pool.ts";
import { Problem } from "../problem.ts";

export const recordRoutes: Routes = (app, services) => {
  const pool = poolOf(services);
  const write = async (context: Context<AdminEnv>): Promise<Response> => {
    const topic = topicOf(context);
    // Reads of the body have a bound of their own, and an answer waits for acknowledgements.
    context.env.exchange?.setIdleSeconds(0);
    const query = ingestQuery(context.req.raw, context.req.param("key") ?? null);
    await requireDurability(services, context, topic, query);
    return await writeBody(services, pool, context, topic, query);
  };
  app.get("/v1/topics/:topic/records", (context) => read(services, context));
  app.on(["POST", "PUT"], ["/v1/topics/:topic/records"], write);
  app.on(["POST", "PUT"], ["/v1/topics/:topic/records/:key{.+}"], write);
};

/** Fetched and not sent yet, of one answer. */
const QUEUED_BYTES = 4 * 1024 * 1024;

async function read(services: AdminServices, context: Context<AdminEnv>): Promise<Response> {
  const lastId = context.req.header("last-event-id");
  const given = { ...context.req.query(), ...(lastId && { "last-event-id": lastId }) };
  const query = browseQuery(given, services.broker.io.clock.wallMs());
  const answer: StreamAnswer = {
    kind: "stream",
    range: query,
    format: query.format,
    queuedBytes: QUEUED_BYTES,
  };
  return await answerStream(services, context, answer, (scan, format, writer, stopping) => {
    return runBrowse(scan, query, format, writer, stopping);
  });
}

async function writeBody(
  services: AdminServices,
  pool: ProducerPool,
  context: Context<AdminEnv>,
  topic: string,
  query: IngestQuery,
): Promise<Response> {
  const { clock } = services.broker.io;
  const principal = context.get("principal");
  const { acks, compression, create } = query;
  const user = principalName(principal);
  const leased = pool.lease(services.client(principal), user, { acks, compression, create });
  const body = new BodyReader(clock, context.req.raw);
  let isGood = false;
  try {
    const outcome = query.format === "one"
      ? await ingestOne(topic, query, await body.all(LINE_BYTES_MAX), leased, clock)
      : await ingestBody(topic, query, body, leased, clock);
    isGood = outcome.failed === 0;
    if (outcome.problem !== null) body.close();
    return ingestAnswer(outcome);
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
  const { admin } = services.client(context.get("principal"));
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
