/**
 * ListGroups, versions 0 to 5: the groups that this broker coordinates.
 *
 * - With DESCRIBE on the cluster all groups are listed, else those that the sender may describe.
 * - 4: filter by state (KIP-518). 5: filter by type (KIP-848). Both ignore case; a state or type
 *   that does not exist matches nothing.
 */
import { listGroups } from "../../core/protocol/16-list-groups.ts";
import { CLUSTER_NAME } from "../authorizer.ts";
import type { Handler } from "../handler.ts";

export const listGroupsHandler: Handler<typeof listGroups> = {
  api: listGroups,
  authorize: { kind: "items", operations: ["DESCRIBE CLUSTER", "DESCRIBE GROUP"] },
  async handle(context, request, broker) {
    const outcome = await broker.groups.listGroups();
    if (!outcome.ok) return { errorCode: outcome.error };
    const states = filter(request.statesFilter);
    const types = filter(request.typesFilter);
    const seesAll = context.authorized("DESCRIBE", "CLUSTER", CLUSTER_NAME);
    const groups = outcome.value.filter((group) =>
      states(group.state) && types(group.type) &&
      (seesAll || context.authorized("DESCRIBE", "GROUP", group.groupId))
    );
    return {
      groups: groups.map(({ groupId, protocolType, state, type }) => ({
        groupId,
        protocolType,
        groupState: state,
        groupType: type,
      })),
    };
  },
};

/** Whether a name is among the wanted; nothing wanted is everything. */
function filter(wanted: readonly string[]): (name: string) => boolean {
  const names = new Set(wanted.map((name) => name.toLowerCase()));
  return (name) => names.size === 0 || names.has(name.toLowerCase());
}
