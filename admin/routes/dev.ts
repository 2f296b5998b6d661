/**
 * `/v1/dev`: faults and the clock of a broker for development; 403 without `serve --dev`.
 *
 * - `GET /v1/dev/faults`: all rules. `POST`: adds one (`FaultInput`). `DELETE`: removes all.
 * - `DELETE /v1/dev/faults/ID`: removes one.
 */
import type { Broker } from "../../broker/broker.ts";
import type { DevServices } from "../../broker/dev/dev-services.ts";
import { faultSpec, faultView } from "../../broker/dev/fault-spec.ts";
import type { Routes } from "../app.ts";
import { jsonBody } from "../body.ts";
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
};

function devOf({ dev }: Broker): DevServices {
  if (dev !== null) return dev;
  throw new Problem(
    403,
    "no development broker",
    "this broker takes no faults and no time: it was started without --dev; for tests start one " +
      "with: kstream serve --dev",
  );
}
