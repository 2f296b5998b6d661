/** The configuration of a running broker: what was set at start, and what was changed since. */
import { didYouMean } from "../../core/did-you-mean.ts";
import { assert } from "../../core/assert.ts";
import { STANDARD_AUTHORIZER, superUsersProblem } from "./access-configs.ts";
import { BROKER_CONFIGS, type BrokerConfigName, isBrokerConfig } from "./broker-configs.ts";
import type { ConfigDefinition, ConfigValue, ConfigValues } from "./definitions.ts";
import { DEVIATING_DEFAULTS } from "./deviations.ts";
import { listenerPrefix, ofListener, type SslConfigName } from "./ssl-configs.ts";
import { parseConfigValue, type ParsedConfig } from "./values.ts";

/** Names and value texts, as in a properties file. */
export type ConfigTexts = ReadonlyMap<string, string>;

/** The type of one config's value. */
export type BrokerConfigValue<N extends BrokerConfigName> = (typeof BROKER_CONFIGS)[N] extends
  ConfigDefinition<infer T, infer Nullable>
  ? ConfigValues[T] | (Nullable extends true ? null : never)
  : never;

/** Where a value comes from (`ConfigSource` of DescribeConfigs), strongest first. */
export type BrokerConfigSource = (typeof SOURCES)[number];

/** Strongest first. */
const SOURCES = [
  "DYNAMIC_BROKER_CONFIG",
  "DYNAMIC_DEFAULT_BROKER_CONFIG",
  "STATIC_BROKER_CONFIG",
  "DEFAULT_CONFIG",
] as const;

/** A value that a broker config has in one of its sources. */
export interface SourcedConfig {
  readonly source: BrokerConfigSource;
  readonly text: string | null;
}

/** The same with the config's name, where several stand for one. */
export interface SourcedSynonym extends SourcedConfig {
  readonly name: BrokerConfigName;
}

const EMPTY: ConfigTexts = new Map();

/** The broker's configuration. Values that are asked for often are parsed once. */
export class BrokerConfig {
  readonly #static: ConfigTexts;
  #dynamicDefault: ConfigTexts = EMPTY;
  #dynamicBroker: ConfigTexts = EMPTY;
  readonly #effective = new Map<BrokerConfigName, ParsedConfig>();
  readonly #listeners = new Set<() => void>();

  private constructor(texts: ConfigTexts) {
    this.#static = texts;
  }

  /** A configuration of these texts, or every problem in them, one line each. */
  static parse(
    texts: ConfigTexts,
  ): { ok: true; config: BrokerConfig } | { ok: false; problems: string[] } {
    const problems: string[] = [];
    for (const [name, text] of texts) {
      const problem = checkBrokerConfig(name, text);
      if (problem !== null) problems.push(problem);
    }
    if (problems.length > 0) return { ok: false, problems };
    const config = new BrokerConfig(withSmallListeners(texts));
    const conflicts = conflictsOf(config);
    return conflicts.length > 0 ? { ok: false, problems: conflicts } : { ok: true, config };
  }

  /** The configuration with nothing set but `texts`, which are known to be good. */
  static of(texts: Readonly<Partial<Record<BrokerConfigName, string>>> = {}): BrokerConfig {
    const parsed = BrokerConfig.parse(new Map(Object.entries(texts)));
    assert(parsed.ok, "the broker configuration is valid");
    return parsed.config;
  }

  /** The value in force. */
  get<N extends BrokerConfigName>(name: N): BrokerConfigValue<N> {
    return this.#parsed(name).value as BrokerConfigValue<N>;
  }

  /** The value in force for a listener: what is set for it alone, else for all. */
  ofListener<N extends SslConfigName>(listener: string, name: N): BrokerConfigValue<N> {
    const text = this.#static.get(`${listenerPrefix(listener)}${name}`);
    return text === undefined
      ? this.get(name)
      : canonical(name, text).value as BrokerConfigValue<N>;
  }

  /** Whether the value is set for that listener alone. */
  isSetFor(listener: string, name: SslConfigName): boolean {
    return this.#static.has(`${listenerPrefix(listener)}${name}`);
  }

  /** The canonical text of the value in force. */
  text(name: BrokerConfigName): string | null {
    return this.#parsed(name).text;
  }

  /** What each source that sets a config says, strongest first; the default is last. */
  sources(name: BrokerConfigName): SourcedConfig[] {
    const found: SourcedConfig[] = [];
    for (const [source, texts] of this.#layers()) {
      const text = texts.get(name);
      if (text !== undefined) found.push({ source, text });
    }
    found.push({ source: "DEFAULT_CONFIG", text: defaultOf(name).text });
    return found;
  }

