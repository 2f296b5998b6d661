import { expect, test } from "bun:test";
import { ConnectionError } from "../core/connection.ts";
import { metadata } from "../core/protocol/03-metadata.ts";
import { saslHandshake } from "../core/protocol/17-sasl-handshake.ts";
import { saslAuthenticate } from "../core/protocol/36-sasl-authenticate.ts";
import { SimClock } from "../tests/sim/sim-clock.ts";
import { SimRandom } from "../tests/sim/sim-random.ts";
import { Cluster } from "./cluster.ts";
import { FakeBroker } from "./fake-broker.test-helper.ts";
import type { SaslOptions } from "../core/sasl/options.ts";

const ALICE = { mechanism: "PLAIN", username: "alice", password: "s3cret" } as const;

/** A broker that lets alice in for so long, and hangs up at anything before that. */
function setUp(sasl: SaslOptions = ALICE, lifetimeMs = 0n) {
  const clock = new SimClock(1_700_000_000_000);
  const broker = new FakeBroker(clock, { t: 1 });
  const log: string[] = [];
  let letIn = false;
  broker.on(saslHandshake, ({ mechanism }) => {
    log.push(`handshake ${mechanism}`);
    letIn = false;
    const offered = mechanism !== "SCRAM-SHA-256";
    return { errorCode: offered ? 0 : 33, mechanisms: ["PLAIN", "OAUTHBEARER"] };
  });
  broker.on(saslAuthenticate, ({ authBytes }) => {
    const message = new TextDecoder().decode(authBytes);
    log.push("authenticate");
    letIn = message.includes("s3cret");
    return letIn
      ? { sessionLifetimeMs: lifetimeMs }
      : { errorCode: 58, errorMessage: "Invalid username or password" };
  });
  broker.on(metadata, () => {
    log.push(`metadata ${letIn}`);
    return letIn ? { brokers: [{ nodeId: 1, ...broker.address }] } : "hang-up";
  });
  const cluster = new Cluster({ clock, random: new SimRandom(1), network: broker }, {
    brokers: ["broker:9092"],
    sasl,
  });
  const failure = (): ConnectionError => {
    try {
      clock.run(cluster.any());
    } catch (error) {
      if (error instanceof ConnectionError) return error;
      throw error;
    }
    throw new Error("it did not fail");
  };
  return { clock, broker, cluster, log, failure };
}

test("a client proves who it is before it asks anything else", () => {
  const { clock, cluster, log } = setUp();
  clock.run(cluster.refresh([]));
  expect(log).toEqual(["handshake PLAIN", "authenticate", "metadata true"]);
});

test("a session that ends is prolonged in time; what is asked meanwhile waits and keeps its order", () => {
  const { clock, cluster, log } = setUp(ALICE, 10_000n);
  const connection = clock.run(cluster.any());
  const answers: string[] = [];
  const ask = (name: string) =>
    connection.request(metadata, { topics: [] }).then(() => answers.push(name));
  // Questions at every millisecond of the time in which the session is prolonged.
  const all: Promise<unknown>[] = [];
  for (let atMs = 8_400; atMs < 9_600; atMs++) {
    clock.setTimer(atMs, () => all.push(ask(`${atMs}`)));
  }
  clock.run(new Promise<void>((resolve) => clock.setTimer(9_700, resolve)));
  clock.run(Promise.all(all));
  expect(log.filter((line) => line.startsWith("handshake")).length).toBe(2);
  expect(log).not.toContain("metadata false");
  expect(answers).toEqual([...answers].sort((a, b) => Number(a) - Number(b)));
  expect(answers.length).toBe(1_200);
});

test("a session that cannot be prolonged ends its connection, with what waits on it", () => {
  let tokens = 0;
  const { clock, cluster, log } = setUp({
    mechanism: "OAUTHBEARER",
    token: () => tokens++ === 0 ? "s3cret" : Promise.reject(new Error("the issuer is away")),
  }, 10_000n);
  const connection = clock.run(cluster.any());
  const told: string[] = [];
  connection.onClose(({ failure, message }) => told.push(`${failure}: ${message}`));
  clock.run(new Promise<void>((resolve) => clock.setTimer(9_700, resolve)));
  expect(told).toEqual([
    "authentication: broker:9092, OAUTHBEARER: no token could be had: the issuer is away",
  ]);
  expect(log).toEqual(["handshake OAUTHBEARER", "authenticate", "handshake OAUTHBEARER"]);
});

test("who is not let in hears why, in one line and without the password", () => {
  const wrong = setUp({ ...ALICE, password: "wr0ng" }).failure();
  expect(wrong.failure).toBe("authentication");
  expect(wrong.retriable).toBe(false);
  expect(wrong.message).toBe(
    'broker:9092, PLAIN: user "alice" is refused: Invalid username or password',
  );
  const other = setUp({ ...ALICE, mechanism: "SCRAM-SHA-256" }).failure();
  expect(other.message).toBe(
    "broker:9092, SCRAM-SHA-256: not offered here, only PLAIN, OAUTHBEARER",
  );
});

test("a listener without SASL, and one that wants it, are named", () => {
  const clock = new SimClock(1_700_000_000_000);
  const broker = new FakeBroker(clock, {});
  const io = { clock, random: new SimRandom(1), network: broker };
  const brokers = ["broker:9092"];
  const withSasl = new Cluster(io, { brokers, sasl: ALICE });
  expect(() => clock.run(withSasl.any())).toThrow("connect without SASL");
  broker.on(metadata, () => "hang-up");
  const without = new Cluster(io, { brokers });
  expect(() => clock.run(without.refresh([]))).toThrow("does it want SASL?");
  // Those who are patient with brokers that come and go are not kept waiting by it.
  const beganMs = clock.monotonicMs();
  expect(() => clock.run(without.topic("t"))).toThrow("does it want SASL?");
  expect(clock.monotonicMs() - beganMs).toBeLessThan(1000);
});
