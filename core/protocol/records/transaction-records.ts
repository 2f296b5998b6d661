/** Records of `__transaction_state`. */
import { array, coordinatorRecord, int16, int32, int64, int8, string } from "../schema.ts";

export const transactionLogRecord = coordinatorRecord({
  type: 0,
  name: "TransactionLog",
  versions: "0-1",
  flexible: "1+",
  key: {
    transactionalId: string("0"),
  },
  value: {
    producerId: int64("0+"),
    previousProducerId: int64("1+", { default: -1n, tag: 0 }),
    nextProducerId: int64("1+", { default: -1n, tag: 1 }),
    producerEpoch: int16("0+"),
    nextProducerEpoch: int16("1+", { default: -1, tag: 3 }),
    transactionTimeoutMs: int32("0+"),
    transactionStatus: int8("0+"),
    transactionPartitions: array("0+", {
      topic: string("0+"),
      partitionIds: array("0+", "int32"),
    }, { nullable: "0+" }),
    transactionLastUpdateTimestampMs: int64("0+"),
    transactionStartTimestampMs: int64("0+"),
    clientTransactionVersion: int16("1+", { tag: 2 }),
  },
});
