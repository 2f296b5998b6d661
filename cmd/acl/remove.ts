import { OperatorError } from "../../core/operator-error.ts";
import { withAdmin } from "../admin-command.ts";
import { count, print, printJson } from "../output.ts";
import { aclJson, aclRefusal, filterOf, type FilterOptions, shownEntry } from "./resource.ts";

/** Options of `acl remove`. */
export interface RemoveOptions extends FilterOptions {
  readonly all?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
}

/** `kstream acl remove`. */
export async function removeAcls(options: RemoveOptions): Promise<void> {
  const filter = filterOf(options);
  const isEverything = Object.values(filter).every((part) => part === null);
  if (isEverything !== (options.all === true)) {
    throw isEverything
      ? new OperatorError("that would remove every rule", "", "say which, or give --all", 2)
      : new OperatorError("--all and a choice of rules exclude each other", "", "choose one", 2);
  }
  const removed = await withAdmin(options, async (admin) => {
    try {
      return options.dryRun === true
        ? await admin.acls.describe(filter)
        : await admin.acls.delete(filter);
    } catch (error) {
      throw aclRefusal("cannot remove rules", error);
    }
  });
  if (options.json) return await printJson(removed.map(aclJson));
  const done = options.dryRun === true ? "would remove" : "removed";
  const lines = removed.map((entry) => `${done}: ${shownEntry(entry)}\n`);
  await print(lines.join("") || `${done} ${count(0, "rule")}\n`);
}
