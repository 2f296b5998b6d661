/**
 * SaslHandshake, versions 0 to 1: begins the proof that a peer belongs to this broker's cluster, where
 * the cluster has a secret (`PeerAuthentication`): UNSUPPORTED_SASL_MECHANISM for others than its
 * mechanism. Elsewhere it comes when the connection is ready already, which is ILLEGAL_SASL_STATE, as
 * in Kafka.
 */
import { Errors } from "../../core/errors.ts";
import { saslHandshake } from "../../core/protocol/17-sasl-handshake.ts";
import type { Handler } from "../handler.ts";

export const saslHandshakeHandler: Handler<typeof saslHandshake> = {
  api: saslHandshake,
  authorize: { kind: "open", reason: "it comes before anybody is known" },
  handle: ({ connection, apiVersion }, { mechanism }, { peerAuthentication }) =>
    peerAuthentication?.handshake(connection, apiVersion, mechanism) ??
      { errorCode: Errors.ILLEGAL_SASL_STATE },
};
