/**
 * The JSON API in one, with its types: `hc<AdminApi>(url)` of `hono/client` is a client of it whose
 * paths, parameters, bodies and answers are checked by the compiler.
 */
import { newRoutes } from "./openapi.ts";
import type { AdminServices } from "./services.ts";
import { clientRoutes } from "./routes/clients.ts";
import { devRoutes } from "./routes/dev.ts";
import { memberRoutes } from "./routes/members.ts";
import { topicRoutes } from "./routes/topics.ts";
import { trashRoutes } from "./routes/trash.ts";

/** All routes that speak JSON both ways. */
export function adminApi(services: AdminServices) {
  return newRoutes()
    .route("/", clientRoutes(services))
    .route("/", memberRoutes(services))
    .route("/", devRoutes(services))
    .route("/", trashRoutes(services))
    .route("/", topicRoutes(services));
}

/** What the typed client is made of. */
export type AdminApi = ReturnType<typeof adminApi>;
