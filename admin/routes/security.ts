/** `/v1/acls`, `/v1/quotas`: who may do what, and how much of it. */
import type { Context } from "hono";
import {
  type AclOperation,
  AclOperations,
  type AclPatternType,
  type AclPermission,
  AclResourceTypes,
  type ResourceType,
} from "../../core/acl.ts";
import type { AdminEnv } from "../app.ts";
import { body, createRoute, json, list, newRoutes, z } from "../openapi.ts";
import { LIST_QUERY, nextCursor, pageOfItems, WHOLE } from "../paging.ts";
import { Problem } from "../problem.ts";
import type { AdminServices } from "../services.ts";
import { DRY_RUN } from "./topics.ts";

function oneOf<K extends string>(table: Readonly<Record<K, number>>) {
  const names = Object.keys(table).filter((name): name is K => Object.hasOwn(table, name));
  return z.enum(names);
}

const resourceType: z.ZodType<ResourceType, ResourceType> = oneOf(AclResourceTypes);
const operation: z.ZodType<AclOperation, AclOperation> = oneOf(AclOperations);
const patternType: z.ZodType<AclPatternType, AclPatternType> = z.enum(["LITERAL", "PREFIXED"]);
const permission: z.ZodType<AclPermission, AclPermission> = z.enum(["ALLOW", "DENY"]);

const ACL = z.strictObject({
  resourceType,
  resourceName: z.string().min(1).max(500).describe("* for all"),
  patternType,
  principal: z.string().min(1).max(500).regex(/^[^:]+:.+$/, "is no principal: User:alice")
    .describe("User:alice; User:* for all"),
  host: z.string().min(1).max(300).describe("an address; * for all"),
  operation,
  permission,
}).openapi("Acl");
const ACL_FILTER = z.strictObject({
  resourceType: resourceType.optional(),
  resourceName: z.string().max(500).optional(),
  patternType: z.enum(["LITERAL", "PREFIXED", "MATCH"]).optional()
    .describe("MATCH: all that apply to the resource of this name"),
  principal: z.string().max(500).optional(),
  host: z.string().max(300).optional(),
  operation: operation.optional(),
  permission: permission.optional(),
});
const ACLS = z.object({ acls: list(ACL) });
const ACL_PAGE = ACLS.extend({ nextCursor });
const QUOTA = z.object({
  entity: z.record(z.string(), z.string().nullable()),
  quotas: z.record(z.string(), z.number()),
}).openapi("Quota");
const QUOTA_CHANGE = z.strictObject({
  entity: z.partialRecord(z.enum(["user", "client-id", "ip"]), z.string().max(500).nullable()),
  quotas: z.record(z.string().min(1).max(100), z.number().positive().nullable())
    .describe("new values; null removes one"),
}).openapi("QuotaChange");

const tags = ["security"];
const LIST_ACLS = createRoute({
  method: "get",
  path: "/v1/acls",
  operationId: "listAcls",
  tags,
  summary: "The ACLs that a filter selects",
  request: { query: ACL_FILTER.extend(LIST_QUERY.shape) },
  responses: { 200: json(ACL_PAGE, "The ACLs") },
});
const CREATE_ACL = createRoute({
  method: "post",
  path: "/v1/acls",
  operationId: "createAcl",
  tags,
  summary: "Add an ACL; one that is there already is no error",
  request: { body: body(ACL) },
  responses: { 201: json(ACL, "The ACL") },
});
const DELETE_ACLS = createRoute({
  method: "delete",
  path: "/v1/acls",
  operationId: "deleteAcls",
  tags,
  summary: "Delete the ACLs that a filter selects; with dryRun=true only say which",
  description: "Without a filter nothing is deleted: it would be every ACL there is.",
  request: { query: ACL_FILTER.extend(DRY_RUN.shape) },
  responses: { 200: json(ACLS, "Those that are gone") },
});
const LIST_QUOTAS = createRoute({
  method: "get",
  path: "/v1/quotas",
  operationId: "listQuotas",
  tags,
  summary: "The quotas of clients",
  request: { query: LIST_QUERY },
  responses: { 200: json(z.object({ quotas: list(QUOTA), nextCursor }), "The quotas") },
});
const CHANGE_QUOTAS = createRoute({
  method: "patch",
  path: "/v1/quotas",
  operationId: "changeQuotas",
  tags,
  summary: "Change quotas of users, client ids or addresses",
  request: { query: DRY_RUN, body: body(QUOTA_CHANGE) },
  responses: { 200: json(z.object({ changed: z.boolean() }), "They are changed, or would be") },
});
function filterOf(query: z.infer<typeof ACL_FILTER>) {
  return {
    resourceType: query.resourceType ?? null,
    resourceName: query.resourceName ?? null,
    patternType: query.patternType ?? null,
    principal: query.principal ?? null,
    host: query.host ?? null,
    operation: query.operation ?? null,
    permission: query.permission ?? null,
  };
}

export function securityRoutes(services: AdminServices) {
  const adminOf = (context: Context<AdminEnv>) =>
    services.client(context.var.principal, context.env.peer).admin;
  return aclRoutes(adminOf)
    .openapi(LIST_QUOTAS, async (context) => {
      const quotas = await adminOf(context).quotas.describe({});
      const query = { ...WHOLE, ...context.req.valid("query") };
      const page = pageOfItems(quotas, query, ({ entity }) => JSON.stringify(entity));
      return context.json({ quotas: page.items, nextCursor: page.nextCursor }, 200);
    })
    .openapi(CHANGE_QUOTAS, async (context) => {
      const { entity, quotas } = context.req.valid("json");
      if (Object.keys(entity).length === 0 || Object.keys(quotas).length === 0) {
        throw new Problem(400, "bad request body", "name an entity, and quotas to change");
      }
      const validateOnly = context.req.valid("query").dryRun;
      await adminOf(context).quotas.alter(entity, quotas, { validateOnly });
      return context.json({ changed: !validateOnly }, 200);
    });
}

function aclRoutes(
  adminOf: (context: Context<AdminEnv>) => ReturnType<AdminServices["client"]>["admin"],
) {
  return newRoutes()
    .openapi(LIST_ACLS, async (context) => {
      const query = context.req.valid("query");
      const acls = await adminOf(context).acls.describe(filterOf(query));
      const page = pageOfItems(acls, { ...WHOLE, ...query }, (acl) => JSON.stringify(acl));
      return context.json({ acls: page.items, nextCursor: page.nextCursor }, 200);
    })
    .openapi(CREATE_ACL, async (context) => {
      const entry = context.req.valid("json");
      const [created] = await adminOf(context).acls.create([entry]);
      if (created !== undefined && created.error !== null) throw created.error;
      return context.json(entry, 201);
    })
    .openapi(DELETE_ACLS, async (context) => {
      const { dryRun, ...query } = context.req.valid("query");
      const filter = filterOf(query);
      if (!dryRun && Object.values(filter).every((part) => part === null)) {
        const detail = "this would delete every ACL: say which, as with principal=User:alice";
        throw new Problem(400, "bad request", detail);
      }
      const { acls } = adminOf(context);
      const gone = dryRun ? await acls.describe(filter) : await acls.delete(filter);
      return context.json({ acls: gone }, 200);
    });
}
