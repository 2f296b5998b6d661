/**
 * UpdateFeatures, versions 0 to 2 (KIP-584): sets levels of features, all of them or none:
 * INVALID_UPDATE_VERSION with the first that is wrong (`planUpdateFeatures`).
 *
 * - 0: one kind of downgrade. 1: safe and unsafe ones, and only checking.
 * - 2: no results of single features.
 */
import { CLUSTER_NAME } from "../../core/acl.ts";
import { Errors } from "../../core/errors.ts";
import { updateFeatures } from "../../core/protocol/57-update-features.ts";
import { planUpdateFeatures } from "../features.ts";
import type { Handler } from "../handler.ts";

const UPGRADE = 1;
const SAFE_DOWNGRADE = 2;

export const updateFeaturesHandler: Handler<typeof updateFeatures> = {
  api: updateFeatures,
  forwards: "change",
  authorize: {
    kind: "request",
    wants: () => [{ operation: "ALTER", resourceType: "CLUSTER", name: CLUSTER_NAME }],
    deny: () => ({ errorCode: Errors.CLUSTER_AUTHORIZATION_FAILED }),
  },
  async handle({ apiVersion }, request, broker) {
    const updates = request.featureUpdates.map((update) => ({
      feature: update.feature,
      level: update.maxVersionLevel,
      upgradeType: apiVersion > 0
        ? update.upgradeType
        : update.allowDowngrade
        ? SAFE_DOWNGRADE
        : UPGRADE,
    }));
    const [outcome] = await broker.controller.change(
      1,
      ({ image }) => planUpdateFeatures(image, updates, broker.nodeId),
      { validateOnly: request.validateOnly, timeoutMs: request.timeoutMs },
    );
    if (outcome?.ok === false) {
      return { errorCode: outcome.error, errorMessage: outcome.message };
    }
    const results = apiVersion >= 2 ? [] : updates.map(({ feature }) => ({
      feature,
      errorCode: Errors.NONE,
      errorMessage: null,
    }));
    return { errorCode: Errors.NONE, errorMessage: null, results };
  },
};
