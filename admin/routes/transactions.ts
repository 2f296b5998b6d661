/** `/v1/transactions`: transactional ids and what they have open. */
import type { Context } from "hono";
import { TRANSACTION_STATES } from "../../broker/coordinator/transaction/transaction-records.ts";
import type { Admin } from "../../client/admin.ts";
import type { AdminEnv } from "../app.ts";
import {
  commaList,
  createRoute,
  json,
  list,
  newRoutes,
  timeMs,
  wholeNumber,
  z,
} from "../openapi.ts";
import { LIST_QUERY, nextCursor, pageOfItems } from "../paging.ts";
import { Problem } from "../problem.ts";
import type { AdminServices } from "../services.ts";
import { DRY_RUN } from "./topics.ts";

const LISTING = {
  transactionalId: z.string(),
  producerId: z.int(),
  state: z.string().describe("Ongoing, CompleteCommit, …"),
  coordinator: z.int(),
};
const TRANSACTION = z.object({
  ...LISTING,
  startTimeMs: timeMs.nullable().describe("null while none is running"),
  timeoutMs: z.int().nullable().describe("after which its coordinator aborts it; null as before"),
}).openapi("Transaction");
const DESCRIPTION = z.object({
  ...LISTING,
  producerEpoch: z.int(),
  timeoutMs: z.int(),
  startTimeMs: timeMs.nullable().describe("null while none is running"),
  partitions: list(z.object({ topic: z.string(), partitions: list(z.int()) })),
}).openapi("TransactionDescription");
/** States with a transaction that has begun. */
const RUNNING: readonly string[] = ["Ongoing", "PrepareCommit", "PrepareAbort"];
const FILTERS = LIST_QUERY.extend({
  state: commaList(z.enum(TRANSACTION_STATES), {
    type: "string",
    enum: [...TRANSACTION_STATES],
  }).optional()
    .describe("only those in one of these"),
  producerId: commaList(wholeNumber(0, Number.MAX_SAFE_INTEGER), { type: "integer" }).optional()
    .describe("only those of one of these producers"),
  longerMs: wholeNumber(0, Number.MAX_SAFE_INTEGER).optional()
    .describe("only those whose last transaction began longer ago, as KIP-994 has it"),
  pattern: z.string().min(1).max(250).optional()
    .describe("only those whose whole id matches this, in RE2's syntax"),
});
const ID = z.object({ id: z.string().min(1).max(500) });

const tags = ["transactions"];
const LIST = createRoute({
  method: "get",
  path: "/v1/transactions",
  operationId: "listTransactions",
  tags,
  summary: "The transactional ids",
  request: { query: FILTERS },
  responses: {
    200: json(z.object({ transactions: list(TRANSACTION), nextCursor }), "A page of them"),
  },
});
const DESCRIBE = createRoute({
  method: "get",
  path: "/v1/transactions/{id}",
  operationId: "describeTransaction",
  tags,
  summary: "A transactional id and its transaction",
  request: { params: ID },
  responses: { 200: json(DESCRIPTION, "The transaction") },
});
const ABORT = createRoute({
  method: "post",
  path: "/v1/transactions/{id}/abort",
  operationId: "abortTransaction",
  tags,
  summary: "Abort the open transaction of an id, and fence its producer",
  request: { params: ID, query: DRY_RUN },
  responses: { 200: json(DESCRIPTION, "What is aborted, as it was before") },
});

export function transactionRoutes(services: AdminServices) {
  const adminOf = (context: Context<AdminEnv>) =>
    services.client(context.var.principal, context.env.peer).admin;
  const read = async (context: Context<AdminEnv>, id: string) => {
    const { producerId, ...rest } = await adminOf(context).transactions.describe(id);
    return { producerId: Number(producerId), ...rest };
  };
  return newRoutes()
    .openapi(LIST, async (context) => {
      const { state, producerId, longerMs, pattern, ...query } = context.req.valid("query");
      const admin = adminOf(context);
      const found = await admin.transactions.list({
        ...(state !== undefined && { states: state }),
        ...(producerId !== undefined && { producerIds: producerId.map(BigInt) }),
        ...(longerMs !== undefined && { longerThanMs: longerMs }),
        ...(pattern !== undefined && { idPattern: pattern }),
      });
      const listed = found.map((each) => ({ ...each, producerId: Number(each.producerId) }));
      const page = pageOfItems(listed, query, (each) => each.transactionalId);
      const transactions = await withTimes(admin, page.items);
      return context.json({ transactions, nextCursor: page.nextCursor }, 200);
    })
    .openapi(DESCRIBE, async (context) => {
      return context.json(await read(context, context.req.valid("param").id), 200);
    })
    .openapi(ABORT, async (context) => {
      const { id } = context.req.valid("param");
      const before = await read(context, id);
      if (before.state !== "Ongoing") {
        const detail = `"${id}" has no open transaction: its state is ${before.state}`;
        throw new Problem(409, "conflict", detail);
      }
      if (!context.req.valid("query").dryRun) await adminOf(context).transactions.terminate(id);
      return context.json(before, 200);
    });
}

/** Since when those are running that are. */
async function withTimes<T extends { transactionalId: string; coordinator: number; state: string }>(
  admin: Admin,
  listed: readonly T[],
) {
  const running = listed.filter(({ state }) => RUNNING.includes(state));
  const described = await admin.transactions.describeAll(running);
  const byId = new Map(described.map((each) => [each.transactionalId, each]));
  return listed.map((each) => {
    const { startTimeMs = null, timeoutMs = null } = byId.get(each.transactionalId) ?? {};
    return { ...each, startTimeMs, timeoutMs: startTimeMs === null ? null : timeoutMs };
  });
}
