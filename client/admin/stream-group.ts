/**
 * Groups of stream applications, with what their members tell one another: in the user data of the
 * classic protocol, which is their assignor's own, or as KIP-1071 has it.
 */
import type { Connection } from "../../core/connection.ts";
import { Errors } from "../../core/errors.ts";
import type { HostPort } from "../../core/io.ts";
import { ProtocolError } from "../../core/protocol/codec.ts";
import { describeGroups } from "../../core/protocol/15-describe-groups.ts";
import { streamsGroupDescribe } from "../../core/protocol/89-streams-group-describe.ts";
import { throwOnError } from "../errors.ts";
import { decodeSubscription } from "../group-protocol.ts";

/** A member of one. */
export interface StreamGroupMember {
  readonly memberId: string;
  readonly clientId: string;
  /** Where its connection to the coordinator comes from. */
  readonly clientHost: string;
  /** For the assignor; null: it has said nothing, or the group has another protocol. */
  readonly userData: Uint8Array | null;
  /** Where its stores are asked; null: it has not said, or not here. */
  readonly userEndpoint: HostPort | null;
}

/** A group that may be that of an application. */
export interface StreamGroup {
  readonly groupId: string;
  readonly state: string;
  readonly type: "classic" | "streams";
  /** Of a classic group: which assignor its members have agreed on; "": none. */
  readonly protocol: string;
  readonly members: readonly StreamGroupMember[];
}

/** Asks the group's coordinator; null: it is neither classic nor of KIP-1071, or not there. */
export async function describeStreamGroup(
  connection: Connection,
  groupId: string,
  timeoutMs: number,
): Promise<StreamGroup | null> {
  return await classicGroup(connection, groupId, timeoutMs) ??
    await streamsGroup(connection, groupId, timeoutMs);
}

async function classicGroup(
  connection: Connection,
  groupId: string,
  timeoutMs: number,
): Promise<StreamGroup | null> {
  const response = await connection.request(describeGroups, { groups: [groupId] }, { timeoutMs });
  const [group] = response.groups;
  if (group?.errorCode === Errors.GROUP_ID_NOT_FOUND || group?.groupState === "Dead") return null;
  throwOnError(group?.errorCode ?? -1, `group "${groupId}"`, group?.errorMessage ?? null);
  if (group?.protocolType !== "consumer") return null;
  return {
    ...{ groupId, state: group.groupState, type: "classic", protocol: group.protocolData },
    members: group.members.map(({ memberId, clientId, clientHost, memberMetadata }) => ({
      ...{ memberId, clientId, clientHost, userData: userDataIn(memberMetadata) },
      userEndpoint: null,
    })),
  };
}

/** Any member may say anything. */
function userDataIn(metadata: Uint8Array): Uint8Array | null {
  if (metadata.length === 0) return null;
  try {
    return decodeSubscription(metadata).userData;
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}

async function streamsGroup(
  connection: Connection,
  groupId: string,
  timeoutMs: number,
): Promise<StreamGroup | null> {
  if (connection.versionOf(streamsGroupDescribe) === null) return null;
  const request = { groupIds: [groupId] };
  const response = await connection.request(streamsGroupDescribe, request, { timeoutMs });
  const [group] = response.groups;
  if (group?.errorCode === Errors.GROUP_ID_NOT_FOUND) return null;
  throwOnError(group?.errorCode ?? -1, `group "${groupId}"`, group?.errorMessage ?? null);
  return group === undefined ? null : {
    ...{ groupId, state: group.groupState, type: "streams", protocol: "" },
    members: group.members.map(({ memberId, clientId, clientHost, userEndpoint }) => ({
      ...{ memberId, clientId, clientHost, userData: null, userEndpoint },
    })),
  };
}
