/**
 * The configs that a group can have of its own (Kafka's `GroupConfig`), over what the broker says
 * for all groups. A test compares the table with `tests/fixtures/configs.tsv`.
 */
import { assert } from "../../core/assert.ts";
import { didYouMean } from "../../core/did-you-mean.ts";
import type { BrokerConfig, BrokerConfigSource, ConfigTexts } from "./broker-config.ts";
import type { BrokerConfigName } from "./broker-configs.ts";
import {
  atLeast,
  booleanConfig,
  type ConfigDefinition,
  type ConfigValues,
  intConfig,
  oneOf,
  stringConfig,
  type Validator,
} from "./definitions.ts";
import { parseConfigValue, type ParsedConfig } from "./values.ts";

/** Java's `Duration.parse`, without signs: at least one part, and one after the T. */
const DURATION = /^P(?=.)(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+([.,]\d{0,9})?S)?)?$/i;

/** `latest`, `earliest`, or `by_duration:` and an ISO duration (KIP-932). */
const offsetReset: Validator = {
  text: "[latest, earliest, by_duration:PnDTnHnMn.nS]",
  check(name, value) {
    const text = String(value);
    const isDuration = text.startsWith("by_duration:") && DURATION.test(text.slice(12));
    if (text === "latest" || text === "earliest" || isDuration) return null;
    return `Invalid value ${text} for configuration ${name}: The value must be either ` +
      "'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.";
  },
};

/** Kafka's group configs by name. */
export const GROUP_CONFIGS = {
  "consumer.session.timeout.ms": intConfig("45000", atLeast(1), "MEDIUM"),
  "consumer.heartbeat.interval.ms": intConfig("5000", atLeast(1), "MEDIUM"),
  "consumer.assignment.interval.ms": intConfig("1000", atLeast(0), "MEDIUM"),
  "share.session.timeout.ms": intConfig("45000", atLeast(1), "MEDIUM"),
  "share.heartbeat.interval.ms": intConfig("5000", atLeast(1), "MEDIUM"),
  "share.record.lock.duration.ms": intConfig("30000", atLeast(1000), "MEDIUM"),
  "share.delivery.count.limit": intConfig("5", atLeast(2), "MEDIUM"),
  "share.partition.max.record.locks": intConfig("2000", atLeast(100), "MEDIUM"),
  "share.auto.offset.reset": stringConfig("latest", offsetReset, "MEDIUM"),
  "share.isolation.level": stringConfig(
    "read_uncommitted",
    oneOf("read_committed", "read_uncommitted"),
    "MEDIUM",
  ),
  "share.renew.acknowledge.enable": booleanConfig("true", null, "MEDIUM"),
  "share.assignment.interval.ms": intConfig("1000", atLeast(0), "MEDIUM"),
  "streams.session.timeout.ms": intConfig("45000", atLeast(1), "MEDIUM"),
  "streams.heartbeat.interval.ms": intConfig("5000", atLeast(1), "MEDIUM"),
  "streams.num.standby.replicas": intConfig("0", atLeast(0), "MEDIUM"),
  "streams.initial.rebalance.delay.ms": intConfig("3000", atLeast(0), "MEDIUM"),
  "streams.assignment.interval.ms": intConfig("1000", atLeast(0), "MEDIUM"),
} as const satisfies Record<string, ConfigDefinition>;

/** The name of a group config. */
export type GroupConfigName = keyof typeof GROUP_CONFIGS;

/** Whether a group config of this name exists. */
export function isGroupConfig(name: string): name is GroupConfigName {
  return Object.hasOwn(GROUP_CONFIGS, name);
}

