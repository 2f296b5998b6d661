/**
 * DescribeUserScramCredentials, version 0 (KIP-554): mechanisms and iterations of users, never
 * keys; of all users if none is named. RESOURCE_NOT_FOUND for a user without credentials,
 * DUPLICATE_RESOURCE for one who is named twice.
 */
import { CLUSTER_NAME } from "../../core/acl.ts";
import { Errors } from "../../core/errors.ts";
import { describeUserScramCredentials } from "../../core/protocol/50-describe-user-scram-credentials.ts";
import type { Handler } from "../handler.ts";
import { ScramMechanisms } from "../plan-scram.ts";

export const describeUserScramCredentialsHandler: Handler<typeof describeUserScramCredentials> = {
  api: describeUserScramCredentials,
  authorize: {
    kind: "request",
    wants: () => [{ operation: "DESCRIBE", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: () => ({ errorCode: Errors.CLUSTER_AUTHORIZATION_FAILED }),
  },
  handle(_context, request, broker) {
    const byUser = Map.groupBy(broker.metadata.image.scramCredentials, ({ user }) => user);
    const asked = (request.users ?? []).map(({ name }) => name);
    const users = asked.length === 0 ? [...byUser.keys()] : [...new Set(asked)];
    return {
      errorCode: Errors.NONE,
      results: users.map((user) => {
        if (asked.indexOf(user) !== asked.lastIndexOf(user)) {
          return {
            user,
            errorCode: Errors.DUPLICATE_RESOURCE,
            errorMessage: "Cannot describe SCRAM credentials for the same user twice in a single " +
              `request: ${user}`,
          };
        }
        const credentials = byUser.get(user);
        if (credentials === undefined) {
          return {
            user,
            errorCode: Errors.RESOURCE_NOT_FOUND,
            errorMessage: `Attempt to describe a user credential that does not exist: ${user}`,
          };
        }
        return {
          user,
          errorCode: Errors.NONE,
          credentialInfos: credentials
            .map(({ mechanism, iterations }) => ({
              mechanism: ScramMechanisms[mechanism],
              iterations,
            }))
            .toSorted((a, b) => a.mechanism - b.mechanism),
        };
      }),
    };
  },
};
