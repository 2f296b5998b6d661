import { Errors } from "../../core/errors.ts";
import { refusal, throwFailures, withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { print, printJson } from "../output.ts";
import { missingGroup } from "./missing.ts";

/** Options of `group delete`. */
export interface DeleteOptions extends AdminOptions {
  readonly ifExists?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** `kstream group delete`. */
export async function deleteGroups(
  names: readonly string[],
  options: DeleteOptions,
): Promise<void> {
  await withAdmin(options, async (admin) => {
    const results = await admin.groups.delete([...new Set(names)]);
    const isMissing = (code: number | undefined) => code === Errors.GROUP_ID_NOT_FOUND;
    const done = results.filter(({ error }) =>
      error === null || (options.ifExists === true && isMissing(error.code))
    );
    const said = done.map(({ groupId, error }) => ({ group: groupId, deleted: error === null }));
    if (options.json) await printJson(said);
    else {
      await print(
        said.map(({ group, deleted }) =>
          deleted ? `deleted group ${group}\n` : `group ${group} is not there\n`
        ).join(""),
      );
    }
    const failed = results.filter((result) => !done.includes(result));
    const groups = failed.some(({ error }) => isMissing(error?.code))
      ? await admin.groups.list()
      : [];
    throwFailures(
      failed.map(({ groupId, error }) =>
        isMissing(error?.code)
          ? missingGroup(groupId, groups, "--if-exists accepts that")
          : refusal(`cannot delete group "${groupId}"`, error)
      ),
    );
  });
}
