import type { ElectionPolicy } from "../../cluster/controller/registration.ts";
import type { BrokerConfig } from "../config/broker-config.ts";
import { TopicConfig } from "../config/topic-config.ts";

/** What the configs of topics, over those of the controller, say of elections. */
export function electionPolicy(config: BrokerConfig): ElectionPolicy {
  return {
    minInsync: ({ configs }) => new TopicConfig(config, configs).get("min.insync.replicas"),
    electsUncleanly: ({ configs }) =>
      new TopicConfig(config, configs).get("unclean.leader.election.enable"),
  };
}
