/** The streams groups of a shard (KIP-1071). */
import { Errors } from "../../../../core/errors.ts";
import { accept, type Outcome, refuse } from "../../../outcome.ts";
import { ClassicGroup } from "../classic/classic-group.ts";
import type { GroupContext, GroupKindOperations, TopicsChange } from "../group.ts";
import { LEAVE_EPOCH, STATIC_LEAVE_EPOCH } from "../modern/modern-group.ts";
import { describeStreamsGroup, type StreamsGroupDescription } from "./describe.ts";
import { streamsHeartbeat } from "./heartbeat.ts";
import { fenceOnTimeout, streamsLeave } from "./leave.ts";
import type { StreamsHeartbeatRequest, StreamsHeartbeatResult, StreamsParts } from "./parts.ts";
import { StreamsSessions } from "./sessions.ts";
import { StreamsGroup } from "./streams-group.ts";
import type { StreamsGroupRecord } from "./streams-records.ts";
import { configure } from "./update.ts";

/** See the header. */
export class StreamsGroups implements GroupKindOperations<StreamsGroupRecord> {
  readonly #context: GroupContext;
  readonly #parts: StreamsParts;

  constructor(context: GroupContext) {
    this.#context = context;
    const sessions = new StreamsSessions(
      context,
      (groupId, memberId, reason, which) =>
        fenceOnTimeout(this.#parts, groupId, memberId, reason, which),
    );
    this.#parts = { context, sessions, find: (groupId) => this.find(groupId) };
  }

  /** The group, if there is one of that id and it is a streams group. */
  find(groupId: string): StreamsGroup | undefined {
    const group = this.#context.groups.get(groupId);
    return group instanceof StreamsGroup ? group : undefined;
  }

  // ---- The log's view of the state.

  replay(record: StreamsGroupRecord): void {
    const { groupId } = record.key;
    const group = this.#groupOf(record);
    if (group === undefined) return;
    if (record.type === "StreamsGroupMetadata" && record.value === null) {
      this.#context.groups.delete(groupId);
      this.#parts.sessions.cancelGroup(groupId);
    } else group.fold(record);
  }

  written(record: StreamsGroupRecord): void {
    this.replay(record);
    if (record.type === "StreamsGroupMemberMetadata" && record.value === null) {
      this.#parts.sessions.cancel(record.key.groupId, record.key.memberId);
    }
  }

  onLoaded(): void {
    for (const group of this.#context.groups.values()) {
      if (!(group instanceof StreamsGroup)) continue;
      for (const member of group.members.values()) {
        this.#parts.sessions.touch(group.groupId, member.memberId);
        this.#parts.sessions.watchRevocation(group.groupId, member);
      }
    }
  }

  /** Nobody waits here for anything but the log. */
  onUnloaded(): void {}

  /** Topics have come, gone or grown. */
  onTopicsChanged({ names }: TopicsChange): void {
    for (const group of this.#context.groups.values()) {
      if (!(group instanceof StreamsGroup)) continue;
      const required = group.topology?.requiredTopics;
      if (names.some((name) => required?.has(name) === true)) group.requestMetadataRefresh();
    }
  }

  // ---- The protocol.

  heartbeat(request: StreamsHeartbeatRequest): StreamsHeartbeatResult {
    const { memberEpoch } = request;
    return memberEpoch === LEAVE_EPOCH || memberEpoch === STATIC_LEAVE_EPOCH
      ? streamsLeave(this.#parts, request)
      : streamsHeartbeat(this.#parts, request);
  }

  describe(groupId: string): Outcome<StreamsGroupDescription> {
    const group = this.find(groupId);
    if (group !== undefined) {
      if (group.topology !== null) configure(this.#parts, group, group.topology);
      return accept(describeStreamsGroup(group));
    }
    const why = this.#context.groups.has(groupId)
      ? `Group ${groupId} is not a streams group.`
      : `Group ${groupId} not found.`;
    return refuse(Errors.GROUP_ID_NOT_FOUND, why);
  }

  /** The group that a record is of; one that gives something makes it. */
  #groupOf(record: StreamsGroupRecord): StreamsGroup | undefined {
    const { groupId } = record.key;
    const known = this.#context.groups.get(groupId);
    if (known instanceof StreamsGroup) return known;
    if (record.value === null) return undefined;
    // Offsets alone make a classic group that is in no record; it gives way.
    const isPlaceholder = known instanceof ClassicGroup && known.stored === null;
    if (known !== undefined && !isPlaceholder) {
      this.#context.logger.error("a record of a streams group is of a group of another kind", {
        group: groupId,
        kind: known.kind,
      });
    }
    const group = new StreamsGroup(groupId);
    this.#context.groups.set(groupId, group);
    return group;
  }
}
