/**
 * The APIs that brokers of a cluster have for each other: served by its members beside those of
 * `index.ts`. All need CLUSTER_ACTION on CLUSTER.
 */
import type { AnyHandler } from "../handler.ts";
import { fetchSnapshotHandler } from "./59-fetch-snapshot.ts";

export const clusterHandlers: readonly AnyHandler[] = [fetchSnapshotHandler];
