import { Errors } from "../../core/errors.ts";
import type { Admin, GroupDescription, GroupMember } from "../../client/admin.ts";
import { KafkaError } from "../../client/errors.ts";
import { refusal, throwFailures, withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { print, printJson } from "../output.ts";
import { formatGroup } from "./describe-text.ts";
import { type EndOffsets, lagOf, readEndOffsets, totalLag } from "../../client/admin/group-lag.ts";
import { missingGroup } from "./missing.ts";
import { type Position, readPositions } from "../../client/admin/positions.ts";

/** Options of `group describe`. */
export interface DescribeOptions extends AdminOptions {
  readonly members?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** A partition that the group has committed or reads. */
export interface PartitionView {
  readonly topic: string;
  readonly partition: number;
  /** The start offset of a share group. */
  readonly committedOffset: number | null;
  readonly endOffset: number | null;
  readonly lag: number | null;
  /** Null in a share group, where several members may read a partition. */
  readonly memberId: string | null;
}

/** A group as `group describe --json` shows it. */
export interface GroupView {
  readonly group: string;
  readonly state: string;
  readonly type: string;
  readonly protocolType: string;
  readonly assignor: string;
  readonly coordinator: number;
  readonly groupEpoch: number | null;
  readonly assignmentEpoch: number | null;
  readonly lag: number | null;
  readonly topics: readonly { topic: string; lag: number | null }[];
  readonly partitions: readonly PartitionView[];
  readonly members: readonly GroupMember[];
}

/** `kstream group describe`. */
export async function describeGroups(
  names: readonly string[],
  options: DescribeOptions,
): Promise<void> {
  await withAdmin(options, async (admin) => {
    const views: GroupView[] = [];
    const failures: unknown[] = [];
    for (const name of new Set(names)) {
      try {
        views.push(await viewGroup(admin, await readDescription(admin, name)));
      } catch (error) {
        failures.push(refusal(`cannot describe group "${name}"`, error));
      }
    }
    if (options.json) await printJson(views);
    else {
      await print(views.map((view) => formatGroup(view, options.members ?? false)).join("\n"));
    }
    throwFailures(failures);
  });
}

/** A group of any type. Throws `OperatorError` with the nearest name if it is not there. */
export async function readDescription(
  admin: Admin,
  name: string,
  whatToDo?: string,
): Promise<GroupDescription> {
  try {
    return await admin.groups.describe(name);
  } catch (error) {
    const isMissing = error instanceof KafkaError && error.code === Errors.GROUP_ID_NOT_FOUND;
    if (!isMissing) throw error;
    throw missingGroup(name, await admin.groups.list(), whatToDo);
  }
}

/** All there is to know of a group. */
export async function viewGroup(admin: Admin, description: GroupDescription): Promise<GroupView> {
  const { groupId, state, type, protocolType, protocol, coordinator, members } = description;
  const positions = await readPositions(admin, groupId, type);
  const ends = await readEndOffsets(admin, [
    ...positions,
    ...members.flatMap(({ assignment }) =>
      assignment.flatMap(({ topic, partitions }) =>
        partitions.map((partition) => ({ topic, partition }))
      )
    ),
  ]);
  const partitions = partitionsOf(description, positions, ends);
  return {
    group: groupId,
    state,
    type,
    protocolType,
    assignor: protocol,
    coordinator,
    groupEpoch: description.groupEpoch,
    assignmentEpoch: description.assignmentEpoch,
    lag: totalLag(partitions.map(({ lag }) => lag)),
    topics: [...Map.groupBy(partitions, ({ topic }) => topic)].map(([topic, list]) => ({
      topic,
      lag: totalLag(list.map(({ lag }) => lag)),
    })),
    partitions,
    members,
  };
}

/** What the group has committed or reads, in order. */
function partitionsOf(
  { type, members }: GroupDescription,
  positions: readonly Position[],
  ends: EndOffsets,
): PartitionView[] {
  const known = new Map(positions.map((at) => [`${at.topic}/${at.partition}`, at]));
  const readers = new Map<string, string>();
  for (const { memberId, assignment } of members) {
    for (const { topic, partitions } of assignment) {
      for (const partition of partitions) {
        const key = `${topic}/${partition}`;
        // The inputs of tasks are told with partitions that a smaller topic does not have.
        if (type !== "streams" || ends.has(key)) readers.set(key, memberId);
      }
    }
  }
  const views = [...new Set([...known.keys(), ...readers.keys()])].map((key): PartitionView => {
    const [topic = "", partition = ""] = key.split("/");
    const at = known.get(key);
    return {
      topic,
      partition: Number(partition),
      committedOffset: at?.offset ?? null,
      endOffset: ends.get(key) ?? null,
      lag: at === undefined ? null : lagOf(at, type, ends),
      memberId: type === "share" ? null : readers.get(key) ?? null,
    };
  });
  return views.sort((a, b) =>
    a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1
  );
}
