/**
 * The admin API as a Hono app: what is no Kafka API. Errors are problem details (RFC 9457), bodies
 * are JSON. A part of the API is a file in `routes/` that adds its routes, listed in `ROUTES`.
 */
import { Hono } from "hono";
import type { ConnectedClient } from "../broker/connected-clients.ts";
import type { Broker } from "../broker/broker.ts";
import type { Member } from "../cluster/gossip/member.ts";
import type { HostPort } from "../core/io.ts";
import { OperatorError } from "../core/operator-error.ts";
import { refusal } from "./guard.ts";
import { Problem } from "./problem.ts";
import { memberRoutes } from "./routes/members.ts";
import { clientRoutes } from "./routes/clients.ts";
import { devRoutes } from "./routes/dev.ts";
import { healthRoutes } from "./routes/health.ts";
import { keyRoutes } from "./routes/keys.ts";
import { trashRoutes } from "./routes/trash.ts";

/** What the admin API stands on. */
export interface AdminServices {
  readonly broker: Broker;
  /** Who is connected. */
  clients(): ConnectedClient[];
  /** The members of the cluster that the broker has heard of, itself first; null: it is alone. */
  members(): Member[] | null;
}

/** The app; requests come with who sends them. */
export type AdminApp = Hono<{ Bindings: { readonly peer: HostPort } }>;

/** Adds the routes of one part of the API. */
export type Routes = (app: AdminApp, services: AdminServices) => void;

const ROUTES: readonly Routes[] = [
  healthRoutes,
  clientRoutes,
  devRoutes,
  trashRoutes,
  keyRoutes,
  memberRoutes,
];

/** What is answered also while the broker stops. */
const HEALTH_PATHS: readonly string[] = ["/live", "/ready"];

/** The app; `ownName` is the host that the server was told to bind. */
export function adminApp(services: AdminServices, ownName: string): AdminApp {
  const app: AdminApp = new Hono();
  app.use(async (context, next) => {
    const problem = refusal(context.req.raw, ownName);
    if (problem !== null) return problem.response();
    if (services.broker.stopping.aborted && !HEALTH_PATHS.includes(context.req.path)) {
      return new Problem(503, "stopping", "the broker is stopping").response();
    }
    await next();
    context.header("cache-control", "no-store");
    context.header("x-content-type-options", "nosniff");
    // Says to clients that this is no other program's server.
    context.header("server", "kstream");
    return undefined;
  });
  for (const add of ROUTES) add(app, services);
  app.notFound(({ req }) => {
    const what = `there is nothing at ${req.method} ${req.path.slice(0, 200)}`;
    return new Problem(404, "not found", what).response();
  });
  app.onError((error) => {
    if (error instanceof Problem) return error.response();
    if (error instanceof OperatorError) return Problem.of(error).response();
    services.broker.logger.error("an admin request failed by an internal error", {
      stack: error.stack ?? error.message,
    });
    return new Problem(500, "internal error", "the broker's log says more: please report")
      .response();
  });
  return app;
}
