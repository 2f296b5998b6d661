import { api, int16, int32, string } from "./schema.ts";

/**
 * Keeps a member of a classic group alive.
 *
 * - 3: static membership (KIP-345).
 * - 4: flexible.
 */
export const heartbeat = api({
  key: 12,
  name: "Heartbeat",
  versions: "0-4",
  flexible: "4+",
  request: {
    groupId: string("0+"),
    generationId: int32("0+"),
    memberId: string("0+"),
    groupInstanceId: string("3+", { nullable: "3+", default: null }),
  },
  response: {
    throttleTimeMs: int32("1+", { ignorable: true }),
    errorCode: int16("0+"),
  },
});
