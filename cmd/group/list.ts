import type { Admin, CommittedOffset, GroupListing } from "../../client/admin.ts";
import { KafkaError } from "../../client/errors.ts";
import { withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { formatTable, print, printJson } from "../output.ts";
import { lagOf, readEndOffsets, totalLag } from "./lag.ts";

/** Options of `group list`. */
export interface ListOptions extends AdminOptions {
  readonly json?: boolean | undefined;
}

/** How many groups are asked for their offsets at a time. */
const GROUPS_AT_ONCE = 16;

/** `kstream group list`. */
export async function listGroups(options: ListOptions): Promise<void> {
  const rows = await withAdmin(options, async (admin) => {
    const groups = await admin.groups.list();
    const offsets = await readOffsets(admin, groups);
    const ends = await readEndOffsets(admin, [...offsets.values()].flat());
    return groups.map(({ groupId, state, type, protocolType }) => {
      const lags = (offsets.get(groupId) ?? []).map((offset) => lagOf(offset, ends));
      return { group: groupId, state, type, protocolType, lag: totalLag(lags) };
    });
  });
  if (options.json) return await printJson(rows);
  await print(formatTable(rows, [
    { title: "GROUP", cell: ({ group }) => group },
    { title: "STATE", cell: ({ state }) => state },
    { title: "TYPE", cell: ({ type }) => type },
    { title: "LAG", cell: ({ lag }) => lag, right: true },
  ]));
}

async function readOffsets(
  admin: Admin,
  groups: readonly GroupListing[],
): Promise<Map<string, CommittedOffset[]>> {
  const found = new Map<string, CommittedOffset[]>();
  for (let from = 0; from < groups.length; from += GROUPS_AT_ONCE) {
    await Promise.all(
      groups.slice(from, from + GROUPS_AT_ONCE).map(async ({ groupId }) => {
        try {
          found.set(groupId, await admin.groups.listOffsets(groupId));
        } catch (error) {
          // A group may be of a type without offsets, or just be deleted.
          if (!(error instanceof KafkaError)) throw error;
        }
      }),
    );
  }
  return found;
}
