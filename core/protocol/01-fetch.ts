import { api, array, int16, int32, int64, int8, records, string, struct, uuid } from "./schema.ts";

/**
 * Reads record batches from partitions, with fetch sessions (KIP-227) and long polls.
 *
 * - 4: isolation level, aborted transactions (KIP-98).
 * - 5: log start offsets (KIP-107).
 * - 7: fetch sessions (KIP-227).
 * - 9: leader epochs (KIP-320).
 * - 10: zstd (KIP-110).
 * - 11: rack id, preferred read replica (KIP-392).
 * - 12: flexible; diverging epoch (KIP-595).
 * - 13: topic ids (KIP-516).
 * - 14: OFFSET_MOVED_TO_TIERED_STORAGE (KIP-405).
 * - 15: replica state with the broker epoch (KIP-903).
 * - 16: leader discovery in the response (KIP-951).
 * - 17: directory id (KIP-853).
 * - 18: the follower's high watermark (KIP-1166).
 */
export const fetch = api({
  key: 1,
  name: "Fetch",
  versions: "4-18",
  flexible: "12+",
  request: {
    clusterId: string("12+", { nullable: "12+", default: null, tag: 0, ignorable: true }),
    replicaId: int32("0-14", { default: -1 }),
    replicaState: struct("15+", {
      replicaId: int32("15+", { default: -1 }),
      replicaEpoch: int64("15+", { default: -1n }),
    }, { tag: 1 }),
    maxWaitMs: int32("0+"),
    minBytes: int32("0+"),
    maxBytes: int32("3+", { default: 2_147_483_647, ignorable: true }),
    isolationLevel: int8("4+", { ignorable: true }),
    sessionId: int32("7+", { ignorable: true }),
    sessionEpoch: int32("7+", { default: -1, ignorable: true }),
    topics: array("0+", {
      topic: string("0-12", { ignorable: true }),
      topicId: uuid("13+", { ignorable: true }),
      partitions: array("0+", {
        partition: int32("0+"),
        currentLeaderEpoch: int32("9+", { default: -1, ignorable: true }),
        fetchOffset: int64("0+"),
        lastFetchedEpoch: int32("12+", { default: -1 }),
        logStartOffset: int64("5+", { default: -1n, ignorable: true }),
        partitionMaxBytes: int32("0+"),
        replicaDirectoryId: uuid("17+", { tag: 0, ignorable: true }),
        highWatermark: int64("18+", {
          default: 9_223_372_036_854_775_807n,
          tag: 1,
          ignorable: true,
        }),
      }),
    }),
    forgottenTopicsData: array("7+", {
      topic: string("7-12", { ignorable: true }),
      topicId: uuid("13+", { ignorable: true }),
      partitions: array("7+", "int32"),
    }),
    rackId: string("11+", { ignorable: true }),
  },
  response: {
    throttleTimeMs: int32("1+", { ignorable: true }),
    errorCode: int16("7+", { ignorable: true }),
    sessionId: int32("7+"),
    responses: array("0+", {
      topic: string("0-12", { ignorable: true }),
      topicId: uuid("13+", { ignorable: true }),
      partitions: array("0+", {
        partitionIndex: int32("0+"),
        errorCode: int16("0+"),
        highWatermark: int64("0+"),
        lastStableOffset: int64("4+", { default: -1n, ignorable: true }),
        logStartOffset: int64("5+", { default: -1n, ignorable: true }),
        divergingEpoch: struct("12+", {
          epoch: int32("12+", { default: -1 }),
          endOffset: int64("12+", { default: -1n }),
        }, { tag: 0 }),
        currentLeader: struct("12+", {
          leaderId: int32("12+", { default: -1 }),
          leaderEpoch: int32("12+", { default: -1 }),
        }, { tag: 1 }),
        snapshotId: struct("12+", {
          endOffset: int64("0+", { default: -1n }),
          epoch: int32("0+", { default: -1 }),
        }, { tag: 2 }),
        abortedTransactions: array("4+", {
          producerId: int64("4+"),
          firstOffset: int64("4+"),
        }, { nullable: "4+", ignorable: true }),
        preferredReadReplica: int32("11+", { default: -1 }),
        records: records("0+", { nullable: "0+" }),
      }),
    }),
    nodeEndpoints: array("16+", {
      nodeId: int32("16+"),
      host: string("16+"),
      port: int32("16+"),
      rack: string("16+", { nullable: "16+", default: null }),
    }, { tag: 0 }),
  },
});
