/**
 * What a member at work and its group have to do with each other, whichever protocol the group speaks:
 * by the classic one a member of it shares the tasks out (`group-role.ts`).
 */
import type { CommittingMember } from "../../client/commit-offsets.ts";
import type { Logger } from "../../core/logger.ts";
import type { QueryableHost, TaskId } from "../assignor/index.ts";
import type { StreamsConfig } from "./streams-config.ts";
import type { TopicsInView } from "./topics-in-view.ts";

/** A group that is out of reach is told of after so long. */
export const TELL_OUTAGE_AFTER_MS = 5000;

/** A member of the application's group, from `start` to `stop`. */
export interface GroupMembership {
  start(): void;
  /** Leaves the group; a static member stays in it until its session ends. */
  stop(): Promise<void>;
  /** Has all members of the application end. */
  shutDownAll(): void;
  /** As whom it commits. */
  readonly member: CommittingMember;
  /** Whether the group still counts on it, as far as it can know: others do not have its tasks. */
  readonly isInSession: boolean;
  /** Between asking to join and the assignment: what is committed now might come too late. */
  readonly isJoining: boolean;
  /** Who can be asked for which tasks, as far as this member has heard. */
  readonly hosts: readonly QueryableHost[];
}

/** What a member has, and does with its tasks; the group asks for it. Calls come one after the other. */
export interface TaskHolder {
  /** The tasks that it has. */
  active(): readonly TaskId[];
  standby(): readonly TaskId[];
  /** By task: what of its changelogs is in its stores; `RUNNING` of one that is processed. */
  positions(): ReadonlyMap<TaskId, bigint>;
  /** Soon it joins: what is done is committed, if that goes. */
  beforeJoin(): Promise<void>;
  /** These go to others: they are committed and closed. */
  revoke(active: readonly TaskId[]): Promise<void>;
  /** What it has from now on, besides what was revoked. */
  take(active: readonly TaskId[], standby: readonly TaskId[]): Promise<void>;
  /** Others may soon have them: called at once, also while another call runs. */
  sessionOver(): void;
  /** Others may have them by now. */
  lose(): Promise<void>;
  /** Trouble that lasts; fatal: it ends. */
  failed(error: Error, isFatal: boolean): void;
  /** The group is reached again, after trouble that was told of. */
  recovered(): void;
}

/** What a member knows of itself and its application. */
export interface GroupSelf {
  readonly processId: string;
  /** Where its stores can be asked; null: nowhere. */
  readonly endpoint: string | null;
  readonly config: StreamsConfig;
  readonly logger: Logger;
  readonly topics: TopicsInView;
}
