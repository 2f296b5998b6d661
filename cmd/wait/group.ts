import { didYouMean } from "../../core/did-you-mean.ts";
import { Errors } from "../../core/errors.ts";
import type { Admin, GroupDescription } from "../../client/admin.ts";
import { KafkaError } from "../../client/errors.ts";
import { viewGroup } from "../group/describe.ts";
import type { GroupView } from "../group/describe.ts";
import { count } from "../output.ts";
import { waitFor } from "./waiting.ts";
import type { WaitOptions } from "./waiting.ts";

/** Options of `wait group`; all that are given have to hold at once. */
export interface WaitGroupOptions extends WaitOptions {
  /** Not more than so many records behind. */
  readonly lag?: number | undefined;
  readonly state?: readonly string[] | undefined;
  /** At least so many. */
  readonly members?: number | undefined;
}

/** `kstream wait group`. */
export async function waitGroup(name: string, options: WaitGroupOptions): Promise<void> {
  await waitFor(`group "${name}"`, options, async (admin) => {
    const group = await describeOrNull(admin, name);
    if (group === null) return { why: await whyMissing(admin, name) };
    const states = options.state ?? [];
    if (states.length > 0 && !states.includes(group.state)) return { why: `it is ${group.state}` };
    if (group.members.length < (options.members ?? 0)) {
      return { why: `it has ${count(group.members.length, "member")} of ${options.members}` };
    }
    const said = `group ${name} is ${group.state}: ${count(group.members.length, "member")}`;
    if (options.lag === undefined) return { found: said };
    const behind = await lagOfAll(admin, await viewGroup(admin, group));
    if (behind === null) return { why: "it has no offsets yet" };
    if (behind > options.lag) return { why: `its lag is ${behind.toLocaleString("en")}` };
    return { found: `${said}, lag ${behind.toLocaleString("en")}` };
  });
}

async function whyMissing(admin: Admin, name: string): Promise<string> {
  const near = didYouMean(name, (await admin.groups.list()).map(({ groupId }) => groupId));
  return `it does not exist${near === null ? "" : ` (did you mean "${near}"?)`}`;
}

async function describeOrNull(admin: Admin, name: string): Promise<GroupDescription | null> {
  try {
    return await admin.groups.describe(name);
  } catch (error) {
    if (error instanceof KafkaError && error.code === Errors.GROUP_ID_NOT_FOUND) return null;
    throw error;
  }
}

/**
 * All that is before the group, where nothing is committed from the start of the partition on: "no
 * lag" must not mean that somebody has yet to begin. Topics that are gone do not count. Null if that
 * leaves no partitions, or if one that is read has no end yet.
 */
async function lagOfAll(admin: Admin, { partitions }: GroupView): Promise<number | null> {
  const known = partitions.filter(({ endOffset, memberId }) => endOffset !== null || memberId);
  if (known.length === 0 || known.some(({ endOffset }) => endOffset === null)) return null;
  const lag = known.reduce((sum, each) => sum + (each.lag ?? each.endOffset ?? 0), 0);
  const untouched = known.filter((each) => each.lag === null);
  if (lag === 0 || untouched.length === 0) return lag;
  const starts = await admin.listOffsets(
    untouched.map(({ topic, partition }) => ({ topic, partition, at: "earliest" as const })),
  );
  return lag - starts.reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0);
}
