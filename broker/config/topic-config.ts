/** The configuration of a topic: its own values over the broker's defaults. */
import { assert } from "../../core/assert.ts";
import { didYouMean } from "../../core/did-you-mean.ts";
import type { BrokerConfig, BrokerConfigSource, ConfigTexts } from "./broker-config.ts";
import type { BrokerConfigName } from "./broker-configs.ts";
import type { ConfigDefinition, ConfigValue, ConfigValues } from "./definitions.ts";
import {
  isTopicConfig,
  TOPIC_CONFIGS,
  TOPIC_SYNONYMS,
  type TopicConfigName,
  type TopicSynonym,
} from "./topic-configs.ts";
import { parseConfigValue, type ParsedConfig } from "./values.ts";

/** The type of one topic config's value. */
export type TopicConfigValue<N extends TopicConfigName> = (typeof TOPIC_CONFIGS)[N] extends
  ConfigDefinition<infer T, boolean> ? ConfigValues[T] : never;

/** One of the places that give a topic config its value. */
export interface TopicConfigSynonym {
  readonly name: TopicConfigName | BrokerConfigName;
  readonly source: "DYNAMIC_TOPIC_CONFIG" | BrokerConfigSource;
  readonly text: string | null;
}

/** A topic's configuration at one moment. */
export class TopicConfig {
  constructor(readonly broker: BrokerConfig, readonly overrides: ConfigTexts) {}

  /** The value in force. */
  get<N extends TopicConfigName>(name: N): TopicConfigValue<N> {
    return this.#parsed(name).value as TopicConfigValue<N>;
  }

  /** The canonical text of the value in force. */
  text(name: TopicConfigName): string {
    return this.#parsed(name).text ?? "";
  }

  /** Everything that gives this config a value, strongest first. */
  synonyms(name: TopicConfigName): TopicConfigSynonym[] {
    const inherited = this.broker.synonyms((TOPIC_SYNONYMS[name] ?? []).map((each) => each.name));
    const own = this.overrides.get(name);
    if (own === undefined) return inherited;
    const { text } = canonical(name, own);
    return [{ name, source: "DYNAMIC_TOPIC_CONFIG", text }, ...inherited];
  }

  #parsed(name: TopicConfigName): ParsedConfig {
    const own = this.overrides.get(name);
    if (own !== undefined) return canonical(name, own);
    const text = brokerDefault(this.broker, TOPIC_SYNONYMS[name] ?? []);
    return canonical(name, text ?? TOPIC_CONFIGS[name].defaultText ?? "");
  }
}

/** The default that the broker's configs give: of the synonyms, the first that has a value. */
function brokerDefault(broker: BrokerConfig, synonyms: readonly TopicSynonym[]): string | null {
  for (const { name, factor } of synonyms) {
    const text = broker.text(name);
    // Any negative time of retention means "without limit", in every unit.
    if (text !== null) {
      if (
        name !== "log.retention.bytes" && name.startsWith("log.retention.") && text.startsWith("-")
      ) return "-1";
      return factor === 1 ? text : String(BigInt(text) * BigInt(factor));
    }
  }
  return null;
}

/** What is wrong with a topic's own configs, in Kafka's words, or null. */
export function checkTopicConfigs(broker: BrokerConfig, overrides: ConfigTexts): string | null {
  for (const [name, text] of overrides) {
    if (!isTopicConfig(name)) {
      const near = didYouMean(name, Object.keys(TOPIC_CONFIGS));
      return `Unknown topic config name: ${name}${near === null ? "" : ` (did you mean ${near}?)`}`;
    }
    const parsed = parseConfigValue(name, TOPIC_CONFIGS[name], text);
    if (!parsed.ok) return parsed.message;
    const refusal = unservable(name, parsed.value);
    if (refusal !== null) return refusal;
  }
  const config = new TopicConfig(broker, overrides);
  const minLagMs = config.get("min.compaction.lag.ms");
  const maxLagMs = config.get("max.compaction.lag.ms");
  return minLagMs > maxLagMs
    ? `conflict topic config setting min.compaction.lag.ms (${minLagMs}) > ` +
      `max.compaction.lag.ms (${maxLagMs})`
    : null;
}

/** What would promise tiered storage. Kafka's `local.retention.*` mean nothing without it. */
const REMOTE: ReadonlySet<TopicConfigName> = new Set([
  "remote.storage.enable",
  "remote.log.copy.disable",
  "remote.log.delete.on.disable",
]);

function unservable(name: TopicConfigName, value: ConfigValue): string | null {
  return REMOTE.has(name) && value === true
    ? `Invalid value true for configuration ${name}: tiered storage is not available`
    : null;
}

function canonical(name: TopicConfigName, text: string): ParsedConfig {
  const parsed = parseConfigValue(name, TOPIC_CONFIGS[name], text);
  assert(parsed.ok, `the value of ${name} was validated before it was taken`);
  return parsed;
}
