import { expect, test } from "bun:test";
import { Connection, ConnectionError } from "../core/connection.ts";
import { metadata } from "../core/protocol/03-metadata.ts";
import { heartbeat } from "../core/protocol/12-heartbeat.ts";
import { apiVersions } from "../core/protocol/18-api-versions.ts";
import { SimClock } from "../tests/sim/sim-clock.ts";
import { FakeBroker } from "./fake-broker.test-helper.ts";

function setUp() {
  const clock = new SimClock(1_700_000_000_000);
  const broker = new FakeBroker(clock, { t: 1 });
  const io = { clock, network: broker };
  const open = () => Connection.open(io, broker.address, { clientId: "test" });
  return { clock, broker, open };
}

/** The error of a promise that must fail. */
function errorOf(clock: SimClock, promise: Promise<unknown>): ConnectionError {
  try {
    clock.run(promise);
  } catch (error) {
    if (error instanceof ConnectionError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

test("requests in flight together get their own answers", () => {
  const { clock, open } = setUp();
  const connection = clock.run(open());
  const answers = clock.run(Promise.all(["t", "u", "t"].map((name) => {
    return connection.request(metadata, { topics: [{ name }] });
  })));
  expect(answers.map(({ topics }) => [topics[0]?.name, topics[0]?.errorCode])).toEqual([
    ["t", 0],
    ["u", 3],
    ["t", 0],
  ]);
  expect(connection.inFlight).toBe(0);
});

test("the newest common version is used, and none in common is said", () => {
  const { clock, broker, open } = setUp();
  broker.on(apiVersions, () => ({ apiKeys: [{ apiKey: 3, minVersion: 1, maxVersion: 8 }] }));
  const connection = clock.run(open());
  expect(connection.versionOf(metadata)).toBe(8);
  expect(connection.versionOf(metadata, 5)).toBe(5);
  const error = errorOf(clock, connection.request(heartbeat, {}));
  expect(error.failure).toBe("unsupported");
  expect(error.message).toContain("Heartbeat");
});

test("a broker that knows only old versions of ApiVersions is asked again (KIP-511)", () => {
  const { clock, broker, open } = setUp();
  const asked: number[] = [];
  broker.on(apiVersions, (_request, version) => {
    asked.push(version);
    const apiKeys = [{ apiKey: apiVersions.key, minVersion: 0, maxVersion: 2 }];
    return { errorCode: version > 2 ? 35 : 0, apiKeys };
  });
  broker.answerUnknownVersionsInV0 = true;
  const connection = clock.run(open());
  expect(asked).toEqual([apiVersions.maxVersion, 2]);
  expect(connection.served.get(apiVersions.key)).toEqual({ min: 0, max: 2 });
});

test("a request without an answer times out and takes the connection with it", () => {
  const { clock, broker, open } = setUp();
  const connection = clock.run(open());
  broker.on(metadata, () => "silence");
  const other = connection.request(metadata, {});
  const error = errorOf(clock, connection.request(metadata, {}, { timeoutMs: 500 }));
  expect(error.failure).toBe("timeout");
  expect(error.unansweredApi).toBe("Metadata");
  expect(error.retriable).toBe(true);
  expect(errorOf(clock, other).failure).toBe("timeout");
  expect(connection.closed).toBe(true);
  expect(errorOf(clock, connection.request(metadata, {})).failure).toBe("timeout");
});

test("an abort drops one answer and keeps the connection", () => {
  const { clock, open } = setUp();
  const connection = clock.run(open());
  const controller = new AbortController();
  const aborted = connection.request(metadata, {}, { signal: controller.signal });
  controller.abort();
  expect(errorOf(clock, aborted).failure).toBe("aborted");
  expect(clock.run(connection.request(metadata, { topics: [] })).brokers.length).toBe(1);
});

test("a connection that ends fails what waits, and says so", () => {
  const { clock, broker, open } = setUp();
  const connection = clock.run(open());
  const told: string[] = [];
  connection.onClose((error) => told.push(error.failure));
  broker.on(metadata, () => "hang-up");
  expect(errorOf(clock, connection.request(metadata, {})).failure).toBe("closed");
  expect(told).toEqual(["closed"]);
});

test("nobody there is refused", () => {
  const { clock, broker, open } = setUp();
  broker.refusing = true;
  const error = errorOf(clock, open());
  expect(error.failure).toBe("refused");
  expect(error.unansweredApi).toBeNull();
});

test("servers that are no Kafka are named", () => {
  const answers: [Uint8Array, RegExp][] = [
    [new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"), /HTTP/],
    [new Uint8Array([0x15, 3, 3, 0, 2, 2, 50]), /TLS/],
    [new Uint8Array([0x7f, 0xff, 0xff, 0xff]), /2147483647 bytes/],
    [new Uint8Array([0xff, 0xff, 0xff, 0xff]), /-1 bytes/],
  ];
  for (const [answer, message] of answers) {
    const { clock, broker, open } = setUp();
    broker.rawAnswer = answer;
    const error = errorOf(clock, open());
    expect(error.failure).toBe("not-kafka");
    expect(error.message).toMatch(message);
    expect(error.retriable).toBe(false);
  }
});

test("an answer to no question, or one cut short, is malformed", () => {
  for (const answer of [[0, 0, 0, 4, 0, 0, 0, 99], [0, 0, 0, 5, 0, 0, 0, 0, 1]]) {
    const { clock, broker, open } = setUp();
    broker.rawAnswer = new Uint8Array(answer);
    expect(errorOf(clock, open()).failure).toBe("malformed");
  }
});
