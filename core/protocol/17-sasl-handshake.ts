import { api, array, int16, string } from "./schema.ts";

/** Chooses a SASL mechanism. */
export const saslHandshake = api({
  key: 17,
  name: "SaslHandshake",
  versions: "0-1",
  flexible: "none",
  request: {
    mechanism: string("0+"),
  },
  response: {
    errorCode: int16("0+"),
    mechanisms: array("0+", "string"),
  },
});
