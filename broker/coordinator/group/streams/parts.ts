/** What the operations on streams groups share. */
import type { ErrorCode } from "../../../../core/errors.ts";
import { type Outcome, type Refusal, refuse } from "../../../outcome.ts";
import type { CoordinatorResult } from "../../shard.ts";
import type { GroupContext } from "../group.ts";
import type { GroupRecord } from "../group-records.ts";
import type { Status } from "./configured-topology.ts";
import type { EndpointPartitions } from "./endpoints.ts";
import type { StreamsSessions } from "./sessions.ts";
import type { StreamsGroup } from "./streams-group.ts";
import type { Endpoint, StreamsMember } from "./streams-member.ts";
import type { MemberTasks, Tasks } from "./tasks.ts";
import type { TopicInfo, TopologyValue } from "./topology.ts";

/** See the header. */
export interface StreamsParts {
  readonly context: GroupContext;
  readonly sessions: StreamsSessions;
  readonly find: (groupId: string) => StreamsGroup | undefined;
}

/** A heartbeat; null is what has not changed since the last one. */
export interface StreamsHeartbeatRequest {
  readonly groupId: string;
  readonly memberId: string;
  /** 0 joins, −1 leaves. */
  readonly memberEpoch: number;
  readonly endpointInformationEpoch: number;
  readonly rackId: string | null;
  /** −1 if it has not changed. */
  readonly rebalanceTimeoutMs: number;
  /** What the member runs; given when it joins. */
  readonly topology: TopologyValue | null;
  readonly owned: Tasks | null;
  readonly processId: string | null;
  readonly userEndpoint: Endpoint | null;
  readonly clientTags: StreamsMember["clientTags"] | null;
  readonly shutdownApplication: boolean;
  readonly clientId: string;
  readonly clientHost: string;
}

/** What a member hears. */
export interface StreamsHeartbeatResponse {
  readonly memberId: string;
  readonly memberEpoch: number;
  readonly heartbeatIntervalMs: number;
  readonly status: readonly Status[];
  /** Null where it has not changed. */
  readonly tasks: MemberTasks | null;
  readonly endpointInformationEpoch: number;
  readonly partitionsByUserEndpoint: readonly EndpointPartitions[] | null;
  /** Topics that the broker is to create for the group. */
  readonly topicsToCreate: readonly TopicInfo[];
}

/** The outcome of a heartbeat: what to write, and what to say then. */
export type StreamsHeartbeatResult = CoordinatorResult<
  GroupRecord,
  Outcome<StreamsHeartbeatResponse>
>;

/** A step that only writes. */
export type Step = CoordinatorResult<GroupRecord, void>;

/** A step that does nothing. */
export const NO_STEP: Step = { records: [], response: undefined };

/** A refusal as the outcome of an operation. */
export function refused(
  error: ErrorCode,
  message: string,
): { readonly records: []; readonly response: Refusal } {
  return { records: [], response: refuse(error, message) };
}
