import { api, int16, int32, int64 } from "./schema.ts";

/** Hands a broker a block of producer ids (KIP-730). */
export const allocateProducerIds = api({
  key: 67,
  name: "AllocateProducerIds",
  versions: "0",
  flexible: "0+",
  request: {
    brokerId: int32("0+"),
    brokerEpoch: int64("0+", { default: -1n }),
  },
  response: {
    throttleTimeMs: int32("0+"),
    errorCode: int16("0+"),
    producerIdStart: int64("0+"),
    producerIdLen: int32("0+"),
  },
});
