import { withAdmin } from "../admin-command.ts";
import { print, printJson } from "../output.ts";
import { aclJson, aclRefusal, filterOf, type FilterOptions, formatAcls } from "./resource.ts";

/** `kstream acl list`. */
export async function listAcls(options: FilterOptions): Promise<void> {
  const filter = filterOf(options);
  const entries = await withAdmin(options, async (admin) => {
    try {
      return await admin.acls.describe(filter);
    } catch (error) {
      throw aclRefusal("cannot list rules", error);
    }
  });
  if (options.json) await printJson(entries.map(aclJson));
  else await print(formatAcls(entries));
}
