import { Errors } from "../../core/errors.ts";
import type { Admin, GroupDescription, GroupListing, GroupMember } from "../../client/admin.ts";
import { KafkaError } from "../../client/errors.ts";
import { refusal, throwFailures, withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { formatFacts, formatTable, print, printJson } from "../output.ts";
import { lagOf, readEndOffsets, totalLag } from "./lag.ts";
import { missingGroup } from "./missing.ts";

/** Options of `group describe`. */
export interface DescribeOptions extends AdminOptions {
  readonly json?: boolean | undefined;
}

/** A partition that the group has committed or reads. */
interface PartitionView {
  readonly topic: string;
  readonly partition: number;
  readonly committedOffset: number | null;
  readonly endOffset: number | null;
  readonly lag: number | null;
  readonly memberId: string | null;
}

/** A group as `group describe --json` shows it. */
interface GroupView {
  readonly group: string;
  readonly state: string;
  readonly type: string;
  readonly protocolType: string;
  readonly assignor: string;
  readonly coordinator: number | null;
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
        views.push(await describeGroup(admin, name));
      } catch (error) {
        failures.push(refusal(`cannot describe group "${name}"`, error));
      }
    }
    if (options.json) await printJson(views);
    else await print(views.map(format).join("\n"));
    throwFailures(failures);
  });
}

async function describeGroup(admin: Admin, name: string): Promise<GroupView> {
  const description = await readDescription(admin, name);
  const offsets = await admin.groups.listOffsets(name);
  const committed = new Map(offsets.map((at) => [`${at.topic}/${at.partition}`, at]));
  const readers = new Map<string, string>(
    description.members.flatMap((member) =>
      member.assignment.flatMap(({ topic, partitions }) =>
        partitions.map((partition) =>
          [`${topic}/${partition}`, member.memberId] as [string, string]
        )
      )
    ),
  );
  const keys = [...new Set([...committed.keys(), ...readers.keys()])].map((key) => {
    const [topic = "", partition = ""] = key.split("/");
    return { key, topic, partition: Number(partition) };
  }).sort((a, b) => a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1);
  const ends = await readEndOffsets(admin, keys);
  const partitions = keys.map(({ key, topic, partition }): PartitionView => {
    const at = committed.get(key);
    return {
      topic,
      partition,
      committedOffset: at === undefined ? null : Number(at.offset),
      endOffset: ends.get(key) ?? null,
      lag: at === undefined ? null : lagOf(at, ends),
      memberId: readers.get(key) ?? null,
    };
  });
  const byTopic = Map.groupBy(partitions, ({ topic }) => topic);
  return {
    group: name,
    state: description.state,
    type: description.type,
    protocolType: description.protocolType,
    assignor: description.protocol,
    coordinator: description.coordinator,
    lag: totalLag(partitions.map(({ lag }) => lag)),
    topics: [...byTopic].map(([topic, list]) => ({
      topic,
      lag: totalLag(list.map(({ lag }) => lag)),
    })),
    partitions,
    members: description.members,
  };
}

type Description = Omit<GroupDescription, "coordinator" | "type"> & {
  readonly coordinator: number | null;
  readonly type: string;
};

/** Of groups that are neither classic nor consumer the listing tells state and type. */
async function readDescription(admin: Admin, name: string): Promise<Description> {
  try {
    return await admin.groups.describe(name);
  } catch (error) {
    const isMissing = error instanceof KafkaError && error.code === Errors.GROUP_ID_NOT_FOUND;
    if (!isMissing) throw error;
    const groups: readonly GroupListing[] = await admin.groups.list();
    const listed = groups.find(({ groupId }) => groupId === name);
    if (listed === undefined) throw missingGroup(name, groups);
    return { ...listed, protocol: "", coordinator: null, members: [] };
  }
}

function format(view: GroupView): string {
  const { members, partitions, topics } = view;
  const memberOf = new Map(members.map((member) => [member.memberId, member]));
  const facts: [string, string][] = [
    ["state", view.state],
    ["members", String(members.length)],
    ...(view.assignor === "" ? [] : [["assignor", view.assignor] satisfies [string, string]]),
    ["lag", view.lag === null ? "-" : String(view.lag)],
  ];
  const head = `${view.group}\n${formatFacts(facts)}`;
  const perTopic = topics.length < 2 ? "" : "\n" + formatTable(topics, [
    { title: "  TOPIC", cell: ({ topic }) => `  ${topic}` },
    { title: "LAG", cell: ({ lag }) => lag, right: true },
  ]);
  const perPartition = partitions.length === 0 ? "" : "\n" + formatTable(partitions, [
    { title: "  TOPIC", cell: ({ topic }) => `  ${topic}` },
    { title: "PARTITION", cell: ({ partition }) => partition, right: true },
    { title: "COMMITTED", cell: ({ committedOffset }) => committedOffset, right: true },
    { title: "END", cell: ({ endOffset }) => endOffset, right: true },
    { title: "LAG", cell: ({ lag }) => lag, right: true },
    { title: "MEMBER", cell: ({ memberId }) => readerName(memberOf.get(memberId ?? "")) },
  ]);
  const idle = members.filter(({ assignment }) => assignment.length === 0);
  const perIdle = idle.length === 0
    ? ""
    : "\n" + idle.map((member) => `  without partitions: ${readerName(member)}\n`).join("");
  return head + perTopic + perPartition + perIdle;
}

/** Who reads: the instance or client id, and from where. */
function readerName(member: GroupMember | undefined): string | null {
  if (member === undefined) return null;
  const host = member.clientHost.replace(/^\//, "");
  return `${member.groupInstanceId ?? member.clientId}@${host}`;
}
