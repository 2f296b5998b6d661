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

/** Of all members that have an endpoint, `updated` as it will be. */
export function endpointPartitions(
  group: StreamsGroup,
  updated: StreamsMember,
  subtopologies: readonly ConfiguredSubtopology[],
  topics: Topics,
): EndpointPartitions[] {
  const others = [...group.members.values()].filter(({ memberId }) =>
    memberId !== updated.memberId
  );
  return [...others, updated].flatMap(({ userEndpoint, tasks }) =>
    userEndpoint === null ? [] : [{
      userEndpoint,
      activePartitions: partitionsOf(tasks.active, subtopologies, topics),
      standbyPartitions: partitionsOf(tasks.standby, subtopologies, topics),
    }]
  );
}

function partitionsOf(
  tasks: TaskSet,
  subtopologies: readonly ConfiguredSubtopology[],
  topics: Topics,
): TopicPartitions[] {
  return subtopologies.flatMap(({ id, sources }) => {
    const own = [...tasks.get(id)?.keys() ?? []].toSorted((a, b) => a - b);
    return sources.flatMap((topic) => {
      // Topics of one subtopology may differ in size; the task of a large one reads no small one.
      const count = topics.byName(topic)?.partitions.length ?? 0;
      const partitions = own.filter((partition) => partition < count);
      return partitions.length === 0 ? [] : [{ topic, partitions }];
    });
  });
}
