/** Administration of the levels of features (KIP-584). */
import { apiVersions } from "../../core/protocol/18-api-versions.ts";
import { updateFeatures } from "../../core/protocol/57-update-features.ts";
import type { Cluster } from "../cluster.ts";
import { throwOnError } from "../errors.ts";
import type { OperationOptions } from "../options.ts";

/** The levels of a feature that a broker can run. */
export interface SupportedFeature {
  readonly name: string;
  readonly maxLevel: number;
}

/** The features that a broker can run, and the levels in force by name (0: off). */
export async function featuresOf(
  cluster: Cluster,
  brokerId: number,
  options: OperationOptions = {},
): Promise<{
  readonly supported: readonly SupportedFeature[];
  readonly levels: ReadonlyMap<string, number>;
}> {
  const subject = `ask broker ${brokerId} for its features`;
  return await cluster.retry(subject, async ({ timeoutMs }) => {
    const connection = await cluster.broker(brokerId, "main", options.signal);
    const software = { clientSoftwareName: "kstream", clientSoftwareVersion: "0.1.0" };
    const response = await connection.request(apiVersions, software, { timeoutMs });
    throwOnError(response.errorCode, subject);
    return {
      supported: response.supportedFeatures.map(({ name, maxVersion }) => ({
        name,
        maxLevel: maxVersion,
      })),
      levels: new Map(
        response.finalizedFeatures.map(({ name, maxVersionLevel }) => [name, maxVersionLevel]),
      ),
    };
  }, options);
}

/** Sets levels of features, all or none. */
export async function setFeatures(
  cluster: Cluster,
  levels: ReadonlyMap<string, number>,
  options: OperationOptions = {},
): Promise<void> {
  const subject = "set features";
  await cluster.retry(subject, async ({ timeoutMs }) => {
    const connection = await cluster.controller(options.signal);
    const response = await connection.request(updateFeatures, {
      timeoutMs,
      featureUpdates: [...levels].map(([feature, maxVersionLevel]) => ({
        feature,
        maxVersionLevel,
      })),
    }, { timeoutMs });
    throwOnError(response.errorCode, subject, response.errorMessage);
    for (const each of response.results) {
      throwOnError(each.errorCode, `set the feature ${each.feature}`, each.errorMessage);
    }
  }, options);
}
