/**
 * SaslAuthenticate, versions 0 to 2: belongs to the beginning of a connection on a SASL listener.
 * Here it comes when the connection is ready already, which is ILLEGAL_SASL_STATE, as in Kafka.
 */
import { Errors } from "../../core/errors.ts";
import { saslAuthenticate } from "../../core/protocol/36-sasl-authenticate.ts";
import type { Handler } from "../handler.ts";

export const saslAuthenticateHandler: Handler<typeof saslAuthenticate> = {
  api: saslAuthenticate,
  authorize: { kind: "open", reason: "it never does anything" },
  handle: () => ({
    errorCode: Errors.ILLEGAL_SASL_STATE,
    errorMessage: "SaslAuthenticate request received after successful authentication",
  }),
};
