/** What elections have to know of brokers and topics: as the metadata and the configs in force say. */
import type { ElectionContext } from "../cluster/controller/broker-changes.ts";
import { isActive, type MetadataImage, type TopicImage } from "../cluster/metadata-image.ts";
import type { BrokerConfig } from "./config/broker-config.ts";
import { TopicConfig } from "./config/topic-config.ts";

/** See the head of the file. */
export function electionContext(image: MetadataImage, config: BrokerConfig): ElectionContext {
  // Most topics have nothing of their own, and a failover asks for all of them.
  const byDefault = new TopicConfig(config, new Map());
  const minInsyncByDefault = byDefault.get("min.insync.replicas");
  const uncleanByDefault = byDefault.get("unclean.leader.election.enable");
  const own = (topic: TopicImage) => new TopicConfig(config, topic.configs);
  return {
    isAlive: (brokerId) => isActive(image, brokerId),
    minInsync: (topic) =>
      topic.configs.has("min.insync.replicas")
        ? own(topic).get("min.insync.replicas")
        : minInsyncByDefault,
    electsUncleanly: (topic) =>
      topic.configs.has("unclean.leader.election.enable")
        ? own(topic).get("unclean.leader.election.enable")
        : uncleanByDefault,
  };
}
