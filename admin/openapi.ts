/**
 * How routes describe themselves. A part of the API is a chain of `.openapi(route, handler)` on
 * `newRoutes()`: path, parameters, bodies and answers of the route are zod schemas, which check what
 * comes, give handlers and the typed client (`api.ts`) their types, and make `/openapi.json`.
 */
import { createRoute, OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi";
import type { AdminEnv } from "./app.ts";
import { Problem } from "./problem.ts";
import { takesIdempotencyKey } from "./streams.ts";

export { createRoute, z };

/** Routes that are mounted into the app. */
export function newRoutes() {
  return new OpenAPIHono<AdminEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalid(result.target, result.error);
    },
  });
}

/** Such routes, whatever they are. */
export type Routes = OpenAPIHono<AdminEnv>;

/** The problem of a request that is not as its route describes; `target`: json, query, param, header. */
export function invalid(target: string, error: z.ZodError): Problem {
  const errors = error.issues.slice(0, 20).map((issue) => ({
    path: placeOf(target, issue.path),
    message: issue.code === "unrecognized_keys"
      ? `${issue.keys.join(", ")}: not known here`
      : issue.message,
  }));
  const [first] = errors;
  const where = first === undefined || first.path === "" ? "" : `${first.path}: `;
  const detail = `the request is refused: ${where}${first?.message ?? "it is not as described"}`;
  return new Problem(400, target === "json" ? "bad request body" : "bad request", detail, {
    errors,
  });
}

/** `configs[0].name` in a body, `?limit` in a query, `{topic}` in a path. */
function placeOf(target: string, path: readonly PropertyKey[]): string {
  const text = path.map((part, index) =>
    typeof part === "number" ? `[${part}]` : `${index === 0 ? "" : "."}${String(part)}`
  ).join("");
  if (target === "query" && text !== "") return `?${text}`;
  return target === "param" ? `{${text}}` : text;
}

type Contents = Readonly<Record<string, z.ZodType>>;
type BodyContent = NonNullable<NonNullable<RouteConfig["request"]>["body"]>["content"];

/**
 * An answer that the handler makes itself, by media type: it streams, or is no JSON. The schema of
 * what streams as NDJSON or as events is that of one line or event.
 */
export function streamed(contents: Contents, description: string) {
  const content: Record<string, { schema: z.ZodType }> = {};
  for (const [type, schema] of Object.entries(contents)) content[type] = { schema };
  return { description, content };
}

/** A body that nobody looks at before the handler reads it as it comes, by media type. */
export function streamedBody(content: BodyContent, description: string) {
  return { required: true, description, content };
}

const COMMAS_MAX = 100;

/** A JSON answer. */
export function json<S extends z.ZodType>(schema: S, description: string) {
  return { description, content: { "application/json": { schema } } };
}

/** A JSON body, which has to come. */
export function body<S extends z.ZodType>(schema: S) {
  return { required: true, content: { "application/json": { schema } } };
}

/** A problem with one parameter, or one place in a body. */
export function badValue(target: "query" | "json", name: string, message: string): Problem {
  const path = placeOf(target, [name]);
  const title = target === "json" ? "bad request body" : "bad request";
  return new Problem(400, title, `the request is refused: ${path}: ${message}`, {
    errors: [{ path, message }],
  });
}

/** A whole number in a query or a path; as a parameter it comes as text. */
export function wholeNumber(min: number, max: number) {
  return z.string().regex(/^-?\d{1,16}$/, `is no whole number`).transform(Number)
    .pipe(z.number().min(min).max(max))
    .openapi({ type: "integer", minimum: min, maximum: max });
}

/** Several of these in a query, with commas between; `items`: each of them as a schema of JSON. */
export function commaList<T>(
  item: z.ZodType<T, string>,
  items: { readonly type: "string"; readonly enum: string[] } | { readonly type: "integer" },
) {
  return z.string().transform((text) => text.split(",")).pipe(z.array(item).max(COMMAS_MAX))
    .openapi({
      type: "array",
      items,
      maxItems: COMMAS_MAX,
      param: { style: "form", explode: false },
    });
}

