/** `GET /v1/topics/TOPIC/ws`: a WebSocket that writes and reads records (`browse/record-socket.ts`). */
import { principalName } from "../../broker/authorizer.ts";
import { admissionOf, topicOf } from "../browse/answer-stream.ts";
import { RecordSocket } from "../browse/record-socket.ts";
import { TopicScan } from "../browse/topic-scan.ts";
import type { Routes } from "../app.ts";
import { poolOf } from "../ingest/producer-pool.ts";
import { Problem } from "../problem.ts";

/** Fetched and not sent yet, of one socket. */
const QUEUED_BYTES = 4 * 1024 * 1024;

export const recordSocketRoutes: Routes = (app, services) => {
  const { broker } = services;
  const { clock } = broker.io;
  app.get("/v1/topics/:topic/ws", (context) => {
    const { exchange, peer } = context.env;
    const topic = topicOf(context);
    const principal = context.get("principal");
    const user = principalName(principal);
    const failed = (error: unknown) =>
      broker.logger.error("a WebSocket failed by an internal error", {
        stack: error instanceof Error ? error.stack ?? error.message : String(error),
      });
    const permit = admissionOf(services).enter(peer.host, "stream");
    const client = services.client(principal);
    const isOpen = exchange?.upgrade((socket) =>
      new RecordSocket(socket, {
        ...{ clock, topic, permit, failed },
        stopping: broker.stopping,
        openScan: (query, signal) => TopicScan.open(client, topic, query, QUEUED_BYTES, signal),
        lease: () => {
          const kind = { acks: "all", compression: "none", create: false } as const;
          return poolOf(services).lease(client, user, kind);
        },
        release: (leased, isGood) => void poolOf(services).release(leased, isGood).catch(failed),
      })
    );
    if (isOpen) return new Response(null);
    permit.leave();
    throw new Problem(426, "no WebSocket", "this is a WebSocket: ask for an upgrade");
  });
};
