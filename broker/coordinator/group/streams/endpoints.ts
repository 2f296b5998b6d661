/** Which partitions each endpoint of a streams group can answer for (interactive queries). */
import type { Topics } from "../group.ts";
import type { ConfiguredSubtopology } from "./configured-topology.ts";
import type { StreamsGroup } from "./streams-group.ts";
import type { Endpoint, StreamsMember } from "./streams-member.ts";
import type { TaskSet } from "./tasks.ts";

/** See the header. */
export interface EndpointPartitions {
  readonly userEndpoint: Endpoint;
  readonly activePartitions: readonly TopicPartitions[];
  readonly standbyPartitions: readonly TopicPartitions[];
}

interface TopicPartitions {
  readonly topic: string;
  readonly partitions: readonly number[];
}

/**
 * Of all members that have an endpoint, `updated` as it will be. Members of one process have the
 * same, and clients keep one entry for each, so there is one with the partitions of all.
 */
export function endpointPartitions(
  group: StreamsGroup,
  updated: StreamsMember,
  subtopologies: readonly ConfiguredSubtopology[],
  topics: Topics,
): EndpointPartitions[] {
  const members = new Map(group.members).set(updated.memberId, updated);
  const withEndpoint = [...members.values()].filter(({ userEndpoint }) => userEndpoint !== null);
  const byEndpoint = Map.groupBy(
    withEndpoint,
    ({ userEndpoint }) => `${userEndpoint!.port} ${userEndpoint!.host}`,
  );
  return [...byEndpoint.values()].map((own) => ({
    userEndpoint: own[0]!.userEndpoint!,
    activePartitions: partitionsOf(own.map(({ tasks }) => tasks.active), subtopologies, topics),
    standbyPartitions: partitionsOf(own.map(({ tasks }) => tasks.standby), subtopologies, topics),
  }));
}

function partitionsOf(
  tasks: readonly TaskSet[],
  subtopologies: readonly ConfiguredSubtopology[],
  topics: Topics,
): TopicPartitions[] {
  return subtopologies.flatMap(({ id, sources }) => {
    const own = tasks.flatMap((each) => [...each.get(id)?.keys() ?? []]).toSorted((a, b) => a - b);
    return sources.flatMap((topic) => {
      // Topics of one subtopology may differ in size; the task of a large one reads no small one.
      const count = topics.byName(topic)?.partitions.length ?? 0;
      const partitions = own.filter((partition) => partition < count);
      return partitions.length === 0 ? [] : [{ topic, partitions }];
    });
  });
}
