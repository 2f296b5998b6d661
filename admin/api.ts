/**
 * The API in one, with its types: `hc<AdminApi>(url)` of `hono/client` is a client of it whose
 * paths, parameters, bodies and answers are checked by the compiler.
 */
import { newRoutes, type Routes } from "./openapi.ts";
import type { AdminServices } from "./services.ts";
import { clusterRoutes } from "./routes/cluster.ts";
import { configRoutes } from "./routes/configs.ts";
import { confluentRecordRoutes } from "./routes/confluent-records.ts";
import { confluentRoutes } from "./routes/confluent.ts";
import { documentRoutes } from "./routes/document.ts";
import { groupRoutes } from "./routes/groups.ts";
import { hangingTransactionRoutes } from "./routes/hanging-transactions.ts";
import { meRoutes } from "./routes/me.ts";
import { healthRoutes } from "./routes/health.ts";
import { keyRoutes } from "./routes/keys.ts";
import { metricRoutes } from "./routes/metrics.ts";
import { recordRoutes } from "./routes/records.ts";
import { recordSocketRoutes } from "./routes/record-socket.ts";
import { searchRoutes } from "./routes/search.ts";
import { streamAppRoutes } from "./routes/stream-apps.ts";
import { securityRoutes } from "./routes/security.ts";
import { transactionRoutes } from "./routes/transactions.ts";
import { clientRoutes } from "./routes/clients.ts";
import { devRoutes } from "./routes/dev.ts";
import { memberRoutes } from "./routes/members.ts";
import { topicRoutes } from "./routes/topics.ts";
import { trashRoutes } from "./routes/trash.ts";
import { userRoutes } from "./routes/users.ts";

/** All routes but those of the pages; `described`: where they are mounted, for their own document. */
export function adminApi(services: AdminServices, described: () => Routes) {
  return newRoutes()
    .route("/", healthRoutes(services))
    .route("/", metricRoutes(services))
    .route("/", documentRoutes(services, described))
    .route("/", recordRoutes(services))
    .route("/", searchRoutes(services))
    .route("/", recordSocketRoutes(services))
    .route("/", keyRoutes(services))
    .route("/", clientRoutes(services))
    .route("/", memberRoutes(services))
    .route("/", devRoutes(services))
    .route("/", trashRoutes(services))
    .route("/", topicRoutes(services))
    .route("/", configRoutes(services))
    .route("/", clusterRoutes(services))
    .route("/", groupRoutes(services))
    .route("/", streamAppRoutes(services))
    .route("/", transactionRoutes(services))
    .route("/", hangingTransactionRoutes(services))
    .route("/", securityRoutes(services))
    .route("/", userRoutes(services))
    .route("/", meRoutes(services))
    .route("/", confluentRoutes(services))
    .route("/", confluentRecordRoutes(services));
}

/** What the typed client is made of. */
export type AdminApi = ReturnType<typeof adminApi>;
