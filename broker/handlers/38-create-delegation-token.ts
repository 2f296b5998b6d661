/**
 * CreateDelegationToken, versions 1 to 3 (KIP-48): who has not authenticated gets no token:
 * DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, as Kafka answers on every PLAINTEXT listener.
 *
 * - 2: flexible. 3: tokens for somebody else (KIP-373).
 */
import { Errors } from "../../core/errors.ts";
import { createDelegationToken } from "../../core/protocol/38-create-delegation-token.ts";
import type { Handler } from "../handler.ts";

export const createDelegationTokenHandler: Handler<typeof createDelegationToken> = {
  api: createDelegationToken,
  authorize: { kind: "open", reason: "it is refused to everybody" },
  handle(context, request) {
    const { principal, apiVersion } = context;
    const named = request.ownerPrincipalName ?? "";
    const requester = apiVersion < 3 ? {} : {
      tokenRequesterPrincipalType: principal.type,
      tokenRequesterPrincipalName: principal.name,
    };
    return {
      errorCode: Errors.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
      principalType: named === "" ? principal.type : request.ownerPrincipalType ?? "",
      principalName: named === "" ? principal.name : named,
      ...requester,
      issueTimestampMs: -1n,
      expiryTimestampMs: -1n,
      maxTimestampMs: -1n,
    };
  },
};
