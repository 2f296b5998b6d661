/**
 * What configs do, for DescribeConfigs. Imported only when somebody asks: it is all text.
 */
import { isBrokerConfig } from "../broker-configs.ts";
import { isClientMetricsConfig } from "../client-metrics-configs.ts";
import { isGroupConfig } from "../group-configs.ts";
import { isTopicConfig } from "../topic-configs.ts";
import { ConfigResourceTypes } from "../../plan-configs.ts";
import { brokerDocumentation } from "./brokers.ts";
import { CLIENT_METRICS_DOCUMENTATION, GROUP_DOCUMENTATION } from "./groups.ts";
import { TOPIC_DOCUMENTATION } from "./topics.ts";

/** What a config of a resource of this type does; null for one that does not exist. */
export function documentationOf(resourceType: number, name: string): string | null {
  switch (resourceType) {
    case ConfigResourceTypes.TOPIC:
      return isTopicConfig(name) ? TOPIC_DOCUMENTATION[name] : null;
    case ConfigResourceTypes.BROKER:
      return isBrokerConfig(name) ? brokerDocumentation(name) : null;
    case ConfigResourceTypes.GROUP:
      return isGroupConfig(name) ? GROUP_DOCUMENTATION[name] : null;
    case ConfigResourceTypes.CLIENT_METRICS:
      return isClientMetricsConfig(name) ? CLIENT_METRICS_DOCUMENTATION[name] : null;
    default:
      return null;
  }
}