/** The broker config that is a group config's default. */
export const GROUP_BROKER_DEFAULTS: Readonly<Partial<Record<GroupConfigName, BrokerConfigName>>> = {
  "consumer.session.timeout.ms": "group.consumer.session.timeout.ms",
  "consumer.heartbeat.interval.ms": "group.consumer.heartbeat.interval.ms",
  "consumer.assignment.interval.ms": "group.consumer.assignment.interval.ms",
  "share.session.timeout.ms": "group.share.session.timeout.ms",
  "share.heartbeat.interval.ms": "group.share.heartbeat.interval.ms",
  "share.record.lock.duration.ms": "group.share.record.lock.duration.ms",
  "share.delivery.count.limit": "group.share.delivery.count.limit",
  "share.partition.max.record.locks": "group.share.partition.max.record.locks",
  "share.assignment.interval.ms": "group.share.assignment.interval.ms",
  "streams.session.timeout.ms": "group.streams.session.timeout.ms",
  "streams.heartbeat.interval.ms": "group.streams.heartbeat.interval.ms",
  "streams.num.standby.replicas": "group.streams.num.standby.replicas",
  "streams.initial.rebalance.delay.ms": "group.streams.initial.rebalance.delay.ms",
  "streams.assignment.interval.ms": "group.streams.assignment.interval.ms",
};

/** What the broker lets groups choose: the lowest and the highest value; null is without limit. */
const BOUNDS: readonly (readonly [
  GroupConfigName,
  min: BrokerConfigName | null,
  max: BrokerConfigName | null,
])[] = [
  [
    "consumer.heartbeat.interval.ms",
    "group.consumer.min.heartbeat.interval.ms",
    "group.consumer.max.heartbeat.interval.ms",
  ],
  [
    "consumer.session.timeout.ms",
    "group.consumer.min.session.timeout.ms",
    "group.consumer.max.session.timeout.ms",
  ],
  [
    "consumer.assignment.interval.ms",
    "group.consumer.min.assignment.interval.ms",
    "group.consumer.max.assignment.interval.ms",
  ],
  [
    "share.heartbeat.interval.ms",
    "group.share.min.heartbeat.interval.ms",
    "group.share.max.heartbeat.interval.ms",
  ],
  [
    "share.session.timeout.ms",
    "group.share.min.session.timeout.ms",
    "group.share.max.session.timeout.ms",
  ],
  [
    "share.record.lock.duration.ms",
    "group.share.min.record.lock.duration.ms",
    "group.share.max.record.lock.duration.ms",
  ],
  [
    "share.delivery.count.limit",
    "group.share.min.delivery.count.limit",
    "group.share.max.delivery.count.limit",
  ],
  [
    "share.partition.max.record.locks",
    "group.share.min.partition.max.record.locks",
    "group.share.max.partition.max.record.locks",
  ],
  [
    "share.assignment.interval.ms",
    "group.share.min.assignment.interval.ms",
    "group.share.max.assignment.interval.ms",
  ],
  [
    "streams.heartbeat.interval.ms",
    "group.streams.min.heartbeat.interval.ms",
    "group.streams.max.heartbeat.interval.ms",
  ],
  [
    "streams.session.timeout.ms",
    "group.streams.min.session.timeout.ms",
    "group.streams.max.session.timeout.ms",
  ],
  ["streams.num.standby.replicas", null, "group.streams.max.standby.replicas"],
  [
    "streams.assignment.interval.ms",
    "group.streams.min.assignment.interval.ms",
    "group.streams.max.assignment.interval.ms",
  ],
];

/** Who misses a heartbeat must have time for another. */
const ORDERED: readonly (readonly [shorter: GroupConfigName, longer: GroupConfigName])[] = [
  ["consumer.heartbeat.interval.ms", "consumer.session.timeout.ms"],
  ["share.heartbeat.interval.ms", "share.session.timeout.ms"],
  ["streams.heartbeat.interval.ms", "streams.session.timeout.ms"],
];

/** The type of one group config's value. */
export type GroupConfigValue<N extends GroupConfigName> = (typeof GROUP_CONFIGS)[N] extends
  ConfigDefinition<infer T, boolean> ? ConfigValues[T] : never;

