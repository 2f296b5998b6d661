/**
 * SaslAuthenticate, versions 0 to 2: the messages of a peer that proves that it belongs to this
 * broker's cluster, where the cluster has a secret (`PeerAuthentication`): SASL_AUTHENTICATION_FAILED
 * and the end of the connection if it does not know it. Elsewhere it comes when the connection is
 * ready already, which is ILLEGAL_SASL_STATE, as in Kafka.
 */
import { Errors } from "../../core/errors.ts";
import { saslAuthenticate } from "../../core/protocol/36-sasl-authenticate.ts";
import type { Handler } from "../handler.ts";

export const saslAuthenticateHandler: Handler<typeof saslAuthenticate> = {
  api: saslAuthenticate,
  authorize: { kind: "open", reason: "it comes before anybody is known" },
  handle: ({ connection }, { authBytes }, { peerAuthentication }) =>
    peerAuthentication?.authenticate(connection, authBytes) ?? {
      errorCode: Errors.ILLEGAL_SASL_STATE,
      errorMessage: "SaslAuthenticate request received after successful authentication",
    },
};
