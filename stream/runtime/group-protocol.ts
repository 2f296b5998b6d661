/** How an application works with its group: which topics it needs before, and how it is a member. */
import type { Admin } from "../../client/admin.ts";
import type { Cluster } from "../../client/cluster.ts";
import { isRetriableError, KafkaError } from "../../client/errors.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { Topology } from "../topology/topology.ts";
import type { GroupMembership, GroupSelf, TaskHolder } from "./group-membership.ts";
import { GroupRole } from "./group-role.ts";
import { groupTopology } from "./group-topology.ts";
import { findTopics, matchingTopics, prepareTopics, requireTopics } from "./internal-topics.ts";
import { StreamsGroupRole } from "./streams-group-role.ts";
import { globalTopics } from "./topic-plan.ts";
import { TopicsInView } from "./topics-in-view.ts";
import { topologyShape } from "./topology-shape.ts";

/** See the head of the file. */
export interface GroupProtocol {
  readonly topics: TopicsInView;
  /** Before there is a member. Throws an `OperatorError` for what somebody can put right. */
  prepare(signal: AbortSignal): Promise<void>;
  /** A member that is still to be started. */
  member(holder: TaskHolder): GroupMembership;
}

export interface GroupProtocolParts {
  readonly cluster: Cluster;
  readonly admin: Admin;
  readonly topology: Topology;
  readonly self: Omit<GroupSelf, "topics">;
}

/** That of the config. */
export function groupProtocol(parts: GroupProtocolParts): GroupProtocol {
  switch (parts.self.config.groupProtocol) {
    case "classic":
      return classicProtocol(parts);
    case "streams":
      return streamsProtocol(parts);
  }
}

/** Members make the topics and share tasks out themselves. */
function classicProtocol({ cluster, admin, topology, self }: GroupProtocolParts): GroupProtocol {
  const { config, logger } = self;
  const watch = topology.hasPatterns
    ? {
      clock: cluster.io.clock,
      everyMs: config.metadataMaxAgeMs,
      matching: (signal: AbortSignal) => matchingTopics(admin, topology, config, signal),
    }
    : null;
  const topics = new TopicsInView(
    (signal) => prepareTopics(admin, topology, config, logger, signal),
    watch,
  );
  const shape = topologyShape(topology);
  return {
    topics,
    prepare: async (signal) => {
      await topics.look(signal);
    },
    member: (holder) => new GroupRole(cluster, admin, { ...self, topics, shape }, holder),
  };
}

/** The broker does; what it waits for, a member hears from it. */
function streamsProtocol({ cluster, admin, topology, self }: GroupProtocolParts): GroupProtocol {
  const { config, logger } = self;
  const topics = new TopicsInView((signal) => findTopics(admin, topology, config, signal));
  let sessionTimeoutMs: number | null = null;
  return {
    topics,
    prepare: async (signal) => {
      if (topology.hasPatterns) {
        throw new OperatorError(
          "a source by pattern needs group.protocol=classic",
          "with streams the brokers look for topics, by patterns of another kind",
          "set it so, or name the topics",
        );
      }
      for (const [name, whose] of config.unheeded) {
        logger.warn("a setting is not heeded with group.protocol=streams", { name, whose });
      }
      await requireTopics(admin, globalTopics(topology), signal);
      sessionTimeoutMs = await groupSessionTimeoutMs(admin, config.applicationId, signal);
    },
    member: (holder) => {
      const known = { ...config, sessionTimeoutMs: sessionTimeoutMs ?? config.sessionTimeoutMs };
      return new StreamsGroupRole(
        ...[cluster, { ...self, config: known, topics }, groupTopology(topology, config)] as const,
        holder,
      );
    },
  };
}

/** After how long without a heartbeat the broker takes a member for gone; null: it does not say. */
async function groupSessionTimeoutMs(
  admin: Admin,
  groupId: string,
  signal: AbortSignal,
): Promise<number | null> {
  const names = ["streams.session.timeout.ms"];
  try {
    const found = await admin.describeConfigs({ type: "group", name: groupId }, { names, signal });
    const timeoutMs = Number(found.find(({ name }) => names.includes(name))?.value ?? 0);
    return timeoutMs > 0 ? timeoutMs : null;
  } catch (error) {
    // Who may not see it, or asks a broker without such groups, which is told when it joins.
    if (error instanceof KafkaError && !isRetriableError(error)) return null;
    throw error;
  }
}
