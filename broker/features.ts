/**
 * Features of a cluster (KIP-584): versions of behaviour that clients and brokers agree on. Levels
 * are metadata; those of a feature that nobody has set yet are finalized when a broker that knows it
 * starts for the first time, as Kafka does when a cluster is formatted.
 */
import { Errors } from "../core/errors.ts";
import type { MetadataImage } from "../cluster/metadata-image.ts";
import type { FeatureRecord, SupportedFeature } from "../cluster/metadata-records.ts";
import { accept, refuse } from "./outcome.ts";
import type { Plan } from "./plan-topics.ts";

/** A feature, the levels that this broker can run, and the one that is in force. */
export interface FinalizedFeature {
  readonly name: string;
  readonly minLevel: number;
  readonly maxLevel: number;
  /** 0: the feature is off, and is not told as finalized. */
  readonly level: number;
}

/**
 * The features of a fresh one-node cluster. A feature stands here once its APIs are served: Java
 * clients, for one, take `transaction.version` 2 for the promise of KIP-890's protocol.
 */
export const ONE_NODE_FEATURES: readonly FinalizedFeature[] = [
  { name: "group.version", minLevel: 0, maxLevel: 1, level: 1 },
  { name: "share.version", minLevel: 0, maxLevel: 1, level: 1 },
  { name: "streams.version", minLevel: 0, maxLevel: 1, level: 1 },
  { name: "transaction.version", minLevel: 0, maxLevel: 2, level: 2 },
];

/** What a broker tells of them at its registration. */
export const SUPPORTED_FEATURES: readonly SupportedFeature[] = ONE_NODE_FEATURES.map(
  ({ name, minLevel, maxLevel }) => ({ name, minLevel, maxLevel }),
);

/** The features with the levels that the metadata says. */
export function featuresInForce(
  image: MetadataImage,
  supported: readonly FinalizedFeature[] = ONE_NODE_FEATURES,
): FinalizedFeature[] {
  return supported.map((feature) => ({
    ...feature,
    level: image.features.get(feature.name) ?? feature.level,
  }));
}

/** The records that finalize the features of which the metadata says nothing. */
export function newFeatures(
  image: MetadataImage,
  supported: readonly FinalizedFeature[] = ONE_NODE_FEATURES,
): FeatureRecord[] {
  return supported.filter(({ name }) => !image.features.has(name))
    .map(({ name, level }) => ({ type: "feature", version: 1, name, level }));
}

/** What a level is set for (Kafka's `FeatureUpdate.UpgradeType`). */
const UPGRADE = 1;
const UNSAFE_DOWNGRADE = 3;

/** One update as it is on the wire. */
export interface FeatureUpdate {
  readonly feature: string;
  readonly level: number;
  readonly upgradeType: number;
}

/** Plans updates of levels, all or none, with Kafka's words (`FeatureControlManager`). */
export function planUpdateFeatures(
  image: MetadataImage,
  updates: readonly FeatureUpdate[],
  nodeId: number,
  supported: readonly FinalizedFeature[] = ONE_NODE_FEATURES,
): Plan<null> {
  const features = featuresInForce(image, supported);
  for (const update of updates) {
    const why = problemOf(features, update, nodeId);
    if (why === null) continue;
    const message =
      "The update failed for all features since the following feature had an error: " +
      `Invalid update version ${update.level} for feature ${update.feature}. ${why}`;
    return { records: [], outcomes: [refuse(Errors.INVALID_UPDATE_VERSION, message)] };
  }
  return {
    records: updates.map(({ feature, level }) => ({
      type: "feature",
      version: 1,
      name: feature,
      level,
    })),
    outcomes: [accept(null)],
  };
}

function problemOf(
  features: readonly FinalizedFeature[],
  { feature, level, upgradeType }: FeatureUpdate,
  nodeId: number,
): string | null {
  if (upgradeType < UPGRADE || upgradeType > UNSAFE_DOWNGRADE) {
    return "The controller does not support the given upgrade type.";
  }
  if (level < 0) return "A feature version cannot be less than 0.";
  const known = features.find(({ name }) => name === feature);
  if (known === undefined) return `Local controller ${nodeId} does not support this feature.`;
  const { minLevel, maxLevel } = known;
  if (level < minLevel || level > maxLevel) {
    return `Local controller ${nodeId} only supports versions ${minLevel}-${maxLevel}`;
  }
  if (level < known.level && upgradeType === UPGRADE) {
    return "Can't downgrade the version of this feature without setting the upgrade type to " +
      "either safe or unsafe downgrade.";
  }
  return level > known.level && upgradeType !== UPGRADE
    ? "Can't downgrade to a newer version."
    : null;
}
