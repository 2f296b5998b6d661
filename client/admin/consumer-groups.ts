/** Groups of the new consumer protocol (KIP-848), which DescribeGroups does not know. */
import type { Connection } from "../../core/connection.ts";
import { consumerGroupDescribe } from "../../core/protocol/69-consumer-group-describe.ts";
import { throwOnError } from "../errors.ts";
import type { GroupDescription } from "./groups.ts";

/** The description of the group; null if the broker is too old for such groups. */
export async function describeConsumerGroup(
  connection: Connection,
  groupId: string,
  coordinator: number,
  timeoutMs: number,
): Promise<GroupDescription | null> {
  if (connection.versionOf(consumerGroupDescribe) === null) return null;
  const response = await connection.request(consumerGroupDescribe, { groupIds: [groupId] }, {
    timeoutMs,
  });
  const group = response.groups[0];
  throwOnError(group?.errorCode ?? -1, `group "${groupId}"`, group?.errorMessage ?? null);
  if (group === undefined) return null;
  return {
    groupId,
    state: group.groupState,
    type: "consumer",
    protocolType: "consumer",
    protocol: group.assignorName,
    coordinator,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      assignment: member.assignment.topicPartitions.map(({ topicName, partitions }) => ({
        topic: topicName,
        partitions,
      })),
    })),
  };
}
