import { api, array, int16, int32, int64, records, string, struct, uuid } from "./schema.ts";

/**
 * Appends record batches to partitions.
 *
 * - 3: record batches of format v2, transactions (KIP-98).
 * - 4: KAFKA_STORAGE_ERROR may be answered.
 * - 5: log start offset in the response.
 * - 7: zstd (KIP-110).
 * - 8: record errors (KIP-467).
 * - 9: flexible.
 * - 10: leader discovery in the response (KIP-951).
 * - 11: TRANSACTION_ABORTABLE (KIP-890).
 * - 12: partitions join the transaction on produce (KIP-890).
 * - 13: topic ids (KIP-516).
 */
export const produce = api({
  key: 0,
  name: "Produce",
  versions: "3-13",
  flexible: "9+",
  request: {
    transactionalId: string("3+", { nullable: "3+", default: null }),
    acks: int16("0+"),
    timeoutMs: int32("0+"),
    topicData: array("0+", {
      name: string("0-12", { ignorable: true }),
      topicId: uuid("13+", { ignorable: true }),
      partitionData: array("0+", {
        index: int32("0+"),
        records: records("0+", { nullable: "0+" }),
      }),
    }),
  },
  response: {
    responses: array("0+", {
      name: string("0-12", { ignorable: true }),
      topicId: uuid("13+", { ignorable: true }),
      partitionResponses: array("0+", {
        index: int32("0+"),
        errorCode: int16("0+"),
        baseOffset: int64("0+"),
        logAppendTimeMs: int64("2+", { default: -1n, ignorable: true }),
        logStartOffset: int64("5+", { default: -1n, ignorable: true }),
        recordErrors: array("8+", {
          batchIndex: int32("8+"),
          batchIndexErrorMessage: string("8+", { nullable: "8+", default: null }),
        }, { ignorable: true }),
        errorMessage: string("8+", { nullable: "8+", default: null, ignorable: true }),
        currentLeader: struct("10+", {
          leaderId: int32("10+", { default: -1 }),
          leaderEpoch: int32("10+", { default: -1 }),
        }, { tag: 0 }),
      }),
    }),
    throttleTimeMs: int32("1+", { ignorable: true }),
    nodeEndpoints: array("10+", {
      nodeId: int32("10+"),
      host: string("10+"),
      port: int32("10+"),
      rack: string("10+", { nullable: "10+", default: null }),
    }, { tag: 0 }),
  },
});
