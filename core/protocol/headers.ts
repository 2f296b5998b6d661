/** Headers of requests and responses; `codec.ts` says which version goes with which message. */
import { data, int16, int32, string } from "./schema.ts";

/** Before every request. Version 2 goes with flexible versions; the client id is never compact. */
export const requestHeader = data({
  name: "RequestHeader",
  versions: "1-2",
  flexible: "2+",
  fields: {
    requestApiKey: int16("0+"),
    requestApiVersion: int16("0+"),
    correlationId: int32("0+"),
    clientId: string("1+", { nullable: "1+", flexible: "none" }),
  },
});

/** Before every response. Version 1 goes with flexible versions, save that of ApiVersions (KIP-511). */
export const responseHeader = data({
  name: "ResponseHeader",
  versions: "0-1",
  flexible: "1+",
  fields: {
    correlationId: int32("0+"),
  },
});
