/** DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources: all codes. */
import { describe, expect, test } from "bun:test";
import { errorName, Errors } from "../../core/errors.ts";
import {
  allowAllBut,
  type MetadataBroker,
  metadataBroker,
} from "../metadata-broker.test-helper.ts";
import { createTopicsHandler } from "./19-create-topics.ts";
import { describeConfigsHandler } from "./32-describe-configs.ts";
import { alterConfigsHandler } from "./33-alter-configs.ts";
import { incrementalAlterConfigsHandler } from "./44-incremental-alter-configs.ts";
import { listConfigResourcesHandler } from "./74-list-config-resources.ts";

const TOPIC = 2;
const BROKER = 4;
const LOGGER = 8;
const METRICS = 16;
const GROUP = 32;
const [SET, DELETE, APPEND, SUBTRACT] = [0, 1, 2, 3];

async function withTopic(
  texts: Parameters<typeof metadataBroker>[0] = {},
): Promise<MetadataBroker> {
  const subject = await metadataBroker(texts);
  await subject.call(createTopicsHandler, 7, {
    topics: [{ name: "t", numPartitions: 1, replicationFactor: 1 }],
  });
  return subject;
}

type Change = [name: string, operation: number, value: string | null];

async function alter(
  { call }: MetadataBroker,
  resourceType: number,
  resourceName: string,
  ...changes: Change[]
): Promise<{ code: string; message: string | null }> {
  const configs = changes.map(([name, configOperation, value]) => ({
    name,
    configOperation,
    value,
  }));
  const { responses } = await call(incrementalAlterConfigsHandler, 1, {
    resources: [{ resourceType, resourceName, configs }],
  });
  const [answer] = responses;
  return { code: errorName(answer?.errorCode ?? -1), message: answer?.errorMessage ?? null };
}

async function describeOne(
  { call }: MetadataBroker,
  resourceType: number,
  resourceName: string,
  name: string,
) {
  const { results } = await call(describeConfigsHandler, 4, {
    resources: [{ resourceType, resourceName, configurationKeys: [name] }],
    includeSynonyms: true,
  });
  const [config, ...more] = results[0]?.configs ?? [];
  expect(more).toEqual([]);
  return config;
}

