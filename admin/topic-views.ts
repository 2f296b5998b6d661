/** Topics as the admin API shows them: from the metadata that this broker has anyway. */
import type { MetadataImage, TopicImage } from "../cluster/metadata-image.ts";
import { offlineReplicas } from "../broker/nodes.ts";
import { isInternalTopic } from "../broker/topic-names.ts";

const sortedNames = new WeakMap<MetadataImage, readonly string[]>();

/** All names in order; sorted once for each state of the metadata. */
export function topicNames(image: MetadataImage): readonly string[] {
  const known = sortedNames.get(image);
  if (known !== undefined) return known;
  const names = Array.from(image.topics.values(), ({ name }) => name).sort();
  sortedNames.set(image, names);
  return names;
}

/** A topic in a list. */
export function topicItem(image: MetadataImage, topic: TopicImage) {
  let replicationFactor = 0;
  let underReplicated = 0;
  let leaderless = 0;
  for (const partition of topic.partitions) {
    replicationFactor = Math.max(replicationFactor, partition.replicas.length);
    if (partition.isr.length < partition.replicas.length) underReplicated++;
    if (partition.leader < 0) leaderless++;
    else if (offlineReplicas(image, partition).includes(partition.leader)) leaderless++;
  }
  return {
    name: topic.name,
    topicId: topic.id,
    internal: isInternalTopic(topic.name),
    partitions: topic.partitions.length,
    replicationFactor,
    underReplicated,
    leaderless,
  };
}
