/**
 * AlterConfigs, versions 0 to 2: gives each resource these configs and no others (superseded by
 * IncrementalAlterConfigs). Checks: `planAlterConfigs`.
 */
import { alterConfigs } from "../../core/protocol/33-alter-configs.ts";
import { alterResources, refuseAll } from "../alter-configs.ts";
import type { Handler } from "../handler.ts";

export const alterConfigsHandler: Handler<typeof alterConfigs> = {
  api: alterConfigs,
  forwards: "change",
  authorize: {
    kind: "items",
    operations: ["ALTER_CONFIGS TOPIC", "ALTER_CONFIGS GROUP", "ALTER_CONFIGS CLUSTER"],
  },
  async handle(context, request, broker) {
    const changes = request.resources.map(({ resourceType, resourceName, configs }) => ({
      resourceType,
      resourceName,
      replace: true,
      operations: configs.map(({ name, value }) => ({ name, value, operation: "set" as const })),
    }));
    return { responses: await alterResources(context, broker, changes, request.validateOnly) };
  },
  failure: (request, code) => ({ responses: refuseAll(request.resources, code) }),
};