describe("DescribeConfigs", () => {
  test("describes topics and brokers at every version", async () => {
    const { call } = await withTopic();
    for (let version = 1; version <= 4; version++) {
      const { results } = await call(describeConfigsHandler, version, {
        resources: [
          { resourceType: TOPIC, resourceName: "t", configurationKeys: null },
          { resourceType: BROKER, resourceName: "1", configurationKeys: null },
        ],
        includeSynonyms: true,
      });
      expect(results.map(({ errorCode }) => errorCode)).toEqual([0, 0]);
      expect(results[0]?.configs).toHaveLength(34);
      expect(results[1]?.configs.find(({ name }) => name === "node.id")).toMatchObject({
        value: "1",
        readOnly: true,
        configSource: 5,
      });
    }
  });

  test("says where a value comes from, and what else there is", async () => {
    const subject = await withTopic({ "log.retention.ms": "1000" });
    expect(await describeOne(subject, TOPIC, "t", "retention.ms")).toMatchObject({
      value: "1000",
      configSource: 4,
      configType: 5,
      isSensitive: false,
      readOnly: false,
    });
    await alter(subject, TOPIC, "t", ["retention.ms", SET, "2000"]);
    await alter(subject, BROKER, "", ["log.retention.ms", SET, "3000"]);
    await alter(subject, BROKER, "1", ["log.retention.ms", SET, "4000"]);
    const config = await describeOne(subject, TOPIC, "t", "retention.ms");
    expect(config).toMatchObject({ value: "2000", configSource: 1 });
    expect(config?.synonyms.map(({ value, source }) => [value, source])).toEqual([
      ["2000", 1],
      ["4000", 2],
      ["3000", 3],
      ["1000", 4],
      ["168", 5],
    ]);
    expect(await describeOne(subject, BROKER, "1", "log.retention.ms"))
      .toMatchObject({ value: "4000", configSource: 2, readOnly: false });
    expect(await describeOne(subject, BROKER, "", "log.retention.ms"))
      .toMatchObject({ value: "3000", configSource: 3 });
  });

  test("shows groups and client metrics, whether anything is set for them or not", async () => {
    const subject = await withTopic({ "group.consumer.session.timeout.ms": "46000" });
    const name = "consumer.session.timeout.ms";
    expect(await describeOne(subject, GROUP, "g", name))
      .toMatchObject({ value: "46000", configSource: 4, configType: 3 });
    await alter(subject, GROUP, "g", [name, SET, "50000"]);
    const group = await describeOne(subject, GROUP, "g", name);
    expect(group).toMatchObject({ value: "50000", configSource: 8 });
    expect(group?.synonyms.map((synonym) => [synonym.name, synonym.value, synonym.source]))
      .toEqual([
        [name, "50000", 8],
        [`group.${name}`, "46000", 4],
        [`group.${name}`, "45000", 5],
      ]);
    expect(await describeOne(subject, METRICS, "m", "interval.ms"))
      .toMatchObject({ value: "300000", configSource: 5, synonyms: [] });
    await alter(subject, METRICS, "m", ["metrics", SET, "a,b"], ["match", SET, "client_id=x.*"]);
    const restarted = await metadataBroker({}, subject.log);
    expect(await describeOne(restarted, METRICS, "m", "metrics"))
      .toMatchObject({ value: "a,b", configSource: 7, configType: 7 });
  });

  test("never shows a password", async () => {
    const subject = await metadataBroker({ "delegation.token.secret.key": "hunter2" });
    const config = await describeOne(subject, BROKER, "1", "delegation.token.secret.key");
    expect(config).toMatchObject({ value: null, isSensitive: true, configSource: 4 });
    expect(JSON.stringify(config)).not.toContain("hunter2");
  });

  const refusals: [string, number, string, keyof typeof Errors][] = [
    ["an unknown topic", TOPIC, "x", "UNKNOWN_TOPIC_OR_PARTITION"],
    ["a bad topic name", TOPIC, "a b", "INVALID_TOPIC_EXCEPTION"],
    ["another broker", BROKER, "2", "INVALID_REQUEST"],
    ["no broker", BROKER, "one", "INVALID_REQUEST"],
    ["another broker's loggers", LOGGER, "2", "INVALID_REQUEST"],
    ["no group", GROUP, "", "INVALID_REQUEST"],
    ["no subscription", METRICS, "", "INVALID_REQUEST"],
    ["an unknown type", 77, "x", "INVALID_REQUEST"],
  ];
  for (const [what, resourceType, resourceName, code] of refusals) {
    test(`refuses ${what} with ${code}`, async () => {
      const { call } = await withTopic();
      const { results } = await call(describeConfigsHandler, 4, {
        resources: [{ resourceType, resourceName, configurationKeys: null }],
      });
      expect(results.map(({ errorCode }) => errorName(errorCode))).toEqual([code]);
    });
  }

  test("has no loggers, and denies", async () => {
    const { call } = await withTopic();
    const resources = [
      { resourceType: LOGGER, resourceName: "1", configurationKeys: null },
      { resourceType: TOPIC, resourceName: "t", configurationKeys: null },
    ];
    const { results } = await call(describeConfigsHandler, 4, { resources });
    expect(results[0]).toMatchObject({ errorCode: 0, configs: [] });
    const denied = await call(
      describeConfigsHandler,
      4,
      { resources },
      allowAllBut("DESCRIBE_CONFIGS TOPIC", "DESCRIBE_CONFIGS CLUSTER"),
    );
    expect(denied.results.map(({ errorCode }) => errorName(errorCode)))
      .toEqual(["CLUSTER_AUTHORIZATION_FAILED", "TOPIC_AUTHORIZATION_FAILED"]);
  });
});

