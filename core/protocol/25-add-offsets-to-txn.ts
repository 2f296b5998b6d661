import { api, int16, int32, int64, string } from "./schema.ts";

/**
 * Adds a group's offsets to a transaction.
 *
 * - 3: flexible.
 * - 4: TRANSACTION_ABORTABLE (KIP-890).
 */
export const addOffsetsToTxn = api({
  key: 25,
  name: "AddOffsetsToTxn",
  versions: "0-4",
  flexible: "3+",
  request: {
    transactionalId: string("0+"),
    producerId: int64("0+"),
    producerEpoch: int16("0+"),
    groupId: string("0+"),
  },
  response: {
    throttleTimeMs: int32("0+"),
    errorCode: int16("0+"),
  },
});
