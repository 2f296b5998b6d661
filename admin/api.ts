/**
 * The JSON API in one, with its types: `hc<AdminApi>(url)` of `hono/client` is a client of it whose
 * paths, parameters, bodies and answers are checked by the compiler.
 */
import { newRoutes } from "./openapi.ts";
import type { AdminServices } from "./services.ts";
import { clusterRoutes } from "./routes/cluster.ts";
import { configRoutes } from "./routes/configs.ts";
import { confluentRoutes } from "./routes/confluent.ts";
import { groupRoutes } from "./routes/groups.ts";
import { hangingTransactionRoutes } from "./routes/hanging-transactions.ts";
import { meRoutes } from "./routes/me.ts";
import { securityRoutes } from "./routes/security.ts";
import { transactionRoutes } from "./routes/transactions.ts";
import { clientRoutes } from "./routes/clients.ts";
import { devRoutes } from "./routes/dev.ts";
import { memberRoutes } from "./routes/members.ts";
import { topicRoutes } from "./routes/topics.ts";
import { trashRoutes } from "./routes/trash.ts";
import { userRoutes } from "./routes/users.ts";

/** All routes that speak JSON both ways. */
export function adminApi(services: AdminServices) {
  return newRoutes()
    .route("/", clientRoutes(services))
    .route("/", memberRoutes(services))
    .route("/", devRoutes(services))
    .route("/", trashRoutes(services))
    .route("/", topicRoutes(services))
    .route("/", configRoutes(services))
    .route("/", clusterRoutes(services))
    .route("/", groupRoutes(services))
    .route("/", transactionRoutes(services))
    .route("/", hangingTransactionRoutes(services))
    .route("/", securityRoutes(services))
    .route("/", userRoutes(services))
    .route("/", meRoutes(services))
    .route("/", confluentRoutes(services));
}

/** What the typed client is made of. */
export type AdminApi = ReturnType<typeof adminApi>;
