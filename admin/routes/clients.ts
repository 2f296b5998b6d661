/** `GET /v1/clients`: who is connected (`ConnectedClient`). */
import type { Routes } from "../app.ts";

export const clientRoutes: Routes = (app, { clients }) => {
  app.get("/v1/clients", (context) => context.json({ clients: clients() }));
};
