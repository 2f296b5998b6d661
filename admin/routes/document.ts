/** `GET /openapi.json`: the API as OpenAPI 3.1. `GET /docs`: the same for people. */
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { AdminEnv, AdminServices } from "../app.ts";
import { openApiDocument } from "../openapi.ts";
import { referencePage } from "../reference-page.ts";

export function documentRoutes(
  app: OpenAPIHono<AdminEnv>,
  { version }: Pick<AdminServices, "version">,
): void {
  // Made when it is first asked for: nothing of it changes.
  let document: ReturnType<typeof openApiDocument> | null = null;
  const made = () => document ??= openApiDocument(app, version);
  app.get("/openapi.json", (context) => context.json(made()));
  app.get("/docs", (context) => {
    context.header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'");
    return context.html(referencePage(made()));
  });
}
