import type { Admin, ConfigEntry, ConfigResource } from "../../client/admin.ts";
import { throwFailures, withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { formatTable, print, printJson } from "../output.ts";
import { configRefusal, missingConfig, requireBroker, resourceOf } from "./resource.ts";

/** Options of `config get`. */
export interface GetOptions extends AdminOptions {
  readonly all?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** `kstream config get`. */
export async function getConfigs(
  wanted: ConfigResource,
  names: readonly string[],
  options: GetOptions,
): Promise<void> {
  const resource = resourceOf(wanted);
  await withAdmin(options, async (admin) => {
    const all = await describe(admin, resource);
    const chosen = names.length > 0
      ? all.filter(({ name }) => names.includes(name))
      : all.filter(({ source }) => options.all === true || source !== "default");
    const sorted = chosen.toSorted((a, b) => a.name < b.name ? -1 : 1);
    if (options.json) {
      const configs = sorted.map(({ name, value, source, readOnly, sensitive }) => ({
        name,
        value,
        source,
        readOnly,
        sensitive,
      }));
      await printJson({ ...wanted, configs });
    } else {
      await print(formatTable(sorted, [
        { title: "CONFIG", cell: ({ name }) => name },
        { title: "VALUE", cell: ({ value, sensitive }) => sensitive ? "(secret)" : value },
        { title: "SOURCE", cell: ({ source }) => source },
      ]));
    }
    const missing = [...new Set(names)].filter((name) => !all.some((each) => each.name === name));
    throwFailures(missing.map((name) => missingConfig(wanted, name, all)));
  });
}

async function describe(admin: Admin, resource: ConfigResource): Promise<ConfigEntry[]> {
  await requireBroker(admin, resource);
  try {
    return await admin.describeConfigs(resource);
  } catch (error) {
    throw await configRefusal(admin, "cannot get the configs of", resource, error);
  }
}
