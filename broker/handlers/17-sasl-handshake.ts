/**
 * SaslHandshake, versions 0 to 1: belongs to the beginning of a connection on a SASL listener. Here
 * it comes when the connection is ready already, which is ILLEGAL_SASL_STATE, as in Kafka.
 */
import { Errors } from "../../core/errors.ts";
import { saslHandshake } from "../../core/protocol/17-sasl-handshake.ts";
import type { Handler } from "../handler.ts";

export const saslHandshakeHandler: Handler<typeof saslHandshake> = {
  api: saslHandshake,
  authorize: { kind: "open", reason: "it never does anything" },
  handle: () => ({ errorCode: Errors.ILLEGAL_SASL_STATE }),
};
