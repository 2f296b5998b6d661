/** `GET /v1/topics/TOPIC/ws`: a WebSocket that writes and reads records (`browse/record-socket.ts`). */
import { admissionOf } from "../browse/answer-stream.ts";
import { stackOf } from "../../core/stack-of.ts";
import { RecordSocket } from "../browse/record-socket.ts";
import { SOCKET_ANSWER, SOCKET_MESSAGE } from "../browse/socket-messages.ts";
import { TopicScan } from "../browse/topic-scan.ts";
import { poolOf } from "../ingest/producer-pool.ts";
import { createRoute, newRoutes } from "../openapi.ts";
import { Problem } from "../problem.ts";
import type { AdminServices } from "../services.ts";
import { TOPIC_PARAM } from "./topics.ts";

/** Fetched and not sent yet, of one socket. */
const QUEUED_BYTES = 4 * 1024 * 1024;

const OPEN = createRoute({
  method: "get",
  path: "/v1/topics/{topic}/ws",
  operationId: "openRecordSocket",
  tags: ["records"],
  summary: "A WebSocket that writes and reads records",
  description:
    "Messages are JSON texts: those to the server are a `SocketMessage`, those from it a " +
    "`SocketAnswer`. Without an upgrade the answer is 426.",
  request: { params: TOPIC_PARAM },
  responses: { 101: { description: "The connection is a WebSocket" } },
});

export function recordSocketRoutes(services: AdminServices) {
  const { broker } = services;
  const { clock } = broker.io;
  const routes = newRoutes();
  routes.openAPIRegistry.register("SocketMessage", SOCKET_MESSAGE);
  routes.openAPIRegistry.register("SocketAnswer", SOCKET_ANSWER);
  return routes.openapi(OPEN, (context) => {
    const { exchange, peer } = context.env;
    const { topic } = context.req.valid("param");
    const principal = context.get("principal");
    const failed = (error: unknown) =>
      broker.logger.error("a WebSocket failed by an internal error", {
        stack: stackOf(error),
      });
    const permit = admissionOf(services).enter(peer.host, "stream");
    // Asked anew each time: a socket may outlive the client that it began with.
    const client = () => services.client(principal, peer);
    const isOpen = exchange?.upgrade((socket) =>
      new RecordSocket(socket, {
        ...{ clock, topic, permit, failed },
        stopping: broker.stopping,
        openScan: (query, signal) => TopicScan.open(client(), topic, query, QUEUED_BYTES, signal),
        lease: () => {
          const kind = { acks: "all", compression: "none", create: false } as const;
          return poolOf(services).lease(client(), kind);
        },
        release: (leased, isGood) => void poolOf(services).release(leased, isGood).catch(failed),
      })
    );
    if (isOpen) return new Response(null);
    permit.leave();
    throw new Problem(426, "no WebSocket", "this is a WebSocket: ask for an upgrade");
  });
}
