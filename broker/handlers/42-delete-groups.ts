/**
 * DeleteGroups, versions 0 to 3: removes empty groups of every kind with their offsets.
 *
 * - Needs DELETE on each group. NON_EMPTY_GROUP while there are members, GROUP_ID_NOT_FOUND if there
 *   is no such group. 3: a message beside the error.
 */
import { type ErrorCode, errorName, Errors } from "../../core/errors.ts";
import { deleteGroups } from "../../core/protocol/42-delete-groups.ts";
import type { Handler } from "../handler.ts";

export const deleteGroupsHandler: Handler<typeof deleteGroups> = {
  api: deleteGroups,
  authorize: { kind: "items", operations: ["DELETE GROUP"] },
  async handle(context, request, broker) {
    const names = [...new Set(request.groupsNames)];
    const allowed = new Set(names.filter((name) => context.authorized("DELETE", "GROUP", name)));
    const errors = new Map(await broker.shareGroups.beforeDelete([...allowed]));
    const rest = [...allowed].filter((name) => !errors.has(name));
    for (const [name, error] of await broker.groups.deleteGroups(rest)) errors.set(name, error);
    return {
      results: names.map((name) =>
        result(
          name,
          allowed.has(name)
            ? errors.get(name) ?? Errors.GROUP_ID_NOT_FOUND
            : Errors.GROUP_AUTHORIZATION_FAILED,
        )
      ),
    };
  },
  failure: (request, error) => ({
    results: request.groupsNames.map((name) => result(name, error)),
  }),
};

function result(groupId: string, errorCode: ErrorCode) {
  return {
    groupId,
    errorCode,
    errorMessage: errorCode === Errors.NONE ? null : errorName(errorCode),
  };
}
