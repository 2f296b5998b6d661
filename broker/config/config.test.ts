import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { BrokerConfig, checkBrokerConfig } from "./broker-config.ts";
import { BROKER_CONFIGS, isBrokerConfig, KAFKA_BROKER_CONFIGS } from "./broker-configs.ts";
import { type ConfigDefinition, REQUIRED } from "./definitions.ts";
import { DEVIATING_DEFAULTS } from "./deviations.ts";
import { checkGroupConfigs, GROUP_CONFIGS, GroupConfigs } from "./group-configs.ts";
import { checkTopicConfigs, TopicConfig } from "./topic-config.ts";
import { isTopicConfig, KAFKA_TOPIC_CONFIGS, TOPIC_CONFIGS } from "./topic-configs.ts";
import { DEFAULT_LOG_CONFIG } from "../../storage/log-config.ts";
import { logConfigOf } from "../log-config.ts";
import { parseConfigValue } from "./values.ts";

const FIXTURE = readFileSync(`${import.meta.dirname}/../../tests/fixtures/configs.tsv`, "utf8")
  .trim().split("\n").slice(1).map((line) => line.split("\t"));

/** A definition in the notation of the fixture: type, default, valid values, importance. */
function notation(definition: ConfigDefinition): string[] {
  const text = definition.defaultText;
  let shown = text ?? "null";
  if (definition.type === "LIST" && text !== null && text !== REQUIRED) {
    shown = `[${text.replaceAll(",", ", ")}]`;
  }
  if (definition.type === "CLASS" && text !== null) shown = `class ${text}`;
  return [definition.type, shown, definition.validator?.text ?? "", definition.importance];
}

describe("the tables", () => {
  const tables: [string, Readonly<Record<string, ConfigDefinition>>][] = [
    ["broker", KAFKA_BROKER_CONFIGS],
    ["topic", KAFKA_TOPIC_CONFIGS],
    ["group", GROUP_CONFIGS],
  ];
  for (const [scope, table] of tables) {
    test(`the ${scope} configs are those of Kafka 4.4`, () => {
      const wanted = FIXTURE.filter((row) => row[0] === scope).map((row) => row.slice(1));
      const ours = Object.entries(table).map(([name, definition]) => [
        name,
        ...notation(definition),
      ]);
      expect(ours).toEqual(wanted);
    });
  }

  test("every default is a valid value, and every demanded config has one", () => {
    const brokerConfigs: Record<string, ConfigDefinition> = BROKER_CONFIGS;
    const defaults: Record<string, { value: string }> = DEVIATING_DEFAULTS;
    for (const [name, definition] of Object.entries(brokerConfigs)) {
      const text = defaults[name]?.value ?? definition.defaultText;
      expect(text).not.toBe(REQUIRED);
      if (text !== null) {
        expect([name, parseConfigValue(name, definition, text).ok]).toEqual([name, true]);
      }
    }
  });

  test("docs/deviations.md lists every default that differs, and why", () => {
    const page = readFileSync(`${import.meta.dirname}/../../docs/deviations.md`, "utf8");
    const listed = page.split("\n").filter((line) => line.startsWith("| `"))
      .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim().replaceAll("`", "")));
    const wanted = Object.entries(DEVIATING_DEFAULTS).map(([name, { value, reason }]) => [
      name,
      isBrokerConfig(name) ? BROKER_CONFIGS[name].defaultText : null,
      value,
      reason,
    ]);
    expect(listed as unknown[]).toEqual(wanted);
  });

  test("every topic config has a value on a fresh broker", () => {
    const topic = new TopicConfig(BrokerConfig.of(), new Map());
    for (const name of Object.keys(TOPIC_CONFIGS)) {
      if (!isTopicConfig(name)) throw new Error(name);
      expect([name, topic.get(name)]).not.toContain(null);
    }
    for (const [name, definition] of Object.entries(KAFKA_TOPIC_CONFIGS)) {
      if (!isTopicConfig(name)) throw new Error(name);
      expect([name, topic.text(name)]).toEqual([name, definition.defaultText ?? ""]);
    }
  });
});

