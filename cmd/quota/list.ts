import { refusal, withAdmin } from "../admin-command.ts";
import { formatTable, print, printJson } from "../output.ts";
import { entityOf, type EntityOptions, shownEntity } from "./entity.ts";

/** `kstream quota list`. */
export async function listQuotas(options: EntityOptions): Promise<void> {
  const wanted = entityOf(options);
  const found = await withAdmin(options, async (admin) => {
    try {
      return await admin.quotas.describe(wanted);
    } catch (error) {
      throw refusal("cannot list quotas", error);
    }
  });
  const entries = found.toSorted((a, b) => shownEntity(a.entity) < shownEntity(b.entity) ? -1 : 1);
  if (options.json) return await printJson(entries);
  const rows = entries.flatMap(({ entity, quotas }) =>
    Object.entries(quotas).map(([key, value]) => ({ entity, key, value }))
  );
  await print(formatTable(rows, [
    { title: "FOR", cell: ({ entity }) => shownEntity(entity) },
    { title: "QUOTA", cell: ({ key }) => key },
    { title: "VALUE", cell: ({ value }) => value, right: true },
  ]));
}
