/**
 * DescribeDelegationToken, versions 1 to 3 (KIP-48): who has not authenticated has no token:
 * DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, as Kafka answers on every PLAINTEXT listener.
 */
import { Errors } from "../../core/errors.ts";
import { describeDelegationToken } from "../../core/protocol/41-describe-delegation-token.ts";
import type { Handler } from "../handler.ts";

export const describeDelegationTokenHandler: Handler<typeof describeDelegationToken> = {
  api: describeDelegationToken,
  authorize: { kind: "open", reason: "it is refused to everybody" },
  handle: () => ({ errorCode: Errors.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED }),
};
