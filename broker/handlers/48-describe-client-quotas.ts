/**
 * DescribeClientQuotas, versions 0 to 1 (KIP-546): the quotas whose entities a filter selects. A bad
 * filter is INVALID_REQUEST, an unknown type of entity UNSUPPORTED_VERSION (`findQuotas`).
 */
import { CLUSTER_NAME } from "../../core/acl.ts";
import { Errors } from "../../core/errors.ts";
import { describeClientQuotas } from "../../core/protocol/48-describe-client-quotas.ts";
import type { Handler } from "../handler.ts";
import { findQuotas } from "../plan-quotas.ts";

export const describeClientQuotasHandler: Handler<typeof describeClientQuotas> = {
  api: describeClientQuotas,
  authorize: {
    kind: "request",
    wants: () => [{ operation: "DESCRIBE_CONFIGS", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: () => ({ errorCode: Errors.CLUSTER_AUTHORIZATION_FAILED, entries: null }),
  },
  handle(_context, request, broker) {
    const { quotas } = broker.metadata.image;
    const found = findQuotas(quotas, request.components, request.strict);
    if (!found.ok) return { errorCode: found.error, errorMessage: found.message, entries: null };
    return {
      errorCode: Errors.NONE,
      errorMessage: null,
      entries: found.value.map(({ entity, values }) => ({
        entity: Object.entries(entity).map(([entityType, entityName]) => ({
          entityType,
          entityName,
        })),
        values: [...values].map(([key, value]) => ({ key, value })),
      })),
    };
  },
};
