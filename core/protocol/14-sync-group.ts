import { api, array, bytes, int16, int32, string } from "./schema.ts";

/**
 * Brings the leader's assignment to the members of a classic group.
 *
 * - 3: static membership (KIP-345).
 * - 4: flexible.
 * - 5: protocol type and name (KIP-559).
 */
export const syncGroup = api({
  key: 14,
  name: "SyncGroup",
  versions: "0-5",
  flexible: "4+",
  request: {
    groupId: string("0+"),
    generationId: int32("0+"),
    memberId: string("0+"),
    groupInstanceId: string("3+", { nullable: "3+", default: null }),
    protocolType: string("5+", { nullable: "5+", default: null, ignorable: true }),
    protocolName: string("5+", { nullable: "5+", default: null, ignorable: true }),
    assignments: array("0+", {
      memberId: string("0+"),
      assignment: bytes("0+"),
    }),
  },
  response: {
    throttleTimeMs: int32("1+", { ignorable: true }),
    errorCode: int16("0+"),
    protocolType: string("5+", { nullable: "5+", default: null, ignorable: true }),
    protocolName: string("5+", { nullable: "5+", default: null, ignorable: true }),
    assignment: bytes("0+"),
  },
});
