/** `/v1/users`: who can log in (SCRAM, KIP-554). What is told of a password is how it is hashed. */
import type { Context } from "hono";
import type { Admin, ScramMechanism } from "../../client/admin.ts";
import type { AdminEnv } from "../app.ts";
import { body, createRoute, json, list, newRoutes, z } from "../openapi.ts";
import { LIST_QUERY, nextCursor, pageOfItems } from "../paging.ts";
import { Problem } from "../problem.ts";
import type { AdminServices } from "../services.ts";

const mechanism = z.enum(["SCRAM-SHA-256", "SCRAM-SHA-512"]);
const NAME = z.object({ name: z.string().min(1).max(500) });
const USER = z.object({
  name: z.string(),
  iterations: z.record(z.string(), z.int()).describe("of the hash, by mechanism"),
}).openapi("User");
const PASSWORD = z.strictObject({
  password: z.string().min(1).max(1000).regex(/^[^\r\n]*$/, "has several lines")
    .openapi({ format: "password", writeOnly: true }),
  mechanism: mechanism.optional()
    .describe(
      "default: all that the user has, so that no older password stays; else SCRAM-SHA-256",
    ),
  iterations: z.int().min(4096).max(16384).optional().describe("default 8192"),
}).openapi("Password");

const tags = ["security"];
const LIST = createRoute({
  method: "get",
  path: "/v1/users",
  operationId: "listUsers",
  tags,
  summary: "Who has a password (SCRAM); nothing of it is told",
  request: { query: LIST_QUERY },
  responses: { 200: json(z.object({ users: list(USER), nextCursor }), "A page of users") },
});
const SET = createRoute({
  method: "put",
  path: "/v1/users/{name}",
  operationId: "setPassword",
  tags,
  summary: "Set a user's password; a new name is a new user",
  request: { params: NAME, body: body(PASSWORD) },
  responses: { 200: json(USER, "The user") },
});
const DELETE = createRoute({
  method: "delete",
  path: "/v1/users/{name}",
  operationId: "deleteUser",
  tags,
  summary: "Delete a user: nobody can log in in this name from then on",
  request: { params: NAME, query: z.strictObject({ mechanism: mechanism.optional() }) },
  responses: { 200: json(z.object({ deleted: z.string() }), "It is deleted") },
});

export function userRoutes(services: AdminServices) {
  const adminOf = (context: Context<AdminEnv>) =>
    services.client(context.var.principal, context.env.peer).admin;
  return newRoutes()
    .openapi(LIST, async (context) => {
      const listed = await adminOf(context).users.list();
      const page = pageOfItems(listed, context.req.valid("query"), ({ name }) => name);
      return context.json({ users: page.items, nextCursor: page.nextCursor }, 200);
    })
    .openapi(SET, async (context) => {
      const { name } = context.req.valid("param");
      const { password, mechanism, iterations } = context.req.valid("json");
      const { users } = adminOf(context);
      const known = await mechanismsOf(users, name);
      const wanted = mechanism !== undefined
        ? [mechanism]
        : known.length > 0
        ? known
        : ["SCRAM-SHA-256" as const];
      for (const each of wanted) {
        await users.set(name, password, {
          mechanism: each,
          ...(iterations !== undefined && { iterations }),
        });
      }
      const [user] = await users.list([name]);
      return context.json(user ?? { name, iterations: {} }, 200);
    })
    .openapi(DELETE, async (context) => {
      const { name } = context.req.valid("param");
      const { mechanism } = context.req.valid("query");
      const { users } = adminOf(context);
      const known = await mechanismsOf(users, name);
      const gone = known.filter((each) => mechanism === undefined || each === mechanism);
      if (gone.length === 0) {
        const password = mechanism === undefined ? "" : ` with a password for ${mechanism}`;
        throw new Problem(404, "not found", `there is no user "${name}"${password}`);
      }
      await users.delete(name, gone);
      return context.json({ deleted: name }, 200);
    });
}

/** How a user can log in; empty: there is none of this name. */
async function mechanismsOf(users: Admin["users"], name: string): Promise<ScramMechanism[]> {
  const [user] = await users.list([name]);
  const { iterations = {} } = user ?? {};
  return mechanism.options.filter((each) => iterations[each] !== undefined);
}
