import { api, array, int16, int32, string } from "./schema.ts";

/**
 * Deletes empty groups.
 *
 * - 2: flexible.
 * - 3: error messages.
 */
export const deleteGroups = api({
  key: 42,
  name: "DeleteGroups",
  versions: "0-3",
  flexible: "2+",
  request: {
    groupsNames: array("0+", "string"),
  },
  response: {
    throttleTimeMs: int32("0+"),
    results: array("0+", {
      groupId: string("0+"),
      errorCode: int16("0+"),
      errorMessage: string("3+", { nullable: "3+", default: null, ignorable: true }),
    }),
  },
});
