import { api, bytes, int16 } from "./schema.ts";

/**
 * A client's request that a broker passes on to the controller (KIP-590): the request from its header
 * on, who sent it (`DefaultPrincipalData` after an int16 version) and the 4 or 16 bytes of its address.
 * The answer has the client's response from its header on, or why there is none.
 */
export const envelope = api({
  key: 58,
  name: "Envelope",
  versions: "0",
  flexible: "0+",
  request: {
    requestData: bytes("0+"),
    requestPrincipal: bytes("0+", { nullable: "0+" }),
    clientHostAddress: bytes("0+"),
  },
  response: {
    responseData: bytes("0+", { nullable: "0+", default: null }),
    errorCode: int16("0+"),
  },
});
