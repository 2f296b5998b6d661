import { api, array, int16, int32, string } from "./schema.ts";

/**
 * Lists the groups that a broker coordinates.
 *
 * - 3: flexible.
 * - 4: filter by state (KIP-518).
 * - 5: filter by type (KIP-848).
 */
export const listGroups = api({
  key: 16,
  name: "ListGroups",
  versions: "0-5",
  flexible: "3+",
  request: {
    statesFilter: array("4+", "string"),
    typesFilter: array("5+", "string"),
  },
  response: {
    throttleTimeMs: int32("1+", { ignorable: true }),
    errorCode: int16("0+"),
    groups: array("0+", {
      groupId: string("0+"),
      protocolType: string("0+"),
      groupState: string("4+", { ignorable: true }),
      groupType: string("5+", { ignorable: true }),
    }),
  },
});
