/** What AlterConfigs and IncrementalAlterConfigs have in common. */
import { Errors } from "../core/errors.ts";
import { CLUSTER_NAME } from "./authorizer.ts";
import type { Broker } from "./broker.ts";
import { type Outcome, refuse } from "./outcome.ts";
import { type ConfigChange, ConfigResourceTypes } from "./plan-configs.ts";
import type { RequestContext } from "./request-context.ts";

/** How one resource of the request is answered. */
export interface AlterAnswer {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly errorCode: number;
  readonly errorMessage: string | null;
}

/** Changes the configs of the resources that the sender may alter. */
export async function alterResources(
  context: RequestContext,
  broker: Broker,
  changes: readonly ConfigChange[],
  validateOnly: boolean,
): Promise<AlterAnswer[]> {
  const refusals = changes.map((change) => denied(context, change));
  const allowed = changes.filter((_, index) => refusals[index] === null);
  const outcomes = await broker.controller.alterConfigs(allowed, { validateOnly });
  const answers = new Map(allowed.map((change, index) => [change, outcomes[index]]));
  return changes.map((change, index) => {
    const { resourceType, resourceName } = change;
    const outcome = refusals[index] ?? answers.get(change);
    return {
      resourceType,
      resourceName,
      errorCode: outcome?.ok === false ? outcome.error : Errors.NONE,
      errorMessage: outcome?.ok === false ? outcome.message : null,
    };
  });
}

/** The answer where nothing of the request was done. */
export function refuseAll(
  resources: readonly { readonly resourceType: number; readonly resourceName: string }[],
  errorCode: number,
): AlterAnswer[] {
  return resources.map(({ resourceType, resourceName }) => ({
    resourceType,
    resourceName,
    errorCode,
    errorMessage: null,
  }));
}

function denied(context: RequestContext, change: ConfigChange): Outcome<null> | null {
  const { resourceType, resourceName } = change;
  if (resourceType === ConfigResourceTypes.TOPIC) {
    return context.authorized("ALTER_CONFIGS", "TOPIC", resourceName)
      ? null
      : refuse(Errors.TOPIC_AUTHORIZATION_FAILED, "Not authorized to alter configs.");
  }
  if (resourceType === ConfigResourceTypes.GROUP) {
    return context.authorized("ALTER_CONFIGS", "GROUP", resourceName)
      ? null
      : refuse(Errors.GROUP_AUTHORIZATION_FAILED, "Not authorized to alter configs.");
  }
  return context.authorized("ALTER_CONFIGS", "CLUSTER", CLUSTER_NAME)
    ? null
    : refuse(Errors.CLUSTER_AUTHORIZATION_FAILED, "Not authorized to alter configs.");
}
