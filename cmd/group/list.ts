import type { Admin, GroupListing } from "../../client/admin.ts";
import { ConnectionError, KafkaError } from "../../client/errors.ts";
import { withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import type { Tone } from "../color.ts";
import { formatTable, print, printJson } from "../output.ts";
import { lagOf, readEndOffsets, totalLag } from "../../client/admin/group-lag.ts";
import { type Position, readPositions } from "../../client/admin/positions.ts";

/** Options of `group list`. */
export interface ListOptions extends AdminOptions {
  /** Only groups of these types; empty: all. */
  readonly type?: readonly string[] | undefined;
  /** Only groups in these states; empty: all. */
  readonly state?: readonly string[] | undefined;
  readonly json?: boolean | undefined;
}

/** Other states pass: a rebalance is under way. */
const TONES: Readonly<Record<string, Tone>> = { Stable: "good", Empty: "title", Dead: "bad" };

/** How many groups are asked for their offsets at a time. */
const GROUPS_AT_ONCE = 16;

/** `kstream group list`. */
export async function listGroups(options: ListOptions): Promise<void> {
  const isWanted = (wanted: readonly string[] = [], value: string) =>
    wanted.length === 0 || wanted.some((each) => each.toLowerCase() === value.toLowerCase());
  const rows = await withAdmin(options, async (admin) => {
    const groups = (await admin.groups.list()).filter(({ type, state }) =>
      isWanted(options.type, type) && isWanted(options.state, state)
    );
    const positions = await readAllPositions(admin, groups);
    const ends = await readEndOffsets(admin, [...positions.values()].flat());
    return groups.map(({ groupId, state, type, protocolType }) => {
      const lags = (positions.get(groupId) ?? []).map((position) => lagOf(position, type, ends));
      return { group: groupId, state, type, protocolType, lag: totalLag(lags) };
    });
  });
  if (options.json) return await printJson(rows);
  await print(formatTable(rows, [
    { title: "GROUP", cell: ({ group }) => group },
    { title: "STATE", cell: ({ state }) => state, tone: ({ state }) => TONES[state] ?? "notice" },
    { title: "TYPE", cell: ({ type }) => type },
    { title: "LAG", cell: ({ lag }) => lag, right: true },
  ]));
}

async function readAllPositions(
  admin: Admin,
  groups: readonly GroupListing[],
): Promise<Map<string, Position[]>> {
  const found = new Map<string, Position[]>();
  for (let from = 0; from < groups.length; from += GROUPS_AT_ONCE) {
    await Promise.all(
      groups.slice(from, from + GROUPS_AT_ONCE).map(async ({ groupId, type }) => {
        try {
          found.set(groupId, await readPositions(admin, groupId, type));
        } catch (error) {
          // A group may just be deleted, or the broker too old to tell the offsets of its type.
          const isTooOld = error instanceof ConnectionError && error.failure === "unsupported";
          if (!(error instanceof KafkaError || isTooOld)) throw error;
        }
      }),
    );
  }
  return found;
}
