/** Logs in topics against a whole broker on virtual time. */
import { expect, test } from "bun:test";
import { Admin } from "../../client/admin.ts";
import { Producer } from "../../client/producer.ts";
import { FakeBroker } from "../../client/fake-broker.test-helper.ts";
import { Errors } from "../../core/errors.ts";
import { silentLogger } from "../../core/logger.ts";
import { createTopics } from "../../core/protocol/19-create-topics.ts";
import { describeConfigs } from "../../core/protocol/32-describe-configs.ts";
import { ClientWorld } from "../../tests/sim/client-world.ts";
import { SimClock } from "../../tests/sim/sim-clock.ts";
import { SimRandom } from "../../tests/sim/sim-random.ts";
import { TopicLog, type TopicLogOptions } from "./topic-log.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function setUp() {
  const world = new ClientWorld(1, {});
  const client = { brokers: world.brokers };
  const open = (options: Partial<TopicLogOptions> = {}) => {
    const heard: string[] = [];
    const log = new TopicLog(world.clientIo(), {
      client,
      topic: "configs",
      purpose: "config",
      partitions: 1,
      replicationFactor: -1,
      logger: silentLogger,
      ...options,
    });
    const start = () =>
      log.start(({ key, value }) => {
        heard.push(`${decoder.decode(key ?? undefined)}=${decoder.decode(value ?? undefined)}`);
      });
    return { log, heard, start };
  };
  const admin = new Admin(world.clientIo(), client);
  const run = (story: () => Promise<void>) => {
    world.clock.run(story());
    admin.close();
    world.stop();
  };
  return { world, client, admin, open, run };
}

/** What it fails with, in words. (`rejects` would wait without letting virtual time pass.) */
const failureOf = (work: Promise<unknown>) => work.then(() => "", (error: Error) => error.message);

const entry = (key: string, value: string | null) => ({
  key: encoder.encode(key),
  value: value === null ? null : encoder.encode(value),
});

test("all hear what one writes, also who comes later, from the first record on", () => {
  const { open, admin, run } = setUp();
  run(async () => {
    const [one, two] = [open(), open()];
    await Promise.all([one.start(), two.start()]);
    await one.log.write([entry("a", "1"), entry("b", "2")]);
    await two.log.readToEnd();
    expect(two.heard).toEqual(["a=1", "b=2"]);
    await two.log.write([entry("a", null)]);
    await one.log.readToEnd();
    const late = open();
    await late.start();
    expect(late.heard).toEqual(["a=1", "b=2", "a="]);
    const [policy] = await admin.describeConfigs({ type: "topic", name: "configs" }, {
      names: ["cleanup.policy"],
    });
    expect(policy?.value).toBe("compact");
    for (const { log } of [one, two, late]) await log.close();
  });
});

test("what transactions write is heard once they are committed, and the end is reached behind markers", () => {
  const { world, client, open, run } = setUp();
  run(async () => {
    const { log, heard, start } = open({ isCommittedOnly: true });
    await start();
    const producer = new Producer(world.clientIo(), { ...client, transactionalId: "leader" });
    await producer.transactions.init();
    const write = async (value: string) => {
      producer.transactions.begin();
      await producer.send({ topic: "configs", ...entry("a", value) });
    };
    await write("lost");
    await producer.transactions.abort();
    await log.readToEnd();
    expect(heard).toEqual([]);
    await write("kept");
    await producer.transactions.commit();
    await log.readToEnd();
    expect(heard).toEqual(["a=kept"]);
    await producer.close();
    await log.close();
  });
});

test("an owner writes all or nothing, until another one has claimed the log", () => {
  const { open, run } = setUp();
  run(async () => {
    const owned = { transactionalId: "owner", isCommittedOnly: true };
    const [old, young, reader] = [open(owned), open(owned), open({ isCommittedOnly: true })];
    for (const { start } of [old, young, reader]) await start();
    expect(await failureOf(old.log.writeAsOwner([entry("a", "0")]))).toContain("is not claimed");
    await old.log.claim();
    await old.log.writeAsOwner([entry("a", "1"), entry("b", "1")]);
    await young.log.claim();
    expect(await failureOf(old.log.writeAsOwner([entry("a", "2"), entry("b", "2")]))).not.toBe("");
    // It has lost the right, and does not take it back by itself.
    expect(await failureOf(old.log.writeAsOwner([entry("a", "3")]))).toContain("is not claimed");
    await young.log.writeAsOwner([entry("a", "4")]);
    await reader.log.readToEnd();
    expect(reader.heard).toEqual(["a=1", "b=1", "a=4"]);
    for (const { log } of [old, young, reader]) await log.close();
  });
});

test("a topic that would forget, or has no one order, is refused with what to do", () => {
  const { admin, open, run } = setUp();
  run(async () => {
    await admin.createTopics([
      { name: "configs", partitions: 3, configs: { "cleanup.policy": "delete" } },
      { name: "many", partitions: 3, configs: { "cleanup.policy": "compact" } },
    ]);
    const forgetting = open();
    expect(await failureOf(forgetting.start())).toBe(
      'topic "configs" cannot be the config topic: its cleanup.policy is "delete", so it would ' +
        "forget connectors: kstream topic alter configs -c cleanup.policy=compact",
    );
    const many = open({ topic: "many", isSinglePartition: true });
    expect(await failureOf(many.start())).toContain("it has 3 partitions");
    await forgetting.log.close();
    await many.log.close();
  });
});

test("a topic that was just made is looked at once the broker knows it", () => {
  const clock = new SimClock(1_700_000_000_000);
  const broker = new FakeBroker(clock);
  let asked = 0;
  broker.on(createTopics, ({ topics }) => ({ topics: topics.map(({ name }) => ({ name })) }));
  broker.on(describeConfigs, ({ resources }) => ({
    results: resources.map(({ resourceType, resourceName }) => ({
      resourceType,
      resourceName,
      errorCode: ++asked < 3 ? Errors.UNKNOWN_TOPIC_OR_PARTITION : 0,
      configs: [{ name: "cleanup.policy", value: "delete" }],
    })),
  }));
  const log = new TopicLog({ clock, random: new SimRandom(1), network: broker }, {
    client: { brokers: [broker.address] },
    topic: "configs",
    purpose: "config",
    partitions: 1,
    replicationFactor: -1,
    logger: silentLogger,
  });
  expect(clock.run(failureOf(log.start(() => {})))).toContain('its cleanup.policy is "delete"');
  expect(asked).toBe(3);
  clock.run(log.close());
});

test("reading to the end waits out a broker that cannot be reached, and ends with its signal", () => {
  const { world, client, open, run } = setUp();
  run(async () => {
    const io = world.clientIo();
    const heard: string[] = [];
    const log = new TopicLog(io, {
      client,
      topic: "configs",
      purpose: "config",
      partitions: 1,
      replicationFactor: -1,
      logger: silentLogger,
    });
    await log.start(({ key }) => heard.push(decoder.decode(key ?? undefined)));
    const other = open();
    await other.start();
    io.network.isolate();
    await other.log.write([entry("a", "1")]);
    const given = new AbortController();
    world.clock.setTimer(5000, () => given.abort(new Error("given up")));
    expect(await failureOf(log.readToEnd(given.signal))).toBe("given up");
    expect(heard).toEqual([]);
    io.network.heal();
    await log.readToEnd();
    expect(heard).toEqual(["a"]);
    await log.close();
    await other.log.close();
  });
});
