import { didYouMean } from "../../core/did-you-mean.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { GroupListing } from "../../client/admin.ts";

/** The error for a group that is not there, with the nearest name that is. */
export function missingGroup(
  group: string,
  groups: readonly GroupListing[],
  whatToDo = "see: kstream group list",
): OperatorError {
  const near = didYouMean(group, groups.map(({ groupId }) => groupId));
  const hint = near === null ? whatToDo : `did you mean "${near}"?`;
  return new OperatorError(`group "${group}" does not exist`, "", hint);
}
