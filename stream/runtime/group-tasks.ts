/** Tasks and endpoints as heartbeats of a streams group have them (KIP-1071). */
import type { streamsGroupHeartbeat } from "../../core/protocol/88-streams-group-heartbeat.ts";
import type { ResponseOf } from "../../core/protocol/schema.ts";
import type { HostPort } from "../../core/io.ts";
import { addressText } from "../../core/connection-error.ts";
import { groupBy } from "../../core/group-by.ts";
import { partsOf, type QueryableHost, type TaskId } from "../assignor/index.ts";
import type { TopicPlan } from "./topic-plan.ts";

type Response = ResponseOf<typeof streamsGroupHeartbeat>;
type Endpoints = NonNullable<Response["partitionsByUserEndpoint"]>;

/** What a member has, or is to have. */
export interface Tasks {
  readonly active: readonly TaskId[];
  readonly standby: readonly TaskId[];
  readonly warmup: readonly TaskId[];
}

export const NO_TASKS: Tasks = { active: [], standby: [], warmup: [] };

/** Of one kind, by subtopology. */
export interface TaskIds {
  readonly subtopologyId: string;
  readonly partitions: readonly number[];
}

export function tasksIn(ids: readonly TaskIds[]): TaskId[] {
  return ids.flatMap(({ subtopologyId, partitions }) =>
    partitions.map((partition) => `${subtopologyId}_${partition}`)
  );
}

export function taskIds(tasks: readonly TaskId[]): TaskIds[] {
  const parts = tasks.map((task) => partsOf(task));
  return [...groupBy(parts, ([subtopology]) => String(subtopology))].map(([id, all]) => ({
    subtopologyId: id,
    partitions: all.map(([, partition]) => partition),
  }));
}

/** In any order. */
export function sameTasks(one: Tasks, other: Tasks): boolean {
  return sameIds(one.active, other.active) && sameIds(one.standby, other.standby) &&
    sameIds(one.warmup, other.warmup);
}

function sameIds(one: readonly TaskId[], other: readonly TaskId[]): boolean {
  return new Set(one).symmetricDifference(new Set(other)).size === 0;
}

/** Who can be asked for which tasks: those that read the partitions. Members of a process have one endpoint. */
export function hostsOf(endpoints: Endpoints, plan: TopicPlan): QueryableHost[] {
  const byAddress = groupBy(endpoints, ({ userEndpoint }) => endpointText(userEndpoint));
  return [...byAddress].map(([endpoint, all]) => ({
    endpoint,
    active: tasksReading(all.flatMap((each) => each.activePartitions), plan),
    standby: tasksReading(all.flatMap((each) => each.standbyPartitions), plan),
  }));
}

function tasksReading(
  topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
  { subtopologies }: TopicPlan,
): TaskId[] {
  const tasks = topics.flatMap(({ topic, partitions }) =>
    subtopologies.filter(({ sourceTopics }) => sourceTopics.includes(topic)).flatMap((planned) =>
      partitions.map((partition) => `${planned.subtopology.id}_${partition}`)
    )
  );
  return [...new Set(tasks)];
}

/**
 * `HOST:PORT/PATH`, with brackets around an IPv6 address: threads of a process have paths of their own.
 * The protocol has no place for that but the host, `HOST/PATH`.
 */
export function endpointOf(text: string): HostPort {
  const [, host = "", port = "", path = ""] = /^(.*):(\d+)(\/.*)?$/.exec(text) ?? [];
  return { host: `${host.replace(/^\[(.*)\]$/, "$1")}${path}`, port: Number(port) };
}

/** As `endpointOf` was given it. */
export function endpointText({ host, port }: HostPort): string {
  const [, plain = "", path = ""] = /^([^/]*)(.*)$/.exec(host) ?? [];
  return `${addressText({ host: plain, port })}${path}`;
}
