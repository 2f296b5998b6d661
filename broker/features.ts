/**
 * Features of a cluster (KIP-584): versions of behaviour that clients and brokers agree on.
 */

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
export const ONE_NODE_FEATURES: readonly FinalizedFeature[] = [];
