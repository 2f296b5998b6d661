/** The connectors of MQTT against a real broker. */
import { afterAll, beforeAll, beforeEach, expect } from "bun:test";
import mqttSink from "../../connect/connectors/mqtt/mqtt-sink.ts";
import mqttSource from "../../connect/connectors/mqtt/mqtt-source.ts";
import type { SinkRecord } from "../../connect/index.ts";
import { runSink, sinkRecord, startSink, startSource } from "../../connect/testing/index.ts";
import type { SourceRun } from "../../connect/testing/index.ts";
import { TestAuthority } from "../harness/certificates.ts";
import { MosquittoServer, needMosquitto } from "./servers/mosquitto.ts";
import { liveTest } from "./servers/live.ts";

const missing = await needMosquitto();
const live = liveTest(missing);

let server: MosquittoServer;
beforeAll(async () => {
  if (missing === null) server = await MosquittoServer.start();
});
afterAll(() => server?.stop());
/** Topics of each test are its own: sessions and retained messages stay. */
let root = "";
let tests = 0;
beforeEach(() => void (root = `test${tests++}`));

const source = (more: Record<string, string> = {}) => ({
  ...server.config,
  "mqtt.client.id": `client-${root}`,
  "mqtt.topics": `${root}/#`,
  ...more,
});
const sink = (more: Record<string, string> = {}) => ({
  ...server.config,
  "mqtt.client.id": `sink-${root}`,
  "mqtt.topic": `${root}/out`,
  ...more,
});
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);
const lines = (from: number, to: number) => upTo(to - from).map((n) => String(from + n));
const numbered = (from: number, to: number): SinkRecord[] =>
  upTo(to - from).map((i) => sinkRecord(String(from + i), from + i));
const numbers = (values: readonly unknown[]) =>
  [...new Set(values.map(Number))].sort((a, b) => a - b);

/** Begins it and waits until it has subscribed, so that nothing that is published passes by. */
async function subscribed(config: Record<string, string>): Promise<SourceRun> {
  const run = startSource(mqttSource, config);
  const first = run.next();
  await server.publish(`${root}/hello`, ["0"], "-r");
  await first;
  return run;
}

live("topics, keys, values, headers and user properties become those of records", async () => {
  for (const version of ["5", "3.1.1"]) {
    root = `map${version}`;
    const run = await subscribed(source({
      "mqtt.version": version,
      "kafka.topic": "in.{2..-2}",
      key: "{-1}",
    }));
    const named = version === "5"
      ? ["-V", "5", "-D", "PUBLISH", "user-property", "__proto__", "x"]
      : [];
    await server.publish(`${root}/a b/c/d`, ['{"t":21,"n":12345678901234567890}'], ...named);
    await server.publish(`${root}/x/y`, ["on"]);
    await run.take(2);
    const [first, second] = run.records.slice(-2);
    expect(first).toMatchObject({
      topic: "in.a_b.c",
      key: "d",
      value: { t: 21, n: 12345678901234567890n },
    });
    expect(second).toMatchObject({ topic: "in.x", key: "y", value: "on" });
    const headers = Object.fromEntries(first!.headers.map(({ name, value }) => [name, value]));
    expect(headers["mqtt.topic"]).toBe(`${root}/a b/c/d`);
    expect(headers["mqtt.qos"]).toBe(1);
    expect(first!.headers.filter(({ name }) => name === "__proto__").map(({ value }) => value))
      .toEqual(version === "5" ? ["x"] : []);
    await run.stop();
  }
});

live("what was not safe when a worker died comes again, what was safe does not", async () => {
  for (const qos of ["1", "2"]) {
    root = `ack${qos}`;
    const config = source({ "mqtt.qos": qos, "batch.size": "5" });
    const first = await subscribed(config);
    first.acknowledge();
    await server.publish(`${root}/n`, lines(0, 10), "-q", qos);
    await first.take(10);
    first.acknowledge(6);
    // The acknowledgements reach the broker: it sends others for them.
    await server.publish(`${root}/n`, lines(10, 12), "-q", qos);
    await first.take(2);
    await first.stop();
    await server.publish(`${root}/n`, lines(12, 15), "-q", qos);
    const second = startSource(mqttSource, config);
    await second.take((records) => records.some(({ value }) => value === 14));
    expect(second.values()).toEqual(upTo(15).slice(5));
    await second.commit();
    await second.stop();
  }
});

