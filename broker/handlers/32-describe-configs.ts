/**
 * DescribeConfigs, versions 1 to 4. A topic must have a valid name (INVALID_TOPIC_EXCEPTION) and
 * exist (UNKNOWN_TOPIC_OR_PARTITION); a broker is this one, or the empty name for what was set for
 * all brokers; a group and a subscription to client metrics only need a name (INVALID_REQUEST else).
 * Loggers have no configs here; unknown types of resources are INVALID_REQUEST for the whole request.
 * Sensitive values are null. Documentation comes with version 3 and later, if asked for.
 */
import { Errors } from "../../core/errors.ts";
import { describeConfigs } from "../../core/protocol/32-describe-configs.ts";
import type { EncodableResponse, RequestOf } from "../../core/protocol/schema.ts";
import { ALL_BROKERS } from "../../cluster/metadata-image.ts";
import { CLUSTER_NAME } from "../authorizer.ts";
import type { Broker } from "../broker.ts";
import { BROKER_CONFIGS, isBrokerConfig } from "../config/broker-configs.ts";
import {
  ConfigSources,
  ConfigTypes,
  describeBrokerConfig,
  describeClientMetricsConfig,
  type DescribedConfig,
  describeGroupConfig,
  describeTopicConfig,
} from "../config/describe.ts";
import { CLIENT_METRICS_CONFIGS, isClientMetricsConfig } from "../config/client-metrics-configs.ts";
import { GROUP_CONFIGS, GroupConfigs, isGroupConfig } from "../config/group-configs.ts";
import { isTopicConfig, TOPIC_CONFIGS } from "../config/topic-configs.ts";
import type { Handler } from "../handler.ts";
import { accept, type Outcome, refuse } from "../outcome.ts";
import { ConfigResourceTypes } from "../plan-configs.ts";
import type { RequestContext } from "../request-context.ts";
import { describeRates } from "../quotas/replication-quota.ts";
import { topicNameProblem } from "../topic-names.ts";

type Request = RequestOf<typeof describeConfigs>;
type Resource = Request["resources"][number];
type Result = NonNullable<EncodableResponse<typeof describeConfigs>["results"]>[number];
type Entry = NonNullable<Result["configs"]>[number];

export const describeConfigsHandler: Handler<typeof describeConfigs> = {
  api: describeConfigs,
  authorize: {
    kind: "items",
    operations: ["DESCRIBE_CONFIGS TOPIC", "DESCRIBE_CONFIGS GROUP", "DESCRIBE_CONFIGS CLUSTER"],
  },
  async handle(context, request, broker) {
    const types: readonly number[] = Object.values(ConfigResourceTypes);
    if (request.resources.some(({ resourceType }) => !types.includes(resourceType))) {
      return refused(request, Errors.INVALID_REQUEST);
    }
    const documentation = request.includeDocumentation
      ? (await import("../config/documentation/index.ts")).documentationOf
      : () => null;
    return {
      results: request.resources.map((resource): Result => {
        const { resourceType, resourceName } = resource;
        const outcome = describeResource(context, broker, resource);
        return {
          resourceType,
          resourceName,
          errorCode: outcome.ok ? Errors.NONE : outcome.error,
          errorMessage: outcome.ok ? null : outcome.message,
          configs: outcome.ok
            ? outcome.value.map((config) =>
              entry(config, request, documentation(resourceType, config.name))
            )
            : [],
        };
      }),
    };
  },
  failure: refused,
};

function refused(request: Request, errorCode: number): { results: Result[] } {
  return {
    results: request.resources.map(({ resourceType, resourceName }) => ({
      resourceType,
      resourceName,
      errorCode,
      errorMessage: null,
    })),
  };
}

function describeResource(
  context: RequestContext,
  broker: Broker,
  resource: Resource,
): Outcome<DescribedConfig[]> {
  const { resourceType, resourceName: name } = resource;
  const wanted = wantedKeys(resource);
  switch (resourceType) {
    case ConfigResourceTypes.TOPIC:
      if (!context.authorized("DESCRIBE_CONFIGS", "TOPIC", name)) {
        return refuse(Errors.TOPIC_AUTHORIZATION_FAILED, "Not authorized to describe configs.");
      }
      return describeTopic(broker, name, wanted);
    case ConfigResourceTypes.BROKER:
    case ConfigResourceTypes.BROKER_LOGGER:
      if (!context.authorized("DESCRIBE_CONFIGS", "CLUSTER", CLUSTER_NAME)) {
        return refuse(Errors.CLUSTER_AUTHORIZATION_FAILED, "Not authorized to describe configs.");
      }
      return describeBroker(broker, resourceType, name, wanted);
    case ConfigResourceTypes.GROUP:
      if (!context.authorized("DESCRIBE_CONFIGS", "GROUP", name)) {
        return refuse(Errors.GROUP_AUTHORIZATION_FAILED, "Not authorized to describe configs.");
      }
      return describeGroup(broker, name, wanted);
    case ConfigResourceTypes.CLIENT_METRICS:
      if (!context.authorized("DESCRIBE_CONFIGS", "CLUSTER", CLUSTER_NAME)) {
        return refuse(Errors.CLUSTER_AUTHORIZATION_FAILED, "Not authorized to describe configs.");
      }
      return describeClientMetrics(broker, name, wanted);
    default:
      return refuse(Errors.INVALID_REQUEST, `Unsupported resource type: ${resourceType}`);
  }
}

