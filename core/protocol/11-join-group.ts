import { api, array, bool, bytes, int16, int32, string } from "./schema.ts";

/**
 * Joins a classic consumer group and waits for the rebalance.
 *
 * - 1: rebalance timeout (KIP-62).
 * - 4: a member id is required on the second try (KIP-394).
 * - 5: static membership (KIP-345).
 * - 6: flexible.
 * - 7: protocol type in the response (KIP-559).
 * - 8: reason (KIP-800).
 * - 9: the leader may be told to skip the assignment (KIP-814).
 */
export const joinGroup = api({
  key: 11,
  name: "JoinGroup",
  versions: "0-9",
  flexible: "6+",
  request: {
    groupId: string("0+"),
    sessionTimeoutMs: int32("0+"),
    rebalanceTimeoutMs: int32("1+", { default: -1, ignorable: true }),
    memberId: string("0+"),
    groupInstanceId: string("5+", { nullable: "5+", default: null }),
    protocolType: string("0+"),
    protocols: array("0+", {
      name: string("0+"),
      metadata: bytes("0+"),
    }),
    reason: string("8+", { nullable: "8+", default: null, ignorable: true }),
  },
  response: {
    throttleTimeMs: int32("2+", { ignorable: true }),
    errorCode: int16("0+"),
    generationId: int32("0+", { default: -1 }),
    protocolType: string("7+", { nullable: "7+", default: null, ignorable: true }),
    protocolName: string("0+", { nullable: "7+" }),
    leader: string("0+"),
    skipAssignment: bool("9+"),
    memberId: string("0+"),
    members: array("0+", {
      memberId: string("0+"),
      groupInstanceId: string("5+", { nullable: "5+", default: null, ignorable: true }),
      metadata: bytes("0+"),
    }),
  },
});
