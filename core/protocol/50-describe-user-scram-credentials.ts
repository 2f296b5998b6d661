import { api, array, int16, int32, int8, string } from "./schema.ts";

/** Lists users' SCRAM mechanisms (KIP-554). */
export const describeUserScramCredentials = api({
  key: 50,
  name: "DescribeUserScramCredentials",
  versions: "0",
  flexible: "0+",
  request: {
    users: array("0+", {
      name: string("0+"),
    }, { nullable: "0+" }),
  },
  response: {
    throttleTimeMs: int32("0+"),
    errorCode: int16("0+"),
    errorMessage: string("0+", { nullable: "0+" }),
    results: array("0+", {
      user: string("0+"),
      errorCode: int16("0+"),
      errorMessage: string("0+", { nullable: "0+" }),
      credentialInfos: array("0+", {
        mechanism: int8("0+"),
        iterations: int32("0+"),
      }),
    }),
  },
});
