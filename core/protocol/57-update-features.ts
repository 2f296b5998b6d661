import { api, array, bool, int16, int32, int8, string } from "./schema.ts";

/** Finalizes feature levels (KIP-584). */
export const updateFeatures = api({
  key: 57,
  name: "UpdateFeatures",
  versions: "0-2",
  flexible: "0+",
  request: {
    timeoutMs: int32("0+", { default: 60_000 }),
    featureUpdates: array("0+", {
      feature: string("0+"),
      maxVersionLevel: int16("0+"),
      allowDowngrade: bool("0"),
      upgradeType: int8("1+", { default: 1 }),
    }),
    validateOnly: bool("1+"),
  },
  response: {
    throttleTimeMs: int32("0+"),
    errorCode: int16("0+"),
    errorMessage: string("0+", { nullable: "0+" }),
    results: array("0-1", {
      feature: string("0+"),
      errorCode: int16("0+"),
      errorMessage: string("0+", { nullable: "0+" }),
    }, { ignorable: true }),
  },
});
