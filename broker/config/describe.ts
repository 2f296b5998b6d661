/** Configs as DescribeConfigs and CreateTopics show them. */
import type { BrokerConfig, BrokerConfigSource, ConfigTexts } from "./broker-config.ts";
import { BROKER_CONFIGS, type BrokerConfigName } from "./broker-configs.ts";
import {
  CLIENT_METRICS_CONFIGS,
  type ClientMetricsConfigName,
  clientMetricsText,
} from "./client-metrics-configs.ts";
import type { ConfigType } from "./definitions.ts";
import { GROUP_CONFIGS, type GroupConfigName, type GroupConfigs } from "./group-configs.ts";
import type { TopicConfig, TopicConfigSynonym } from "./topic-config.ts";
import { TOPIC_CONFIGS, type TopicConfigName } from "./topic-configs.ts";

/** Kafka's `DescribeConfigsResponse.ConfigSource`. */
export const ConfigSources = {
  DYNAMIC_TOPIC_CONFIG: 1,
  DYNAMIC_BROKER_CONFIG: 2,
  DYNAMIC_DEFAULT_BROKER_CONFIG: 3,
  STATIC_BROKER_CONFIG: 4,
  DEFAULT_CONFIG: 5,
  DYNAMIC_CLIENT_METRICS_CONFIG: 7,
  DYNAMIC_GROUP_CONFIG: 8,
} as const;

/** Kafka's `DescribeConfigsResponse.ConfigType`. */
export const ConfigTypes: Readonly<Record<ConfigType, number>> = {
  BOOLEAN: 1,
  STRING: 2,
  INT: 3,
  SHORT: 4,
  LONG: 5,
  DOUBLE: 6,
  LIST: 7,
  CLASS: 8,
  PASSWORD: 9,
};

/** One config in force. A sensitive value is null. */
export interface DescribedConfig {
  readonly name: string;
  readonly value: string | null;
  readonly readOnly: boolean;
  readonly source: keyof typeof ConfigSources;
  readonly isSensitive: boolean;
  readonly type: ConfigType;
  readonly synonyms: readonly Synonym[];
}

/** A place that gives a config its value. */
export interface Synonym {
  readonly name: string;
  readonly source: keyof typeof ConfigSources;
  readonly text: string | null;
}

/** The source in force: that of the strongest synonym. */
export function sourceOf(synonyms: readonly Synonym[]): keyof typeof ConfigSources {
  return synonyms[0]?.source ?? "DEFAULT_CONFIG";
}

/** A topic config as it is in force. */
export function describeTopicConfig(config: TopicConfig, name: TopicConfigName): DescribedConfig {
  const synonyms: TopicConfigSynonym[] = config.synonyms(name);
  return {
    name,
    value: config.text(name),
    readOnly: false,
    source: sourceOf(synonyms),
    isSensitive: false,
    type: TOPIC_CONFIGS[name].type,
    synonyms,
  };
}

/** A group config as it is set or inherited. */
export function describeGroupConfig(config: GroupConfigs, name: GroupConfigName): DescribedConfig {
  const synonyms = config.synonyms(name);
  return {
    name,
    value: config.text(name),
    readOnly: false,
    source: sourceOf(synonyms),
    isSensitive: false,
    type: GROUP_CONFIGS[name].type,
    synonyms,
  };
}

/** A config of a subscription to client metrics, as it is set or by default. */
export function describeClientMetricsConfig(
  configs: ConfigTexts,
  name: ClientMetricsConfigName,
): DescribedConfig {
  const text = clientMetricsText(name, configs);
  const source = "DYNAMIC_CLIENT_METRICS_CONFIG";
  const synonyms: Synonym[] = configs.has(name) ? [{ name, source, text }] : [];
  return {
    name,
    value: text,
    readOnly: false,
    source: sourceOf(synonyms),
    isSensitive: false,
    type: CLIENT_METRICS_CONFIGS[name].type,
    synonyms,
  };
}

/** The coarser or older names that stand in for a broker config which is not set. */
const STAND_INS: Readonly<Partial<Record<BrokerConfigName, readonly BrokerConfigName[]>>> = {
  "log.roll.ms": ["log.roll.hours"],
  "log.roll.jitter.ms": ["log.roll.jitter.hours"],
  "log.flush.interval.ms": ["log.flush.scheduler.interval.ms"],
  "log.retention.ms": ["log.retention.minutes", "log.retention.hours"],
  "log.retention.minutes": ["log.retention.hours"],
};

/** A broker config as it is in force; only values from `sources`, where that is given. */
export function describeBrokerConfig(
  config: BrokerConfig,
  name: BrokerConfigName,
  sources?: readonly BrokerConfigSource[],
): DescribedConfig {
  const definition = BROKER_CONFIGS[name];
  const isSensitive = definition.type === "PASSWORD";
  const synonyms = config.synonyms([name, ...STAND_INS[name] ?? []])
    .filter(({ source }) => sources?.includes(source) ?? true)
    .map((synonym) => isSensitive ? { ...synonym, text: null } : synonym);
  const own = synonyms.find((synonym) => synonym.name === name);
  const value = sources === undefined ? config.text(name) : own?.text ?? null;
  return {
    name,
    value: isSensitive ? null : value,
    readOnly: definition.update === "read-only",
    source: sourceOf(synonyms),
    isSensitive,
    type: definition.type,
    synonyms,
  };
}