/** One of the places that give a group config its value. */
export interface GroupConfigSynonym {
  readonly name: GroupConfigName | BrokerConfigName;
  readonly source: "DYNAMIC_GROUP_CONFIG" | BrokerConfigSource;
  readonly text: string | null;
}

/**
 * A group's configuration at one moment; `overrides` is `MetadataImage.configs("group", id)`. What
 * was set before the broker's bounds changed is cut to them.
 */
export class GroupConfigs {
  constructor(readonly broker: BrokerConfig, readonly overrides: ConfigTexts) {}

  /** The value in force. */
  get<N extends GroupConfigName>(name: N): GroupConfigValue<N> {
    const value = this.#parsed(name).value;
    return (typeof value === "number" ? this.#bounded(name, value) : value) as GroupConfigValue<N>;
  }

  /** The canonical text of the value that is set or inherited. */
  text(name: GroupConfigName): string {
    return this.#parsed(name).text ?? "";
  }

  /** Everything that gives this config a value, strongest first. */
  synonyms(name: GroupConfigName): GroupConfigSynonym[] {
    const own = this.overrides.get(name);
    const found: GroupConfigSynonym[] = own === undefined
      ? []
      : [{ name, source: "DYNAMIC_GROUP_CONFIG", text: canonical(name, own).text }];
    const inherited = GROUP_BROKER_DEFAULTS[name];
    if (inherited === undefined) {
      return [...found, { name, source: "DEFAULT_CONFIG", text: GROUP_CONFIGS[name].defaultText }];
    }
    return [
      ...found,
      ...this.broker.sources(inherited).map((source) => ({ name: inherited, ...source })),
    ];
  }

  #parsed(name: GroupConfigName): ParsedConfig {
    const inherited = GROUP_BROKER_DEFAULTS[name];
    const text = this.overrides.get(name) ??
      (inherited === undefined ? null : this.broker.text(inherited));
    return canonical(name, text ?? GROUP_CONFIGS[name].defaultText ?? "");
  }

  #bounded(name: GroupConfigName, value: number): number {
    const [, min = null, max = null] = BOUNDS.find(([bounded]) => bounded === name) ?? [];
    return Math.min(
      limit(this.broker, max) ?? Infinity,
      Math.max(limit(this.broker, min) ?? -Infinity, value),
    );
  }
}

function limit(broker: BrokerConfig, name: BrokerConfigName | null): number | null {
  const value = name === null ? null : broker.get(name);
  return typeof value === "number" ? value : null;
}

/** What is wrong with a group's own configs, in Kafka's words, or null. */
export function checkGroupConfigs(broker: BrokerConfig, overrides: ConfigTexts): string | null {
  for (const [name, text] of overrides) {
    if (!isGroupConfig(name)) {
      const near = didYouMean(name, Object.keys(GROUP_CONFIGS));
      return `Unknown group config name: ${name}${near === null ? "" : ` (did you mean ${near}?)`}`;
    }
    const parsed = parseConfigValue(name, GROUP_CONFIGS[name], text);
    if (!parsed.ok) return parsed.message;
  }
  for (const [name, min, max] of BOUNDS) {
    const text = overrides.get(name);
    if (text === undefined) continue;
    const value = Number(canonical(name, text).value);
    if (value < (limit(broker, min) ?? -Infinity)) {
      return `${name} must be greater than or equal to ${min}`;
    }
    if (value > (limit(broker, max) ?? Infinity)) {
      return `${name} must be less than or equal to ${max}`;
    }
  }
  const configs = new GroupConfigs(broker, overrides);
  for (const [shorter, longer] of ORDERED) {
    const isSet = overrides.has(shorter) || overrides.has(longer);
    if (isSet && configs.get(longer) <= configs.get(shorter)) {
      return `${longer} must be greater than ${shorter}`;
    }
  }
  return null;
}

function canonical(name: GroupConfigName, text: string): ParsedConfig {
  const parsed = parseConfigValue(name, GROUP_CONFIGS[name], text);
  assert(parsed.ok, `the value of ${name} was validated before it was taken`);
  return parsed;
}
