/**
 * `GET /v1/members`: the members of the cluster that this broker has heard of by gossip (`Member`),
 * itself first; 404 for a broker that is no member of one.
 */
import type { Routes } from "../app.ts";
import { Problem } from "../problem.ts";

export const memberRoutes: Routes = (app, { members }) => {
  app.get("/v1/members", (context) => {
    const known = members();
    if (known === null) {
      throw new Problem(404, "no member of a cluster", "this broker is a cluster of its own");
    }
    return context.json({ members: known });
  });
};
