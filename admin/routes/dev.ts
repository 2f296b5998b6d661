/**
 * `/v1/dev`: faults and the clock of a broker for development; 403 without `serve --dev`.
 *
 * - `GET /v1/dev/faults`: all rules. `POST`: adds one (`FaultInput`). `DELETE`: removes all.
 * - `DELETE /v1/dev/faults/ID`: removes one.
 * - `GET /v1/dev/clock`: `{"nowMs", "aheadMs"}`. `POST` of `{"advanceMs", "sessions"}` moves it, and
 *   answers so when everything that has become due is done.
 */
import type { Broker } from "../../broker/broker.ts";
import type { DevServices } from "../../broker/dev/dev-services.ts";
import { faultSpec, faultView } from "../../broker/dev/fault-spec.ts";
import type { Routes } from "../app.ts";
import { badBody, jsonBody } from "../body.ts";
import { Problem } from "../problem.ts";

export const devRoutes: Routes = (app, { broker }) => {
  app.use("/v1/dev/*", async (_context, next) => {
    devOf(broker);
    await next();
  });
  app.get(
    "/v1/dev/faults",
    (context) => context.json({ faults: devOf(broker).faults.list().map(faultView) }),
  );
  app.post("/v1/dev/faults", async (context) => {
    const spec = faultSpec(await jsonBody(context), broker.apis);
    return context.json(faultView(devOf(broker).faults.add(spec)), 201);
  });
  app.delete(
    "/v1/dev/faults",
    (context) => context.json({ removed: devOf(broker).faults.clear() }),
  );
  app.delete("/v1/dev/faults/:id", (context) => {
    const id = context.req.param("id");
    if (/^\d{1,15}$/.test(id) && devOf(broker).faults.remove(Number(id))) {
      return context.json({ removed: 1 });
    }
    throw new Problem(404, "not found", `there is no fault ${id.slice(0, 20)}`);
  });
  app.get("/v1/dev/clock", (context) => context.json(clockView(broker)));
  app.post("/v1/dev/clock", async (context) => {
    const { advanceMs, sessions = false } = await jsonBody(context, ["advanceMs", "sessions"]);
    if (typeof advanceMs !== "number" || !(advanceMs > 0 && advanceMs <= ADVANCE_MS_MAX)) {
      throw badBody("advanceMs is no number of milliseconds above 0, of at most ten years");
    }
    if (typeof sessions !== "boolean") throw badBody("sessions is neither true nor false");
    await devOf(broker).advance(Math.ceil(advanceMs), { sessions });
    return context.json(clockView(broker));
  });
};

/** Time enough for everything to expire that ever does. */
const ADVANCE_MS_MAX = 10 * 366 * 86_400_000;

function clockView(broker: Broker): { readonly nowMs: number; readonly aheadMs: number } {
  return { nowMs: broker.io.clock.wallMs(), aheadMs: devOf(broker).clock.aheadMs };
}

function devOf({ dev }: Broker): DevServices {
  if (dev !== null) return dev;
  throw new Problem(
    403,
    "no development broker",
    "this broker takes no faults and no time: it was started without --dev; for tests start one " +
      "with: kstream serve --dev",
  );
}
