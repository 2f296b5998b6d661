import { api, bool, int16, int32, int64, string } from "./schema.ts";

/**
 * Gives a producer its id and epoch, and fences its predecessor.
 *
 * - 2: flexible.
 * - 3: id and epoch of a producer that asks for a bump (KIP-360).
 * - 4: PRODUCER_FENCED (KIP-588).
 * - 5: TRANSACTION_ABORTABLE (KIP-890).
 * - 6: two-phase commit (KIP-939); not stable.
 */
export const initProducerId = api({
  key: 22,
  name: "InitProducerId",
  versions: "0-6",
  flexible: "2+",
  unstable: true,
  request: {
    transactionalId: string("0+", { nullable: "0+" }),
    transactionTimeoutMs: int32("0+"),
    producerId: int64("3+", { default: -1n }),
    producerEpoch: int16("3+", { default: -1 }),
    enable2Pc: bool("6+"),
    keepPreparedTxn: bool("6+"),
  },
  response: {
    throttleTimeMs: int32("0+", { ignorable: true }),
    errorCode: int16("0+"),
    producerId: int64("0+", { default: -1n }),
    producerEpoch: int16("0+"),
    ongoingTxnProducerId: int64("6+", { default: -1n }),
    ongoingTxnProducerEpoch: int16("6+", { default: -1 }),
  },
});
