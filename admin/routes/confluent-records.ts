/**
 * `POST /kafka/v3/clusters/CLUSTER/topics/TOPIC/records`: Confluent's REST Proxy, v3: the body is one
 * JSON object a record, any number of them one behind the other, and so is the answer, streamed:
 *
 *     {"key": {"type": "STRING", "data": "k"}, "value": {"type": "JSON", "data": {"n": 1}}}
 *
 * Types are BINARY (base64), JSON and STRING.
 */
import { principalName } from "../../broker/authorizer.ts";
import type { Context } from "hono";
import { topicOf } from "../browse/answer-stream.ts";
import type { AdminEnv, AdminServices, Routes } from "../app.ts";
import { clientProblem } from "../client-problem.ts";
import { BodyReader } from "../ingest/body-reader.ts";
import { ConfluentStream } from "../ingest/confluent-stream.ts";
import { openTopic } from "../ingest/ingest-body.ts";
import { poolOf } from "../ingest/producer-pool.ts";

export const confluentRecordRoutes: Routes = (app, services) => {
  app.post(
    "/kafka/v3/clusters/:cluster/topics/:topic/records",
    (context) => produce(services, context),
  );
};

async function produce(services: AdminServices, context: Context<AdminEnv>): Promise<Response> {
  const { broker } = services;
  const { clusterId } = broker;
  const topic = topicOf(context);
  if (context.req.param("cluster") !== clusterId) {
    return error(404, 40401, `the cluster's id is ${clusterId}`);
  }
  context.env.exchange?.setIdleSeconds(0);
  const principal = context.get("principal");
  const pool = poolOf(services);
  const kind = { acks: "all", compression: "none", create: false } as const;
  const user = principalName(principal);
  const leased = pool.lease(services.client(principal), user, kind);
  const release = (isGood: boolean) => {
    pool.release(leased, isGood).catch((failure: unknown) => {
      broker.logger.error("a producer could not be closed", { error: String(failure) });
    });
  };
  const { clock } = broker.io;
  const body = new BodyReader(clock, context.req.raw);
  try {
    await openTopic(leased, topic, -1);
  } catch (failure) {
    body.close();
    release(false);
    const problem = clientProblem(failure);
    if (problem === null) throw failure;
    return error(problem.status, problem.status === 404 ? 40403 : problem.status, problem.detail);
  }
  const stream = new ConfluentStream({ clusterId, topic }, leased, clock, () => {
    release(stream.isGood);
  });
  stream.feed(body).catch(() => {});
  const first = await stream.next() ?? "";
  const code: unknown = first === "" ? 200 : JSON.parse(first).error_code;
  const status = typeof code === "number" && code < 600 ? code : 200;
  // As theirs: what is wrong with the first record is the status, for those that send one.
  return new Response(stream.stream(first), {
    status,
    headers: { "content-type": "application/json" },
  });
}

function error(status: number, error_code: number, message: string): Response {
  return Response.json({ error_code, message }, { status });
}
