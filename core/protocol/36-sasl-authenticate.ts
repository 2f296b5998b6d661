import { api, bytes, int16, int64, string } from "./schema.ts";

/** Carries one step of a SASL exchange. */
export const saslAuthenticate = api({
  key: 36,
  name: "SaslAuthenticate",
  versions: "0-2",
  flexible: "2+",
  request: {
    authBytes: bytes("0+"),
  },
  response: {
    errorCode: int16("0+"),
    errorMessage: string("0+", { nullable: "0+" }),
    authBytes: bytes("0+"),
    sessionLifetimeMs: int64("1+", { ignorable: true }),
  },
});
