/** What `group describe` prints for people. */
import type { GroupMember, SubtopologyTasks } from "../../client/admin.ts";
import { formatFacts, formatTable } from "../output.ts";
import type { Column } from "../output.ts";
import type { GroupView, PartitionView } from "./describe.ts";
import { formatPartitions } from "./numbers.ts";

/** Facts, lag per topic and partition, and the members where the partitions do not show them. */
export function formatGroup(view: GroupView, withMembers: boolean): string {
  const { members, partitions, topics, type } = view;
  const parts = [`${view.group}\n${formatFacts(factsOf(view))}`];
  if (topics.length > 1) {
    parts.push(formatTable(topics, [
      { title: "  TOPIC", cell: ({ topic }) => `  ${topic}` },
      { title: "LAG", cell: ({ lag }) => lag, right: true },
    ]));
  }
  if (partitions.length > 0) parts.push(formatTable(partitions, partitionColumns(view)));
  const idle = members.filter(({ assignment }) => assignment.length === 0);
  const isShown = withMembers || type === "share" || type === "streams";
  if (isShown && members.length > 0) parts.push(formatMembers(members, type));
  else if (idle.length > 0) {
    parts.push(idle.map((member) => `  without partitions: ${readerName(member)}\n`).join(""));
  }
  return parts.join("\n");
}

function factsOf(view: GroupView): [string, string][] {
  const facts: [string, string][] = [
    ["type", view.type],
    ["state", view.state],
    ["members", String(view.members.length)],
  ];
  if (view.assignor !== "") facts.push(["assignor", view.assignor]);
  const { groupEpoch, assignmentEpoch } = view;
  if (groupEpoch !== null) {
    const isBehind = view.members.length > 0 && assignmentEpoch !== null &&
      assignmentEpoch < groupEpoch;
    const behind = isBehind ? `, assigned for ${assignmentEpoch}` : "";
    facts.push(["epoch", `${groupEpoch}${behind}`]);
  }
  facts.push(["lag", view.lag === null ? "-" : String(view.lag)]);
  return facts;
}

function partitionColumns({ members, type }: GroupView): Column<PartitionView>[] {
  const memberOf = new Map(members.map((member) => [member.memberId, member]));
  const reader: Column<PartitionView>[] = type === "share" ? [] : [
    { title: "MEMBER", cell: ({ memberId }) => readerName(memberOf.get(memberId ?? "")) },
  ];
  return [
    { title: "  TOPIC", cell: ({ topic }) => `  ${topic}` },
    { title: "PARTITION", cell: ({ partition }) => partition, right: true },
    {
      title: type === "share" ? "START" : "COMMITTED",
      cell: ({ committedOffset }) => committedOffset,
      right: true,
    },
    { title: "END", cell: ({ endOffset }) => endOffset, right: true },
    { title: "LAG", cell: ({ lag }) => lag, right: true },
    ...reader,
  ];
}

function formatMembers(members: readonly GroupMember[], type: string): string {
  const epoch: Column<GroupMember>[] = type === "classic"
    ? []
    : [{ title: "EPOCH", cell: ({ memberEpoch }) => memberEpoch, right: true }];
  const does: Column<GroupMember>[] = type === "streams"
    ? [
      { title: "ACTIVE", cell: ({ tasks }) => formatTasks(tasks?.active ?? []) },
      { title: "STANDBY", cell: ({ tasks }) => formatTasks(tasks?.standby ?? []) },
    ]
    : [{ title: "READS", cell: ({ assignment }) => formatPartitions(assignment) }];
  return formatTable(members, [
    { title: "  MEMBER", cell: (member) => `  ${readerName(member)}` },
    { title: "ID", cell: ({ memberId }) => memberId },
    ...epoch,
    ...does,
  ]);
}

/** Tasks as Kafka Streams names them: `0_1` is task 1 of subtopology 0. */
function formatTasks(tasks: readonly SubtopologyTasks[]): string {
  return tasks.flatMap(({ subtopology, partitions }) =>
    partitions.map((partition) => `${subtopology}_${partition}`)
  ).join(",");
}

/** Who reads: the instance or client id, and from where. */
function readerName(member: GroupMember | undefined): string | null {
  if (member === undefined) return null;
  const host = member.clientHost.replace(/^\//, "");
  return `${member.groupInstanceId ?? member.clientId}@${host}`;
}
