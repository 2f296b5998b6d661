/** `GET /openapi.json`: the API as OpenAPI 3.1. `GET /docs`: the same for people. */
import { createRoute, newRoutes, openApiDocument, type Routes, streamed, z } from "../openapi.ts";
import { referencePage } from "../reference-page.ts";
import type { AdminServices } from "../services.ts";

const tags = ["reference"];
const DOCUMENT = createRoute({
  method: "get",
  path: "/openapi.json",
  operationId: "getDocument",
  tags,
  summary: "This document",
  responses: { 200: streamed({ "application/json": z.looseObject({}) }, "OpenAPI 3.1") },
});
const PAGE = createRoute({
  method: "get",
  path: "/docs",
  operationId: "getReference",
  tags,
  summary: "The same as a page",
  responses: { 200: streamed({ "text/html": z.string() }, "The page") },
});

/** `described`: where all routes are mounted in the end, these among them. */
export function documentRoutes({ version }: AdminServices, described: () => Routes) {
  // Made when it is first asked for: nothing of it changes.
  let document: ReturnType<typeof openApiDocument> | null = null;
  const made = () => document ??= openApiDocument(described(), version);
  return newRoutes()
    .openapi(DOCUMENT, (context) => context.json(made()))
    .openapi(PAGE, (context) => {
      context.header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'");
      return context.html(referencePage(made()));
    });
}