live("a broker that is killed, or frozen, is waited for, and no message is lost", async () => {
  const config = source({
    "mqtt.connect.timeout.seconds": "1",
    "mqtt.keepalive.interval.seconds": "1",
  });
  const seen: number[] = [];
  let failures = 0;
  const stop = new AbortController();
  const reading = (async () => {
    while (!stop.signal.aborted) {
      const run = startSource(mqttSource, config);
      try {
        while (!stop.signal.aborted) {
          seen.push(...(await run.next())!.map(({ value }) => Number(value)));
          run.acknowledge();
        }
      } catch (error) {
        expect((error as Error).name).toBe("RetriableError");
        failures++;
        await Bun.sleep(20);
      }
      await run.stop();
    }
  })();
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await Promise.race([Bun.sleep(5), reading]);
  };
  await server.publish(`${root}/n`, ["0"], "-r");
  await until(() => seen.length > 0);
  for (let round = 1; round <= 3; round++) {
    await server.publish(`${root}/n`, lines(round * 100, round * 100 + 50));
    await until(() => seen.includes(round * 100 + 20));
    const before = failures;
    if (round === 2) server.freeze();
    else await server.down();
    await until(() => failures > before);
    if (round === 2) server.thaw();
    else await server.up();
    // The session may be the last one saved: what was published is there, or was safe here.
    await until(() => seen.includes(round * 100 + 49));
  }
  stop.abort();
  await server.publish(`${root}/n`, ["400"]);
  await reading;
  expect(numbers(seen).filter((n) => n > 0 && n < 400)).toEqual(
    [100, 200, 300].flatMap((from) => upTo(50).map((n) => from + n)),
  );
});

live("nothing more is taken from the broker than the queue may hold", async () => {
  const run = await subscribed(source({
    "queue.bytes.max": "20000",
    "batch.size": "10",
    "mqtt.receive.maximum": "65535",
    format: "text",
  }));
  run.acknowledge();
  const big = Array.from({ length: 200 }, (_, n) => String(n).padEnd(5000, "."));
  await server.publish(`${root}/n`, big);
  const got: string[] = [];
  while (got.length < 200) {
    got.push(...(await run.next())!.map(({ value }) => String(value)));
    run.acknowledge();
  }
  expect(got).toEqual(big);
  await run.stop();
});

live("messages that are not what they should be are kept, left out or told of", async () => {
  const bad = async (more: Record<string, string>) => {
    root = `bad${tests++}`;
    const run = await subscribed(source(more));
    run.acknowledge();
    await server.publish(`${root}/n`, ["{", '{"n":1}']);
    await server.publishBytes(`${root}/n`, Uint8Array.of(255));
    await server.publishBytes(`${root}/n`, Uint8Array.of());
    return run;
  };
  const kept = await bad({});
  await kept.take(4);
  expect(kept.values().slice(1)).toEqual(["{", { n: 1 }, Uint8Array.of(255), null]);
  await kept.stop();
  const skipping = await bad({ "bad.messages": "skip" });
  await skipping.take((records) => records.length >= 3);
  skipping.acknowledge();
  await server.publish(`${root}/n`, ["2"]);
  await skipping.take((records) => records.at(-1)?.value === 2);
  expect(skipping.values().slice(1)).toEqual([{ n: 1 }, null, 2]);
  expect(skipping.gauges.get("messages-skipped-total")).toBe(2);
  await skipping.stop();
  const failing = await bad({ "bad.messages": "fail" });
  await expect(failing.take(3)).rejects.toThrow("bad.messages=keep");
  await failing.stop();
});

live("records are published with QoS 0, 1 and 2, headers as user properties", async () => {
  for (const qos of ["0", "1", "2"]) {
    root = `pub${qos}`;
    const session = ["-V", "5", "-c", "-x", "60", "-i", `listener-${root}`, "-t", `${root}/#`];
    await server.subscribe(...session, "-E");
    const config = sink({ "mqtt.qos": qos, "mqtt.topic": `${root}/{path}/{key}` });
    const headers = [{ name: "h", schema: null, value: "v" }];
    const records = upTo(101).map((n) => sinkRecord({ n }, n, { topic: "a.b", key: "k", headers }));
    await runSink(mqttSink, config, records);
    const heard = await server.subscribe(...session, "-C", "101", "-W", "10", "-F", "%t %p %P");
    expect(heard).toEqual(upTo(101).map((n) => `${root}/a/b/k {"n":${n}} h:v`));
  }
});