describe("IncrementalAlterConfigs", () => {
  test("sets, deletes, appends and subtracts", async () => {
    const subject = await withTopic();
    const value = async () => (await describeOne(subject, TOPIC, "t", "cleanup.policy"))?.value;
    const steps: [number, string | null, string][] = [
      [APPEND, "compact", "delete,compact"],
      [APPEND, "delete", "delete,compact"],
      [SUBTRACT, "delete", "compact"],
      [SET, "delete", "delete"],
      [DELETE, null, "delete"],
    ];
    for (const [operation, text, wanted] of steps) {
      const { code } = await alter(subject, TOPIC, "t", ["cleanup.policy", operation, text]);
      expect([code, await value()]).toEqual(["NONE", wanted]);
    }
    expect(subject.broker.metadata.topic("t")?.configs.size).toBe(0);
  });

  const refusals: [string, number, string, Change[], keyof typeof Errors, string][] = [
    ["a bad value", TOPIC, "t", [["retention.ms", SET, "x"]], "INVALID_CONFIG", "type LONG"],
    ["an unknown name", TOPIC, "t", [["retention", SET, "1"]], "INVALID_CONFIG", "Unknown topic"],
    ["null", TOPIC, "t", [["retention.ms", SET, null]], "INVALID_REQUEST", "Null value"],
    [
      "appending to a number",
      TOPIC,
      "t",
      [["retention.ms", APPEND, "1"]],
      "INVALID_CONFIG",
      "LIST",
    ],
    ["appending to metrics", METRICS, "m", [["metrics", APPEND, "a"]], "INVALID_CONFIG", "LIST"],
    ["appending in no group", GROUP, "", [["a", APPEND, "1"]], "INVALID_CONFIG", "LIST"],
    [
      "one name twice",
      TOPIC,
      "t",
      [["retention.ms", SET, "1"], ["retention.ms", DELETE, null]],
      "INVALID_REQUEST",
      "duplicate config keys",
    ],
    [
      "an unknown operation",
      TOPIC,
      "t",
      [["retention.ms", 9, "1"]],
      "INVALID_REQUEST",
      "operation",
    ],
    ["an unknown topic", TOPIC, "x", [], "UNKNOWN_TOPIC_OR_PARTITION", "does not exist"],
    ["a bad topic name", TOPIC, "a b", [], "INVALID_TOPIC_EXCEPTION", "invalid"],
    ["another broker", BROKER, "7", [], "INVALID_REQUEST", "received 7"],
    ["no broker", BROKER, "x", [], "INVALID_REQUEST", "must be an integer"],
    [
      "a read-only broker config",
      BROKER,
      "1",
      [["num.partitions", SET, "2"]],
      "INVALID_REQUEST",
      "Cannot update these configs dynamically: num.partitions",
    ],
    [
      "one broker's config for all",
      BROKER,
      "",
      [["listeners", SET, "PLAINTEXT://:1"]],
      "INVALID_REQUEST",
      "broker id must be specified",
    ],
    [
      "an unknown broker config",
      BROKER,
      "",
      [["log.retention", SET, "1"]],
      "INVALID_REQUEST",
      "Unknown broker config name: log.retention",
    ],
    ["loggers", LOGGER, "1", [["root", SET, "DEBUG"]], "INVALID_REQUEST", "log level"],
    ["no group", GROUP, "", [], "INVALID_REQUEST", "Default group resources are not allowed."],
    [
      "a group's session that is too short",
      GROUP,
      "g",
      [["consumer.session.timeout.ms", SET, "1"]],
      "INVALID_CONFIG",
      "group.consumer.min.session.timeout.ms",
    ],
    ["no subscription", METRICS, "", [], "INVALID_REQUEST", "Subscription name can't be empty"],
    [
      "an unknown metrics config",
      METRICS,
      "m",
      [["interval", SET, "1"]],
      "INVALID_REQUEST",
      "Unknown client metrics configuration: ",
    ],
    [
      "a push interval that is too short",
      METRICS,
      "m",
      [["interval.ms", SET, "99"]],
      "INVALID_REQUEST",
      "interval must be between 100 and 3600000 (1 hour)",
    ],
    [
      "a pattern of an unknown field",
      METRICS,
      "m",
      [["match", SET, "client=x"]],
      "INVALID_CONFIG",
      "Illegal client matching pattern: client=x",
    ],
    [
      "a pattern that is no expression",
      METRICS,
      "m",
      [["match", SET, "client_id=("]],
      "INVALID_CONFIG",
      "Illegal client matching pattern: client_id=(",
    ],
    ["an unknown type", 3, "x", [], "INVALID_REQUEST", "Unknown resource type 3"],
  ];
  for (const [what, type, name, changes, code, message] of refusals) {
    test(`refuses ${what} with ${code} and changes nothing`, async () => {
      const subject = await withTopic();
      const before = subject.broker.metadata.image;
      const answer = await alter(
        subject,
        type,
        name,
        ["file.delete.delay.ms", SET, "1"],
        ...changes,
      );
      const alone = await alter(subject, type, name, ...changes);
      // With a good change beside it, a bad one still refuses the whole resource.
      expect(answer.code).not.toBe("NONE");
      expect(alone).toMatchObject({ code });
      expect(alone.message).toContain(message);
      expect(subject.broker.metadata.image).toBe(before);
    });
  }

  test("refuses a resource that is named twice, denies, and only validates", async () => {
    const { call, broker } = await withTopic();
    const resource = {
      resourceType: TOPIC,
      resourceName: "t",
      configs: [{ name: "retention.ms", configOperation: SET, value: "1" }],
    };
    const codes = async (count: number, validateOnly: boolean, ...denied: string[]) => {
      const resources = Array.from({ length: count }, () => resource);
      const { responses } = await call(
        incrementalAlterConfigsHandler,
        1,
        { resources, validateOnly },
        allowAllBut(...denied),
      );
      return responses.map(({ errorCode }) => errorName(errorCode));
    };
    expect(await codes(2, false)).toEqual(["INVALID_REQUEST", "INVALID_REQUEST"]);
    expect(await codes(1, false, "ALTER_CONFIGS TOPIC")).toEqual(["TOPIC_AUTHORIZATION_FAILED"]);
    expect(await codes(1, true)).toEqual(["NONE"]);
    expect(broker.metadata.topic("t")?.configs.size).toBe(0);
    expect(await codes(1, false)).toEqual(["NONE"]);
    expect(broker.metadata.topic("t")?.configs.get("retention.ms")).toBe("1");
  });

  test("a broker config is in force at once, and again after a restart", async () => {
    const first = await metadataBroker();
    await alter(first, BROKER, "", ["log.retention.ms", SET, "77"]);
    expect(first.broker.config.get("log.retention.ms")).toBe(77);
    const restarted = await metadataBroker({}, first.log);
    expect(restarted.broker.config.get("log.retention.ms")).toBe(77);
    await alter(restarted, BROKER, "", ["log.retention.ms", DELETE, null]);
    expect(restarted.broker.config.get("log.retention.ms")).toBeNull();
  });
});

