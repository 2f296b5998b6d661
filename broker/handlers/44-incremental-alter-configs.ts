/**
 * IncrementalAlterConfigs, versions 0 to 1 (KIP-339): sets and deletes single configs, appends to
 * and subtracts from those that are lists. A resource is changed as a whole or not at all. Checks:
 * `planAlterConfigs`.
 */
import { incrementalAlterConfigs } from "../../core/protocol/44-incremental-alter-configs.ts";
import { alterResources, refuseAll } from "../alter-configs.ts";
import type { Handler } from "../handler.ts";
import type { ConfigOperation } from "../plan-configs.ts";

/** Kafka's `AlterConfigOp.OpType`, by its number on the wire. */
const OPERATIONS: readonly ConfigOperation["operation"][] = ["set", "delete", "append", "subtract"];

export const incrementalAlterConfigsHandler: Handler<typeof incrementalAlterConfigs> = {
  api: incrementalAlterConfigs,
  forwards: "change",
  authorize: {
    kind: "items",
    operations: ["ALTER_CONFIGS TOPIC", "ALTER_CONFIGS GROUP", "ALTER_CONFIGS CLUSTER"],
  },
  async handle(context, request, broker) {
    const changes = request.resources.map(({ resourceType, resourceName, configs }) => ({
      resourceType,
      resourceName,
      replace: false,
      operations: configs.map(({ name, value, configOperation }) => ({
        name,
        value,
        operation: OPERATIONS[configOperation] ?? "unknown",
      })),
    }));
    return { responses: await alterResources(context, broker, changes, request.validateOnly) };
  },
  failure: (request, code) => ({ responses: refuseAll(request.resources, code) }),
};
