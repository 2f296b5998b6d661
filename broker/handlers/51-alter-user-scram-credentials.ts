/**
 * AlterUserScramCredentials, version 0 (KIP-554): the client salts and hashes the password, the
 * broker keeps only what it needs to check it. Each user succeeds or fails alone: checks in
 * `planAlterScram`.
 */
import { CLUSTER_NAME } from "../../core/acl.ts";
import { Errors } from "../../core/errors.ts";
import { alterUserScramCredentials } from "../../core/protocol/51-alter-user-scram-credentials.ts";
import type { RequestOf } from "../../core/protocol/schema.ts";
import type { Handler } from "../handler.ts";
import { planAlterScram, type ScramChange, scramUsers } from "../plan-scram.ts";

type Request = RequestOf<typeof alterUserScramCredentials>;

export const alterUserScramCredentialsHandler: Handler<typeof alterUserScramCredentials> = {
  api: alterUserScramCredentials,
  forwards: "change",
  authorize: {
    kind: "request",
    wants: () => [{ operation: "ALTER", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: (request) => refuseAll(request, Errors.CLUSTER_AUTHORIZATION_FAILED),
  },
  async handle(_context, request, broker) {
    const changes = changesOf(request);
    const users = scramUsers(changes);
    const outcomes = await broker.controller.change(
      users.length,
      ({ image }) => planAlterScram(image, changes),
    );
    return {
      results: outcomes.map((outcome, index) => ({
        user: users[index] ?? "",
        errorCode: outcome.ok ? Errors.NONE : outcome.error,
        errorMessage: outcome.ok ? null : outcome.message,
      })),
    };
  },
  failure: refuseAll,
};

function changesOf({ deletions, upsertions }: Request): ScramChange[] {
  return [
    ...deletions.map(({ name, mechanism }) => ({ kind: "delete" as const, user: name, mechanism })),
    ...upsertions.map(({ name, ...rest }) => ({ kind: "upsert" as const, user: name, ...rest })),
  ];
}

function refuseAll(request: Request, errorCode: number) {
  return { results: scramUsers(changesOf(request)).map((user) => ({ user, errorCode })) };
}
