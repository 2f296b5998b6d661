import { api, array, bool, int16, int32, int64, string } from "./schema.ts";

/**
 * Tells which APIs, versions and features a broker serves.
 *
 * - 0: also the answer to an unknown version (KIP-511).
 * - 3: flexible request; client software name and version; features (KIP-584).
 * - 4: features whose minimum is 0 (KAFKA-17011).
 * - 5: cluster and node id for which the client takes the broker (KIP-1242).
 */
export const apiVersions = api({
  key: 18,
  name: "ApiVersions",
  versions: "0-5",
  flexible: "3+",
  request: {
    clientSoftwareName: string("3+", { ignorable: true }),
    clientSoftwareVersion: string("3+", { ignorable: true }),
    clusterId: string("5+", { nullable: "5+", default: null, ignorable: true }),
    nodeId: int32("5+", { default: -1, ignorable: true }),
  },
  response: {
    errorCode: int16("0+"),
    apiKeys: array("0+", {
      apiKey: int16("0+"),
      minVersion: int16("0+"),
      maxVersion: int16("0+"),
    }),
    throttleTimeMs: int32("1+", { ignorable: true }),
    supportedFeatures: array("3+", {
      name: string("3+"),
      minVersion: int16("3+"),
      maxVersion: int16("3+"),
    }, { tag: 0, ignorable: true }),
    finalizedFeaturesEpoch: int64("3+", { default: -1n, tag: 1, ignorable: true }),
    finalizedFeatures: array("3+", {
      name: string("3+"),
      maxVersionLevel: int16("3+"),
      minVersionLevel: int16("3+"),
    }, { tag: 2, ignorable: true }),
    zkMigrationReady: bool("3+", { tag: 3, ignorable: true }),
  },
});