/** Texts and Kafka's answer (taken from Kafka 4.3.1's `LogConfig.validate`); null is accepted. */
const TOPIC_VALUES: [string, string, string | null][] = [
  [
    "segment.bytes",
    "1",
    "Invalid value 1 for configuration segment.bytes: Value must be at least 1048576",
  ],
  [
    "segment.bytes",
    "abc",
    "Invalid value abc for configuration segment.bytes: Not a number of type INT",
  ],
  [
    "segment.bytes",
    "99999999999",
    "Invalid value 99999999999 for configuration segment.bytes: Not a number of type INT",
  ],
  ["segment.bytes", " 2000000 ", null],
  ["segment.bytes", "", "Invalid value  for configuration segment.bytes: Not a number of type INT"],
  ["segment.bytes", "+2000000", null],
  [
    "retention.ms",
    "-2",
    "Invalid value -2 for configuration retention.ms: Value must be at least -1",
  ],
  [
    "retention.ms",
    "9223372036854775808",
    "Invalid value 9223372036854775808 for configuration retention.ms: Not a number of type LONG",
  ],
  ["cleanup.policy", "", null],
  [
    "cleanup.policy",
    "foo",
    "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete",
  ],
  ["cleanup.policy", "compact,,delete", "Configuration 'cleanup.policy' values must not be empty."],
  ["cleanup.policy", "compact,compact", null],
  ["preallocate", "TRUE", null],
  [
    "preallocate",
    "yes",
    "Invalid value yes for configuration preallocate: Expected value to be either true or false",
  ],
  [
    "min.cleanable.dirty.ratio",
    "abc",
    "Invalid value abc for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE",
  ],
  ["min.cleanable.dirty.ratio", ".5d", null],
  [
    "compression.type",
    "LZ4",
    "Invalid value LZ4 for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer",
  ],
  [
    "compression.gzip.level",
    "0",
    "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1",
  ],
  [
    "compression.zstd.level",
    "23",
    "Invalid value 23 for configuration compression.zstd.level: Value must be no more than 22",
  ],
  ["leader.replication.throttled.replicas", "*", null],
  [
    "leader.replication.throttled.replicas",
    "1:2,x",
    "Invalid value [1:2, x] for configuration leader.replication.throttled.replicas: leader.replication.throttled.replicas must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
  ],
  ["foo", "1", "Unknown topic config name: foo"],
  ["kstream.durability", "os", null],
  [
    "kstream.durability",
    "maybe",
    "Invalid value maybe for configuration kstream.durability: String must be one of: fsync, os",
  ],
];

describe("values", () => {
  for (const [name, text, wanted] of TOPIC_VALUES) {
    test(`topic ${name}=${text}`, () => {
      expect(checkTopicConfigs(BrokerConfig.of(), new Map([[name, text]]))).toBe(wanted);
    });
  }

  test("what cannot be served is refused by name", () => {
    expect(checkBrokerConfig("remote.log.storage.system.enable", "true")).toContain("tiered");
    for (const name of ["remote.log.copy.disable", "remote.log.delete.on.disable"]) {
      const refusal = checkTopicConfigs(BrokerConfig.of(), new Map([[name, "true"]]));
      expect(refusal).toContain(`${name}: tiered`);
      expect(checkTopicConfigs(BrokerConfig.of(), new Map([[name, "false"]]))).toBeNull();
    }
    expect(checkTopicConfigs(BrokerConfig.of(), new Map([["remote.storage.enable", "true"]])))
      .toContain("tiered");
    expect(checkBrokerConfig("authorizer.class.name", "org.example.Guard")).toContain("no Java");
    expect(checkBrokerConfig("authorizer.class.name", "")).toBeNull();
    const standard = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
    expect(checkBrokerConfig("authorizer.class.name", standard)).toBeNull();
    expect(checkBrokerConfig("super.users", "User:alice; User:CN=bob,O=x")).toBeNull();
    expect(checkBrokerConfig("super.users", "alice")).toContain("User:alice");
    expect(checkBrokerConfig("create.topic.policy.class.name", "org.example.P")).toContain("Java");
  });

  test("an unknown name gets a suggestion", () => {
    expect(checkBrokerConfig("num.partition", "1"))
      .toBe("Unknown broker config name: num.partition (did you mean num.partitions?)");
    expect(checkTopicConfigs(BrokerConfig.of(), new Map([["retention", "1"]])))
      .toContain("Unknown topic config name: retention");
  });

  test("lags that contradict each other are refused", () => {
    const lags = new Map([["min.compaction.lag.ms", "5"], ["max.compaction.lag.ms", "3"]]);
    expect(checkTopicConfigs(BrokerConfig.of(), lags)).toBe(
      "conflict topic config setting min.compaction.lag.ms (5) > max.compaction.lag.ms (3)",
    );
  });

  test("every problem of a properties file is reported at once", () => {
    const parsed = BrokerConfig.parse(new Map([["num.partitions", "0"], ["x.y", "1"]]));
    expect(parsed.ok ? [] : parsed.problems).toHaveLength(2);
  });
});

