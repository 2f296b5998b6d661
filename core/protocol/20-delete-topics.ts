import { api, array, int16, int32, string, uuid } from "./schema.ts";

/**
 * Deletes topics by name or id.
 *
 * - 4: flexible.
 * - 5: error messages; THROTTLING_QUOTA_EXCEEDED (KIP-599).
 * - 6: topics by id (KIP-516).
 */
export const deleteTopics = api({
  key: 20,
  name: "DeleteTopics",
  versions: "1-6",
  flexible: "4+",
  request: {
    topics: array("6+", {
      name: string("6+", { nullable: "6+", default: null }),
      topicId: uuid("6+"),
    }),
    topicNames: array("0-5", "string", { ignorable: true }),
    timeoutMs: int32("0+"),
  },
  response: {
    throttleTimeMs: int32("1+", { ignorable: true }),
    responses: array("0+", {
      name: string("0+", { nullable: "6+" }),
      topicId: uuid("6+", { ignorable: true }),
      errorCode: int16("0+"),
      errorMessage: string("5+", { nullable: "5+", default: null, ignorable: true }),
    }),
  },
});
