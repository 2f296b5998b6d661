/**
 * `/v1/hanging-transactions`: those that are open in a partition, though no coordinator knows of them.
 * Nobody will end them by themselves, and readers of committed records wait for ever (KIP-664).
 */
import type { Context } from "hono";
import {
  findOpenTransactions,
  type OpenTransaction,
  openTransactionJson,
  servedPartitions,
} from "../../client/admin/open-transactions.ts";
import type { AdminEnv } from "../app.ts";
import {
  body,
  count,
  createRoute,
  json,
  list,
  newRoutes,
  timeMs,
  wholeNumber,
  z,
} from "../openapi.ts";
import { Problem } from "../problem.ts";
import type { AdminServices } from "../services.ts";
import { DRY_RUN, requirePartition } from "./topics.ts";

/** As Kafka's `transaction.max.timeout.ms`: what has been quiet for so long is not merely slow. */
const LONGER_MS_DEFAULT = 900_000;

const HANGING = z.object({
  topic: z.string(),
  partition: count,
  startOffset: count.describe("where it begins"),
  producerId: z.int(),
  producerEpoch: z.int(),
  coordinatorEpoch: z.int().describe("of the last marker; -1: there is none"),
  lastTimestampMs: timeMs.describe("of its last record"),
}).openapi("HangingTransaction");
const PLACE = z.strictObject({
  topic: z.string().min(1).max(249),
  partition: count,
  startOffset: count,
}).openapi("HangingTransactionPlace");

const tags = ["transactions"];
const LIST = createRoute({
  method: "get",
  path: "/v1/hanging-transactions",
  operationId: "findHangingTransactions",
  tags,
  summary: "Look in all partitions for transactions that no coordinator knows of",
  request: {
    query: z.strictObject({
      longerMs: wholeNumber(0, Number.MAX_SAFE_INTEGER).optional()
        .describe(`only those that wrote nothing for so long; default ${LONGER_MS_DEFAULT}`),
    }),
  },
  responses: { 200: json(z.object({ transactions: list(HANGING) }), "Those that hang") },
});
const ABORT = createRoute({
  method: "post",
  path: "/v1/hanging-transactions/abort",
  operationId: "abortHangingTransaction",
  tags,
  summary: "End a transaction that hangs, by an abort marker in its partition",
  request: { query: DRY_RUN, body: body(PLACE) },
  responses: { 200: json(HANGING, "What is aborted, as it was before") },
});

export function hangingTransactionRoutes(services: AdminServices) {
  const { clock } = services.broker.io;
  const adminOf = (context: Context<AdminEnv>) =>
    services.client(context.var.principal, context.env.peer).admin;
  return newRoutes()
    .openapi(LIST, async (context) => {
      const admin = adminOf(context);
      const { longerMs = LONGER_MS_DEFAULT } = context.req.valid("query");
      const partitions = await servedPartitions(admin);
      const open = await findOpenTransactions(admin, partitions, longerMs, clock.wallMs());
      return context.json({ transactions: open.filter(hangs).map(viewOf) }, 200);
    })
    .openapi(ABORT, async (context) => {
      const admin = adminOf(context);
      const { topic, partition, startOffset } = context.req.valid("json");
      await requirePartition(admin, topic, partition);
      const place = [{ topic, partitions: [partition] }];
      const open = await findOpenTransactions(admin, place, 0, clock.wallMs());
      const found = open.find((each) => each.startOffset === startOffset);
      if (found === undefined) {
        const detail = `no transaction is open in ${topic}-${partition} from offset ${startOffset}`;
        throw new Problem(404, "not found", detail);
      }
      if (!hangs(found)) {
        const detail = `it does not hang: it is one of "${found.transactionalId}"`;
        throw new Problem(409, "conflict", detail);
      }
      if (!context.req.valid("query").dryRun) await admin.transactions.abort(found.producer);
      return context.json(viewOf(found), 200);
    });
}

function hangs({ transactionalId }: OpenTransaction): boolean {
  return transactionalId === null;
}

function viewOf(open: OpenTransaction) {
  const { transactionalId: _none, ...view } = openTransactionJson(open);
  return view;
}