  /**
   * Everything that gives the first of these configs a value, the others being its stand-ins, as
   * Kafka lists it (`ConfigHelper.configSynonyms`): strongest source first, and nothing before the
   * first value of its own.
   */
  synonyms(names: readonly BrokerConfigName[]): SourcedSynonym[] {
    const all = names.flatMap((name) => this.sources(name).map((each) => ({ name, ...each })));
    const listed = SOURCES.flatMap((source) =>
      all.filter((each) => each.source === source && each.text !== null)
    );
    const first = listed.findIndex(({ name }) => name === names[0]);
    return first < 0 ? [] : listed.slice(first);
  }

  /** Whether the value is set anywhere. */
  isSet(name: BrokerConfigName): boolean {
    return this.#layers().some(([, texts]) => texts.has(name));
  }

  /** Puts the configs that were changed at run time in place of the former ones. */
  setDynamic(clusterDefault: ConfigTexts, ownBroker: ConfigTexts): void {
    this.#dynamicDefault = clusterDefault;
    this.#dynamicBroker = ownBroker;
    this.#effective.clear();
    for (const listener of this.#listeners) listener();
  }

  /** Calls back after configs have changed. Returns the function that ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #layers(): [BrokerConfigSource, ConfigTexts][] {
    return [
      ["DYNAMIC_BROKER_CONFIG", this.#dynamicBroker],
      ["DYNAMIC_DEFAULT_BROKER_CONFIG", this.#dynamicDefault],
      ["STATIC_BROKER_CONFIG", this.#static],
    ];
  }

  #parsed(name: BrokerConfigName): ParsedConfig {
    const known = this.#effective.get(name);
    if (known !== undefined) return known;
    const text = this.#dynamicBroker.get(name) ?? this.#dynamicDefault.get(name) ??
      this.#static.get(name);
    const parsed = text === undefined ? defaultOf(name) : canonical(name, text);
    this.#effective.set(name, parsed);
    return parsed;
  }
}

/** What is wrong with one broker config, or null. Refused are also values that cannot be served. */
export function checkBrokerConfig(name: string, text: string): string | null {
  const shared = ofListener(name);
  if (shared !== null) return checkBrokerConfig(shared, text);
  if (!isBrokerConfig(name)) {
    const near = didYouMean(name, Object.keys(BROKER_CONFIGS));
    return `Unknown broker config name: ${name}${near === null ? "" : ` (did you mean ${near}?)`}`;
  }
  const parsed = parseConfigValue(name, BROKER_CONFIGS[name], text);
  if (!parsed.ok) return parsed.message;
  return unservable(name, parsed.value);
}

/** The assignors of consumer groups by the names and Java classes that configure them. */
export const CONSUMER_ASSIGNORS: ReadonlyMap<string, string> = new Map([
  ["uniform", "uniform"],
  ["range", "range"],
  ["org.apache.kafka.coordinator.group.assignor.UniformAssignor", "uniform"],
  ["org.apache.kafka.coordinator.group.assignor.RangeAssignor", "range"],
]);

/** Has consumers fetch from replicas in their racks (KIP-392). */
export const RACK_AWARE_SELECTOR = "org.apache.kafka.common.replica.RackAwareReplicaSelector";
/** The others mean the leader. */
const REPLICA_SELECTORS: readonly string[] = [
  "",
  "org.apache.kafka.common.replica.LeaderSelector",
  RACK_AWARE_SELECTOR,
];

/** Java classes that forbid or slow down what a broker without them does. */
const PLUGINS: ReadonlySet<BrokerConfigName> = new Set([
  "create.topic.policy.class.name",
  "alter.config.policy.class.name",
  "client.quota.callback.class",
]);

/** Bounds that Kafka's definitions lack and its broker has (`AbstractKafkaConfig`). */
const LEAST: Readonly<Partial<Record<BrokerConfigName, number>>> = {
  "log.roll.ms": 1,
  "log.roll.jitter.ms": 0,
  "log.flush.interval.ms": 0,
  "log.flush.scheduler.interval.ms": 0,
};
/** Never 0, by which everything would be deleted at once; negative is without limit. */
const RETENTION_TIMES: readonly BrokerConfigName[] = [
  "log.retention.ms",
  "log.retention.minutes",
  "log.retention.hours",
];

function unservable(name: BrokerConfigName, value: ConfigValue): string | null {
  const refuse = (why: string) =>
    `Invalid value ${String(value)} for configuration ${name}: ${why}`;
  const least = LEAST[name];
  if (least !== undefined && typeof value === "number" && value < least) {
    return refuse(`Value must be at least ${least}`);
  }
  if (RETENTION_TIMES.includes(name) && value === 0) {
    return refuse("Value must be unlimited (-1) or at least 1");
  }
  if (name === "remote.log.storage.system.enable" && value === true) {
    return refuse("tiered storage is not available");
  }
  if (name === "authorizer.class.name" && value !== "" && value !== STANDARD_AUTHORIZER) {
    return refuse(`the only authorizer is ${STANDARD_AUTHORIZER}; kstream loads no Java classes`);
  }
  if (name === "replica.selector.class" && !REPLICA_SELECTORS.includes(String(value ?? ""))) {
    return refuse(`the only selector is ${RACK_AWARE_SELECTOR}; kstream loads no Java classes`);
  }
  if (name === "super.users") return superUsersProblem(String(value));
  if (PLUGINS.has(name) && value !== null && value !== "") {
    return refuse("kstream loads no Java classes, and ignoring this one would let more through");
  }
  if (name === "group.consumer.assignors" && Array.isArray(value)) {
    if (value.some((each) => !CONSUMER_ASSIGNORS.has(each))) {
      return refuse("there are the assignors uniform and range; kstream loads no Java classes");
    }
  }
  return null;
}

/** Relations between values that no single validator sees. */
function conflictsOf(config: BrokerConfig): string[] {
  const ordered: [BrokerConfigName, BrokerConfigName][] = [
    ["group.min.session.timeout.ms", "group.max.session.timeout.ms"],
    ["group.consumer.min.session.timeout.ms", "group.consumer.session.timeout.ms"],
    ["group.consumer.session.timeout.ms", "group.consumer.max.session.timeout.ms"],
    ["group.consumer.min.heartbeat.interval.ms", "group.consumer.heartbeat.interval.ms"],
    ["group.consumer.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms"],
    ["group.consumer.heartbeat.interval.ms", "group.consumer.session.timeout.ms"],
    ["group.consumer.min.assignment.interval.ms", "group.consumer.assignment.interval.ms"],
    ["group.consumer.assignment.interval.ms", "group.consumer.max.assignment.interval.ms"],
    ["log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"],
  ];
  const problems: string[] = [];
  for (const [low, high] of ordered) {
    const [lowValue, highValue] = [config.get(low), config.get(high)];
    if (typeof lowValue === "number" && typeof highValue === "number" && lowValue > highValue) {
      problems.push(`${low} (${lowValue}) must not be greater than ${high} (${highValue})`);
    }
  }
  const dedupeBytes = config.get("log.cleaner.dedupe.buffer.size");
  if (dedupeBytes / Math.max(1, config.get("log.cleaner.threads")) < DEDUPE_BYTES_PER_THREAD_MIN) {
    problems.push("log.cleaner.dedupe.buffer.size must be at least 1 MiB for each cleaner thread");
  }
  return [...problems, ...collectorConflicts(config)];
}

function collectorConflicts(config: BrokerConfig): string[] {
  const endpoint = config.get("kstream.otlp.endpoint");
  if (endpoint === "") {
    return config.get("kstream.otlp.traces") === "off"
      ? []
      : ["kstream.otlp.traces needs a collector: set kstream.otlp.endpoint"];
  }
  return URL.canParse(endpoint) && /^https?:/.test(endpoint)
    ? []
    : [`kstream.otlp.endpoint (${endpoint}) is no http or https URL`];
}

/** As Kafka demands. */
const DEDUPE_BYTES_PER_THREAD_MIN = 1024 * 1024;

/** The names of listeners in the names of configs are those of the listeners in any case. */
function withSmallListeners(texts: ConfigTexts): ConfigTexts {
  const small = (name: string) =>
    name.replace(/^listener\.name\.[\w-]+/i, (it) => it.toLowerCase());
  return new Map(Array.from(texts, ([name, text]) => [small(name), text]));
}

function canonical(name: BrokerConfigName, text: string): ParsedConfig {
  const parsed = parseConfigValue(name, BROKER_CONFIGS[name], text);
  assert(parsed.ok, `the value of ${name} was validated before it was taken`);
  return parsed;
}

function defaultOf(name: BrokerConfigName): ParsedConfig {
  const text = DEVIATING_DEFAULTS[name]?.value ?? BROKER_CONFIGS[name].defaultText;
  return text === null ? { ok: true, value: null, text: null } : canonical(name, text);
}
