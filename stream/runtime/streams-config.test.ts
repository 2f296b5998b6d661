import { expect, test } from "bun:test";
import { parseStreamsConfig } from "./streams-config.ts";

const app = { "application.id": "app" };

test("defaults are Kafka's, but exactly-once is on", () => {
  const config = parseStreamsConfig(app);
  expect(config.isExactlyOnce).toBe(true);
  expect(config.commitIntervalMs).toBe(100);
  expect(parseStreamsConfig({ ...app, "processing.guarantee": "at_least_once" }).commitIntervalMs)
    .toBe(30_000);
  expect(config.transactionTimeoutMs).toBe(10_000);
});

test("what stands behind topic. and client.tag. is passed on", () => {
  const given = { ...app, "topic.segment.bytes": 1000, "client.tag.zone": "a" };
  const config = parseStreamsConfig(given);
  expect(config.topicConfigs).toEqual({ "segment.bytes": "1000" });
  expect(config.clientTags).toEqual({ zone: "a" });
});

test("what cannot be is refused in words", () => {
  const refused: [Record<string, string | number>, RegExp][] = [
    [{}, /application\.id is missing: .*: set it to letters/],
    [
      { ...app, "comit.interval.ms": 1 },
      /there is no setting "comit.interval.ms": did you mean "commit.interval.ms"\?/,
    ],
    [{ ...app, "commit.interval.ms": "often" }, /cannot be "often".*whole number from -1/],
    [{ ...app, "commit.interval.ms": 10_000 }, /brokers abort a transaction/],
    [{ ...app, "processing.guarantee": "exactly_once" }, /exactly_once_v2 or at_least_once/],
    [{ ...app, "processing.exception.handler": "dlq" }, /no topic for dead letters/],
    [{ ...app, "heartbeat.interval.ms": 40_000 }, /twice in a session/],
  ];
  for (const [given, message] of refused) expect(() => parseStreamsConfig(given)).toThrow(message);
});

test("with group.protocol=streams it is told what brokers decide", () => {
  const given = { "application.id": "app", "num.standby.replicas": 1, "max.warmup.replicas": 3 };
  expect(parseStreamsConfig(given).unheeded.size).toBe(0);
  const { unheeded } = parseStreamsConfig({ ...given, "group.protocol": "streams" });
  expect([...unheeded]).toEqual([
    ["num.standby.replicas", "it is config streams.num.standby.replicas of the group"],
    ["max.warmup.replicas", "brokers do without it"],
  ]);
  const named = { ...given, "group.protocol": "streams", "group.instance.id": "one" };
  expect(() => parseStreamsConfig(named)).toThrow("group.instance.id is set");
});