/** A list of any length. */
export function list<S extends z.ZodType>(item: S) {
  return z.array(item).readonly();
}

/** `true` or `false` in a query; left out it is false. */
export const flag = z.enum(["true", "false"]).default("false").transform((text) => text === "true")
  .openapi({ type: "boolean", default: false });

/** A problem as it is answered. */
export const PROBLEM = z.object({
  type: z.string().describe("which kind of problem, for programs: /problems/not-found"),
  title: z.string().describe("the same in words"),
  status: z.int(),
  detail: z.string().describe("what, why, and what to do about it"),
  error: z.string().optional().describe("the name of Kafka's error"),
  errors: z.array(z.object({
    path: z.string().describe("a place in the request: configs[0].name, ?limit, {topic}"),
    message: z.string(),
  })).optional(),
  acknowledged: z.int().optional().describe("records of the body that are stored"),
  failed: z.int().optional().describe(
    "records that were sent to the cluster and are not known to be",
  ),
  firstUnsafeLine: z.int().optional().describe("all lines of the body before it are stored"),
  noneFromLine: z.int().optional().describe("of it and the lines behind it nothing is stored"),
}).openapi("Problem");

/** Milliseconds since 1970. */
export const timeMs = z.int().describe("milliseconds since 1970");
/** A count or an offset. */
export const count = z.int().min(0);

/** What all answers may be in its own words. */
const ABOUT = `The API of a kstream broker and the cluster that it belongs to.

- Errors are problem details (RFC 9457), \`application/problem+json\`.
- What changes something is sent as \`application/json\`, or with a header \`X-Kstream-Request: 1\`.
- A write with an \`Idempotency-Key\` is done once: within ten minutes the same request gets the same
  answer again. It does not go with bodies of records and answers that stream.
- Answers to GET have an \`ETag\`; with \`If-None-Match\` what has not changed is 304.
- Lists have \`limit\` and \`cursor\`, and say \`nextCursor\` where there is more.`;

const IDEMPOTENCY_KEY = {
  name: "Idempotency-Key",
  in: "header",
  required: false,
  description: "any text; the same request with the same key is done once",
  schema: { type: "string", minLength: 1, maxLength: 200, pattern: "^[!-~]+$" },
} as const;

const METHODS = ["get", "post", "put", "patch", "delete"] as const;
type Document = ReturnType<Routes["getOpenAPI31Document"]>;
type Operation = NonNullable<NonNullable<Document["paths"]>[string]["get"]>;
type Responses = NonNullable<Operation["responses"]>;

/** The document of all routes; problems and the header of writes belong to each and are added here. */
export function openApiDocument(app: Routes, version: string): Document {
  app.openAPIRegistry.register("Problem", PROBLEM);
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "kstream",
      version,
      description: ABOUT,
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
    servers: [{ url: "/" }],
    security: [],
  });
  document.paths = Object.fromEntries(
    Object.entries(document.paths ?? {}).map(([path, item]) => [documented(path), item]),
  );
  for (const [name, path] of Object.entries(document.paths)) {
    for (const method of METHODS) {
      const operation = path[method];
      if (operation === undefined) continue;
      addProblems(operation.responses ??= {});
      if (!takesIdempotencyKey(method.toUpperCase(), name)) continue;
      operation.parameters = [...operation.parameters ?? [], { ...IDEMPOTENCY_KEY }];
    }
  }
  return document;
}

/** What every operation may be answered with. */
function addProblems(responses: Responses): void {
  const problem = { schema: { $ref: "#/components/schemas/Problem" } };
  for (const [status, response] of Object.entries(responses)) {
    if (!/^[45]/.test(status) || "$ref" in response) continue;
    response.content = { ...response.content, "application/problem+json": problem };
  }
  responses["431"] = { description: "Path, query and headers have more than 16 KiB" };
  responses["default"] = {
    description: "A problem",
    content: { "application/problem+json": problem },
  };
}

/** `/keys/:key{.*}`, which takes slashes, too, is `/keys/{key}` in the document. */
function documented(path: string): string {
  return path.replaceAll(/\/:(\w+)\{[^}]*\}/g, "/{$1}");
}