describe("where a value comes from", () => {
  test("dynamic over static over default", () => {
    const config = BrokerConfig.of({ "log.retention.ms": "5000" });
    expect(config.get("log.retention.ms")).toBe(5000);
    let changes = 0;
    config.onChange(() => changes++);
    config.setDynamic(
      new Map([["log.retention.ms", "6000"]]),
      new Map([["log.retention.ms", "7000"]]),
    );
    expect(changes).toBe(1);
    expect(config.sources("log.retention.ms").map(({ text }) => text))
      .toEqual(["7000", "6000", "5000", null]);
    expect(config.get("log.retention.ms")).toBe(7000);
    config.setDynamic(new Map(), new Map());
    expect(config.get("log.retention.ms")).toBe(5000);
  });

  test("no broker value is taken that a topic could not inherit", () => {
    for (const name of ["log.roll.ms", "log.retention.ms", "log.retention.hours"]) {
      expect(checkBrokerConfig(name, "0")).toContain("Value must be");
    }
    expect(checkBrokerConfig("log.flush.interval.ms", "-1")).toContain("at least 0");
    expect(checkBrokerConfig("log.roll.jitter.ms", "-1")).toContain("at least 0");
    for (const name of ["log.retention.ms", "log.retention.hours"]) {
      const config = new TopicConfig(BrokerConfig.of({ [name]: "-5" }), new Map());
      expect(config.get("retention.ms")).toBe(-1);
    }
  });

  test("a topic takes the broker's value in the finest unit that is set", () => {
    const of = (texts: Record<string, string>) =>
      new TopicConfig(BrokerConfig.of(texts), new Map()).get("retention.ms");
    expect(of({})).toBe(604_800_000);
    expect(of({ "log.retention.hours": "2" })).toBe(7_200_000);
    expect(of({ "log.retention.hours": "2", "log.retention.minutes": "3" })).toBe(180_000);
    expect(of({ "log.retention.minutes": "3", "log.retention.ms": "4" })).toBe(4);
    expect(of({ "log.retention.hours": "-1" })).toBe(-1);
  });

  test("a topic's own value wins, and its synonyms say what it would be otherwise", () => {
    const topic = new TopicConfig(
      BrokerConfig.of({ "message.max.bytes": "2000" }),
      new Map([["max.message.bytes", "1000"]]),
    );
    expect(topic.get("max.message.bytes")).toBe(1000);
    expect(topic.synonyms("max.message.bytes")).toEqual([
      { name: "max.message.bytes", source: "DYNAMIC_TOPIC_CONFIG", text: "1000" },
      { name: "message.max.bytes", source: "STATIC_BROKER_CONFIG", text: "2000" },
      { name: "message.max.bytes", source: "DEFAULT_CONFIG", text: "1048588" },
    ]);
  });

  test("a log is configured by its topic, on a fresh broker with the defaults of storage", () => {
    const bare = new TopicConfig(BrokerConfig.of(), new Map());
    expect(logConfigOf(bare)).toEqual(DEFAULT_LOG_CONFIG);
    const own = new Map([["cleanup.policy", "compact"], ["kstream.durability", "os"]]);
    expect(logConfigOf(new TopicConfig(BrokerConfig.of(), own))).toMatchObject({
      cleanupPolicy: { delete: false, compact: true },
      durability: "os",
    });
  });
});

describe("a group's configs", () => {
  const broker = (texts: Parameters<typeof BrokerConfig.of>[0] = {}) => BrokerConfig.of(texts);

  test("are the broker's unless set, and never beyond its bounds", () => {
    const configs = (own: [string, string][], texts = {}) =>
      new GroupConfigs(broker(texts), new Map(own));
    const name = "consumer.session.timeout.ms";
    expect(configs([]).get(name)).toBe(45_000);
    expect(configs([], { "group.consumer.session.timeout.ms": "50000" }).get(name)).toBe(50_000);
    expect(configs([[name, "55000"]]).get(name)).toBe(55_000);
    const narrowed = { "group.consumer.max.session.timeout.ms": "50000" };
    expect(configs([[name, "55000"]], narrowed).get(name)).toBe(50_000);
    expect(configs([["share.auto.offset.reset", "earliest"]]).get("share.auto.offset.reset"))
      .toBe("earliest");
    expect(configs([]).get("share.renew.acknowledge.enable")).toBe(true);
  });

  const cases: [string, string, string | null][] = [
    ["consumer.session.timeout.ms", "45000", null],
    ["consumer.session.timeout.ms", "1", "greater than or equal to group.consumer.min.session"],
    ["consumer.session.timeout.ms", "60001", "less than or equal to group.consumer.max.session"],
    ["consumer.session.timeout.ms", "x", "Not a number of type INT"],
    ["streams.num.standby.replicas", "3", "group.streams.max.standby.replicas"],
    ["share.delivery.count.limit", "11", "group.share.max.delivery.count.limit"],
    ["share.auto.offset.reset", "by_duration:PT1H30M", null],
    ["share.auto.offset.reset", "by_duration:P1DT0.5S", null],
    ["share.auto.offset.reset", "by_duration:PT", "by_duration:<PnDTnHnMn.nS>"],
    ["share.auto.offset.reset", "by_duration:-PT1H", "by_duration:<PnDTnHnMn.nS>"],
    ["share.auto.offset.reset", "none", "must be either 'earliest', 'latest'"],
    ["share.isolation.level", "serializable", "read_committed"],
    ["consumer.sesion.timeout.ms", "1", "did you mean consumer.session.timeout.ms?"],
  ];
  for (const [name, value, problem] of cases) {
    test(`${name}=${value}`, () => {
      const found = checkGroupConfigs(broker(), new Map([[name, value]]));
      if (problem === null) expect(found).toBeNull();
      else expect(found).toContain(problem);
    });
  }

  test("leave time for a second heartbeat", () => {
    const close = broker({ "group.consumer.min.session.timeout.ms": "1" });
    const found = checkGroupConfigs(close, new Map([["consumer.session.timeout.ms", "5000"]]));
    expect(found).toBe(
      "consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms",
    );
  });
});