live("retained messages stay, and tombstones end that", async () => {
  const config = sink({ "mqtt.topic": `${root}/{key}`, "mqtt.retained.enabled": "true" });
  const record = (key: string, value: string | null, offset: number) =>
    sinkRecord(value, offset, { key });
  await runSink(mqttSink, config, [
    record("a", "1", 0),
    record("b", "2", 1),
    record("a", "3", 2),
    record("b", null, 3),
  ]);
  expect(await server.subscribe("-t", `${root}/#`, "-W", "1", "-v")).toEqual([`${root}/a 3`]);
});

live("what MQTT cannot take is rejected alone", async () => {
  const config = sink({ "mqtt.topic": `${root}/{key}`, "message.bytes.max": "1000" });
  const run = await runSink(mqttSink, config, [
    sinkRecord("a", 0, { key: "k" }),
    sinkRecord("b", 1, { key: "a/#" }),
    sinkRecord("x".repeat(2000), 2, { key: "k" }),
    sinkRecord("c", 3, { key: "k" }),
  ]);
  expect(run.rejected.map(({ record }) => Number(record.offset))).toEqual([1, 2]);
  expect(run.rejected.map(({ error }) => error.message).join("\n")).toMatch(
    /is no name of a topic.*\n.*larger than allowed \(1000\)/,
  );
  expect(run.committed()).toEqual({ "test-0": 4n });
});

live("a broker that is killed, or frozen, holds the sink up, and no record is lost", async () => {
  // A session that stays hears of everything.
  const session = ["-c", "-i", `listener-${root}`, "-t", `${root}/out`];
  await server.subscribe(...session, "-E");
  const run = await startSink(mqttSink, sink({ "mqtt.connect.timeout.seconds": "1" }));
  await run.write(numbered(0, 50));
  for (let round = 1; round <= 2; round++) {
    if (round === 1) await server.down();
    else server.freeze();
    const before = run.retries;
    const writing = run.write(numbered(round * 50, round * 50 + 50));
    while (run.retries < before + 1) await Bun.sleep(5);
    if (round === 1) await server.up();
    else server.thaw();
    await writing;
  }
  await run.stop();
  expect(run.committed()).toEqual({ "test-0": 150n });
  const heard = numbers(await server.subscribe(...session, "-W", "1"));
  expect(heard).toEqual(upTo(150));
});

live(
  "TLS with certificates and users let in; what is wrong is said without the password",
  async () => {
    const authority = new TestAuthority();
    const [own, client] = [authority.sign("server"), authority.sign("client")];
    const acl = `${authority.dir}/acl`;
    await Bun.write(acl, "topic readwrite open/#\n");
    const passwords = `${authority.dir}/passwords`;
    await Bun.write(passwords, "");
    const secure = await MosquittoServer.start({
      scheme: "mqtts",
      conf: [
        ...[`certfile ${own.certFile}`, `keyfile ${own.keyFile}`, `cafile ${authority.caFile}`],
        ...["require_certificate true", "allow_anonymous true", `acl_file ${acl}`],
      ],
    });
    try {
      const config = {
        ...secure.config,
        "tls.ca.file": authority.caFile,
        "tls.certificate.file": client.certFile,
        "tls.key.file": client.keyFile,
      };
      const run = startSource(mqttSource, { ...config, "mqtt.topics": "open/#" });
      const hello = run.next();
      while (!run.log.some((line) => line.includes("connected"))) await Bun.sleep(5);
      await runSink(mqttSink, {
        ...config,
        "mqtt.client.id": "other",
        "mqtt.topic": "open/a",
        "mqtt.retained.enabled": "true",
      }, numbered(0, 1));
      expect((await hello)![0]!.value).toBe(0);
      await run.stop();
      const denied = await runSink(
        mqttSink,
        { ...config, "mqtt.topic": "closed/a" },
        numbered(0, 1),
      );
      expect(denied.rejected[0]!.error.message).toContain("this user may not");
      const { "tls.ca.file": _, ...strange } = config;
      const distrusted = startSource(mqttSource, { ...strange, "mqtt.topics": "open/#" });
      await expect(distrusted.next()).rejects.toThrow("failed");
      await distrusted.stop();
    } finally {
      await secure.stop();
      authority.dispose();
    }
  },
);
