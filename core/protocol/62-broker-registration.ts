import { api, array, bool, int16, int32, int64, string, uint16, uuid } from "./schema.ts";

/**
 * Registers a broker with the controller (KIP-631).
 *
 * - 1: whether a ZooKeeper broker registers (KIP-866).
 * - 2: log directories (KIP-858).
 * - 3: previous broker epoch, for ELR (KIP-966).
 * - 4: features whose minimum is 0 (KAFKA-17011).
 */
export const brokerRegistration = api({
  key: 62,
  name: "BrokerRegistration",
  versions: "0-4",
  flexible: "0+",
  request: {
    brokerId: int32("0+"),
    clusterId: string("0+"),
    incarnationId: uuid("0+"),
    listeners: array("0+", {
      name: string("0+"),
      host: string("0+"),
      port: uint16("0+"),
      securityProtocol: int16("0+"),
    }),
    features: array("0+", {
      name: string("0+"),
      minSupportedVersion: int16("0+"),
      maxSupportedVersion: int16("0+"),
    }),
    rack: string("0+", { nullable: "0+" }),
    isMigratingZkBroker: bool("1+"),
    logDirs: array("2+", "uuid", { ignorable: true }),
    previousBrokerEpoch: int64("3+", { default: -1n, ignorable: true }),
  },
  response: {
    throttleTimeMs: int32("0+"),
    errorCode: int16("0+"),
    brokerEpoch: int64("0+", { default: -1n }),
  },
});
