/**
 * CreateAcls, versions 1 to 3: each ACL succeeds or fails alone (INVALID_REQUEST; `parseAcl`); one
 * that is there already is no error. SECURITY_DISABLED without an authorizer.
 *
 * - 2: flexible. 3: users as resources (KIP-373).
 */
import { CLUSTER_NAME } from "../../core/acl.ts";
import { Errors } from "../../core/errors.ts";
import { createAcls } from "../../core/protocol/30-create-acls.ts";
import type { RequestOf } from "../../core/protocol/schema.ts";
import { hasAcls } from "../acl-authorizer.ts";
import type { Handler } from "../handler.ts";
import { parseAcl, planCreateAcls } from "../plan-acls.ts";

export const createAclsHandler: Handler<typeof createAcls> = {
  api: createAcls,
  forwards: "change",
  authorize: {
    kind: "request",
    wants: () => [{ operation: "ALTER", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: (request) => refuseAll(request, Errors.CLUSTER_AUTHORIZATION_FAILED),
  },
  async handle(_context, request, broker) {
    if (!hasAcls(broker.config)) {
      return refuseAll(request, Errors.SECURITY_DISABLED, "No Authorizer is configured.");
    }
    const acls = request.creations.map(parseAcl);
    const outcomes = await broker.controller.change(
      acls.length,
      ({ image }) => planCreateAcls(image, acls),
    );
    return {
      results: outcomes.map((outcome) => ({
        errorCode: outcome.ok ? Errors.NONE : outcome.error,
        errorMessage: outcome.ok ? null : outcome.message,
      })),
    };
  },
  failure: refuseAll,
};

function refuseAll(
  request: RequestOf<typeof createAcls>,
  errorCode: number,
  errorMessage: string | null = null,
) {
  return { results: request.creations.map(() => ({ errorCode, errorMessage })) };
}