/** Whether a config is asked for: all are, or those named. An empty list is all, as in Kafka. */
function wantedKeys(resource: Resource): (name: string) => boolean {
  const keys = resource.configurationKeys;
  if (keys === null || keys.length === 0) return () => true;
  const set = new Set(keys);
  return (name) => set.has(name);
}

function describeTopic(
  broker: Broker,
  name: string,
  wanted: (name: string) => boolean,
): Outcome<DescribedConfig[]> {
  const invalid = topicNameProblem(name);
  if (invalid !== null) return refuse(Errors.INVALID_TOPIC_EXCEPTION, invalid);
  const topic = broker.metadata.topic(name);
  if (topic === undefined) {
    return refuse(
      Errors.UNKNOWN_TOPIC_OR_PARTITION,
      "This server does not host this topic-partition.",
    );
  }
  const config = broker.metadata.topicConfig(topic);
  return accept(
    Object.keys(TOPIC_CONFIGS).filter(isTopicConfig).filter(wanted)
      .map((key) => describeTopicConfig(config, key)),
  );
}

/** A group need not be there: it may be configured before its first member comes. */
function describeGroup(
  broker: Broker,
  name: string,
  wanted: (name: string) => boolean,
): Outcome<DescribedConfig[]> {
  if (name === "") return refuse(Errors.INVALID_REQUEST, "Group name must not be empty");
  const configs = new GroupConfigs(broker.config, broker.metadata.image.configs("group", name));
  return accept(
    Object.keys(GROUP_CONFIGS).filter(isGroupConfig).filter(wanted)
      .map((key) => describeGroupConfig(configs, key)),
  );
}

function describeClientMetrics(
  broker: Broker,
  name: string,
  wanted: (name: string) => boolean,
): Outcome<DescribedConfig[]> {
  if (name === "") {
    return refuse(
      Errors.INVALID_REQUEST,
      "Client metrics subscription name must not be empty",
    );
  }
  const configs = broker.metadata.image.configs("client-metrics", name);
  return accept(
    Object.keys(CLIENT_METRICS_CONFIGS).filter(isClientMetricsConfig).filter(wanted)
      .map((key) => describeClientMetricsConfig(configs, key)),
  );
}

function describeBroker(
  broker: Broker,
  resourceType: number,
  name: string,
  wanted: (name: string) => boolean,
): Outcome<DescribedConfig[]> {
  const isLogger = resourceType === ConfigResourceTypes.BROKER_LOGGER;
  const isThis = /^[+-]?\d{1,10}$/.test(name) && Number(name) === broker.nodeId;
  if (!isThis && (isLogger || name !== ALL_BROKERS)) {
    return refuse(
      Errors.INVALID_REQUEST,
      `Unexpected broker id, expected ${broker.nodeId}${isLogger ? "" : " or empty string"}, ` +
        `but received ${name}`,
    );
  }
  if (isLogger) return accept([]);
  const keys = Object.keys(BROKER_CONFIGS).filter(isBrokerConfig).filter(wanted);
  const rates = describeRates(broker.metadata.image, isThis ? String(broker.nodeId) : ALL_BROKERS)
    .filter((config) => wanted(config.name));
  if (isThis) {
    return accept([...keys.map((key) => describeBrokerConfig(broker.config, key)), ...rates]);
  }
  const set = broker.metadata.image.brokerConfigs(ALL_BROKERS);
  return accept([
    ...keys.filter((key) => set.has(key)).map((key) =>
      describeBrokerConfig(broker.config, key, ["DYNAMIC_DEFAULT_BROKER_CONFIG"])
    ),
    ...rates,
  ]);
}

function entry(
  config: DescribedConfig,
  request: Request,
  documentation: string | null,
): Entry {
  return {
    name: config.name,
    value: config.value,
    readOnly: config.readOnly,
    configSource: ConfigSources[config.source],
    isSensitive: config.isSensitive,
    synonyms: request.includeSynonyms
      ? config.synonyms.map(({ name, source, text }) => ({
        name,
        value: text,
        source: ConfigSources[source],
      }))
      : [],
    configType: ConfigTypes[config.type],
    documentation,
  };
}
