/**
 * RenewDelegationToken, versions 1 to 2 (KIP-48): who has not authenticated has no token:
 * DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, as Kafka answers on every PLAINTEXT listener.
 */
import { Errors } from "../../core/errors.ts";
import { renewDelegationToken } from "../../core/protocol/39-renew-delegation-token.ts";
import type { Handler } from "../handler.ts";

export const renewDelegationTokenHandler: Handler<typeof renewDelegationToken> = {
  api: renewDelegationToken,
  authorize: { kind: "open", reason: "it is refused to everybody" },
  handle: () => ({
    errorCode: Errors.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
    expiryTimestampMs: -1n,
  }),
};
