import { api, int16, int32, string } from "./schema.ts";

/** Forgets a controller. */
export const unregisterController = api({
  key: 94,
  name: "UnregisterController",
  versions: "0",
  flexible: "0+",
  request: {
    controllerId: int32("0+"),
  },
  response: {
    throttleTimeMs: int32("0+"),
    errorCode: int16("0+"),
    errorMessage: string("0+", { nullable: "0+" }),
  },
});
