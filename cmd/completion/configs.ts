/** Names of configs with what they do. */
import { BROKER_CONFIGS } from "../../broker/config/broker-configs.ts";
import { CLIENT_METRICS_CONFIGS } from "../../broker/config/client-metrics-configs.ts";
import { documentationOf } from "../../broker/config/documentation/index.ts";
import { GROUP_CONFIGS } from "../../broker/config/group-configs.ts";
import { TOPIC_CONFIGS } from "../../broker/config/topic-configs.ts";
import { ConfigResourceTypes } from "../../broker/plan-configs.ts";
import type { Candidate } from "./suggest.ts";

/** By type, as `config get` takes it. */
const CONFIGS = new Map<string, readonly [type: number, names: readonly string[]]>([
  ["topic", [ConfigResourceTypes.TOPIC, Object.keys(TOPIC_CONFIGS)]],
  ["broker", [ConfigResourceTypes.BROKER, Object.keys(BROKER_CONFIGS)]],
  ["group", [ConfigResourceTypes.GROUP, Object.keys(GROUP_CONFIGS)]],
  ["client", [ConfigResourceTypes.CLIENT_METRICS, Object.keys(CLIENT_METRICS_CONFIGS)]],
]);

/** The configs of a type, each name with `suffix`; none of an unknown type. */
export function configCandidates(type: string, suffix: string): Candidate[] {
  const [resourceType, names] = CONFIGS.get(type) ?? [0, []];
  return names.map((name) => ({
    text: name + suffix,
    description: documentationOf(resourceType, name) ?? "",
  }));
}
