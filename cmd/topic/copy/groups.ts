/** Sets groups in a copy to where they were in its source. */
import type { Admin } from "../../../client/admin.ts";
import { KafkaError } from "../../../client/errors.ts";
import { refusal } from "../../admin-command.ts";
import type { DumpHeader } from "./dump-file.ts";
import type { TopicLoader } from "./loader.ts";

/** A group that goes on in the copy where it stopped in the source. */
export interface CopiedGroup {
  readonly group: string;
  readonly offsets: readonly { readonly partition: number; readonly offset: number }[];
}

/** Sets the groups; what was refused is in `failures`. */
export async function copyGroups(
  admin: Admin,
  topic: string,
  header: DumpHeader,
  loader: TopicLoader,
): Promise<{ groups: CopiedGroup[]; failures: unknown[] }> {
  const groups: CopiedGroup[] = [];
  const failures: unknown[] = [];
  for (const { group, type, offsets } of header.groups) {
    const mapped = offsets.map(({ partition, offset }) => ({
      partition,
      offset: loader.offsetOf(partition, offset),
    }));
    const wanted = mapped.map(({ partition, offset }) => ({
      topic,
      partition,
      offset: BigInt(offset),
    }));
    try {
      if (type === "share") await admin.groups.alterShareOffsets(group, wanted);
      else await admin.groups.alterOffsets(group, wanted);
      groups.push({ group, offsets: mapped });
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error;
      failures.push(refusal(`cannot set the offsets of group "${group}"`, error));
    }
  }
  return { groups, failures };
}