describe("AlterConfigs", () => {
  test("replaces all configs of a topic, at every version", async () => {
    const { call, broker } = await withTopic();
    for (let version = 0; version <= 2; version++) {
      for (const name of ["retention.ms", "retention.bytes"]) {
        const { responses } = await call(alterConfigsHandler, version, {
          resources: [{
            resourceType: TOPIC,
            resourceName: "t",
            configs: [{ name, value: "5" }],
          }],
        });
        expect(responses[0]?.errorCode).toBe(0);
        expect([...broker.metadata.topic("t")?.configs ?? []]).toEqual([[name, "5"]]);
      }
    }
  });

  test("refuses null and unknown names", async () => {
    const { call } = await withTopic();
    const code = async (name: string, value: string | null) => {
      const resources = [{ resourceType: TOPIC, resourceName: "t", configs: [{ name, value }] }];
      const { responses } = await call(alterConfigsHandler, 2, { resources });
      return errorName(responses[0]?.errorCode ?? -1);
    };
    expect(await code("retention.ms", null)).toBe("INVALID_REQUEST");
    expect(await code("nonsense", "1")).toBe("INVALID_CONFIG");
  });
});

describe("ListConfigResources", () => {
  test("lists topics and brokers, and what groups and metrics are configured", async () => {
    const subject = await withTopic();
    const { call } = subject;
    const listed = await call(listConfigResourcesHandler, 1, { resourceTypes: [] });
    expect(listed.configResources.map(({ resourceType, resourceName }) => [
      resourceType,
      resourceName,
    ])).toEqual([[2, "t"], [4, "1"], [8, "1"]]);
    expect((await call(listConfigResourcesHandler, 0, {})).configResources).toEqual([]);
    await alter(subject, METRICS, "m", ["interval.ms", SET, "1000"]);
    await alter(subject, GROUP, "g", ["consumer.session.timeout.ms", SET, "50000"]);
    const both = await call(listConfigResourcesHandler, 1, { resourceTypes: [GROUP, METRICS] });
    expect(both.configResources.map(({ resourceName }) => resourceName)).toEqual(["g", "m"]);
    const metrics = await call(listConfigResourcesHandler, 0, {});
    expect(metrics.configResources.map(({ resourceName }) => resourceName)).toEqual(["m"]);
    // What has nothing set any more is gone.
    await alter(subject, METRICS, "m", ["interval.ms", DELETE, null]);
    expect((await call(listConfigResourcesHandler, 0, {})).configResources).toEqual([]);
    const unknown = await call(listConfigResourcesHandler, 1, { resourceTypes: [99] });
    expect(errorName(unknown.errorCode)).toBe("UNSUPPORTED_VERSION");
    const denied = allowAllBut("DESCRIBE_CONFIGS CLUSTER");
    const refused = await call(listConfigResourcesHandler, 1, {}, denied);
    expect(errorName(refused.errorCode)).toBe("CLUSTER_AUTHORIZATION_FAILED");
  });
});

test("every config says what it does, to who asks for it", async () => {
  const { call, broker } = await metadataBroker();
  await broker.controller.createTopics([{
    name: "documented",
    numPartitions: 1,
    replicationFactor: 1,
    assignments: [],
    configs: [],
  }]);
  const resources = [
    { resourceType: 2, resourceName: "documented", configurationKeys: null },
    { resourceType: 4, resourceName: "1", configurationKeys: null },
    { resourceType: 16, resourceName: "subscription", configurationKeys: null },
    { resourceType: 32, resourceName: "group", configurationKeys: null },
  ];
  const ask = (includeDocumentation: boolean) =>
    call(describeConfigsHandler, 4, { resources, includeDocumentation });
  for (const { configs } of (await ask(true)).results) {
    expect(configs.length).toBeGreaterThan(0);
    const silent = configs.filter(({ documentation }) =>
      !/^[A-Z].{20,}\.$/.test(documentation ?? "")
    );
    expect(silent.map(({ name }) => name)).toEqual([]);
  }
  for (const { configs } of (await ask(false)).results) {
    expect(configs.every(({ documentation }) => documentation === null)).toBe(true);
  }
});
