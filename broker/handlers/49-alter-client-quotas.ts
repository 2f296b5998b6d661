/**
 * AlterClientQuotas, versions 0 to 1 (KIP-546): sets and removes quotas. Each entity succeeds or
 * fails alone (INVALID_REQUEST): checks in `planAlterQuotas`.
 */
import { CLUSTER_NAME } from "../../core/acl.ts";
import { Errors } from "../../core/errors.ts";
import { alterClientQuotas } from "../../core/protocol/49-alter-client-quotas.ts";
import type { RequestOf } from "../../core/protocol/schema.ts";
import { firstOfEach } from "../first-of-each.ts";
import type { Handler } from "../handler.ts";
import { planAlterQuotas } from "../plan-quotas.ts";

type Entity = RequestOf<typeof alterClientQuotas>["entries"][number]["entity"];

export const alterClientQuotasHandler: Handler<typeof alterClientQuotas> = {
  api: alterClientQuotas,
  forwards: "change",
  authorize: {
    kind: "request",
    wants: () => [{ operation: "ALTER_CONFIGS", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: (request) => refuseAll(request, Errors.CLUSTER_AUTHORIZATION_FAILED),
  },
  async handle(_context, { entries, validateOnly }, broker) {
    const outcomes = await broker.controller.change(
      entries.length,
      ({ image }) => planAlterQuotas(image, entries),
      { validateOnly },
    );
    const answers = outcomes.map((outcome, index) => ({
      errorCode: outcome.ok ? Errors.NONE : outcome.error,
      errorMessage: outcome.ok ? null : outcome.message,
      entity: entries[index]?.entity ?? [],
    }));
    return { entries: firstOfEach(answers, ({ entity }) => keyOf(entity)) };
  },
  failure: refuseAll,
};

/** Tells entities apart, in whatever order their parts come. */
function keyOf(entity: Entity): string {
  return JSON.stringify(
    entity.map(({ entityType, entityName }) => JSON.stringify([entityType, entityName])).sort(),
  );
}

function refuseAll(request: RequestOf<typeof alterClientQuotas>, errorCode: number) {
  return { entries: request.entries.map(({ entity }) => ({ errorCode, entity })) };
}
