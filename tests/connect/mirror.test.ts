/** Mirrors between two brokers of ours: all that a copy is to have, through deaths of everybody. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import {
  consume,
  contents,
  MirrorBroker,
  MirrorWorker,
  produce,
  until,
  withAdmin,
} from "./servers/mirror-scene.ts";

let source: MirrorBroker;
let target: MirrorBroker;
beforeAll(async () => {
  [source, target] = await Promise.all([MirrorBroker.start(), MirrorBroker.start()]);
});
afterAll(() => Promise.all([source?.stop(), target?.stop()]));

let worker: MirrorWorker | null = null;
afterEach(async () => {
  await worker?.stop();
  worker = null;
});

const bytes = (text: string) => new TextEncoder().encode(text);
let runs = 0;

/** Configs of mirrors that look at everything once a second, under an alias of their own. */
function configOf(kind: string, more: Readonly<Record<string, unknown>> = {}) {
  return {
    name: kind,
    "connector.class": `org.apache.kafka.connect.mirror.Mirror${kind}Connector`,
    "source.cluster.alias": `run${runs}`,
    "source.cluster.bootstrap.servers": source.bootstrap,
    ...(kind === "Heartbeat" ? {} : { topics: `run${runs}-.*` }),
    ...(kind === "Source"
      ? {
        "refresh.topics.interval.seconds": 1,
        "sync.topic.configs.interval.seconds": 1,
        "offset.lag.max": 5,
      }
      : {}),
    ...(kind === "Checkpoint"
      ? {
        groups: `run${runs}-.*`,
        "refresh.groups.interval.seconds": 1,
        "emit.checkpoints.interval.seconds": 1,
        "sync.group.offsets.enabled": true,
        "sync.group.offsets.interval.seconds": 1,
      }
      : {}),
    ...more,
  };
}

async function begin(...configs: Readonly<Record<string, unknown>>[]): Promise<MirrorWorker> {
  worker = new MirrorWorker(target.bootstrap, configs);
  await worker.up();
  return worker;
}

/** Waits until the copy of a topic has as many records as the topic. */
async function copied(topic: string): Promise<void> {
  const alias = `run${runs}`;
  await until(
    async () => {
      const [from, to] = await Promise.all([
        contents(source.bootstrap, topic),
        contents(target.bootstrap, `${alias}.${topic}`),
      ]);
      return to.flat().length >= from.flat().length ? true : null;
    },
    async () => `${topic}: ${await worker?.down()}`,
  );
}

test("records byte for byte, new topics, partitions and configs, nothing aborted", async () => {
  const topic = `run${++runs}-a`;
  await withAdmin(source.bootstrap, (admin) =>
    admin.createTopics([{
      name: topic,
      partitions: 3,
      configs: { "compression.type": "gzip", "max.message.bytes": "2000000" },
    }]));
  const records = Array.from({ length: 3000 }, (_, n) => ({
    topic,
    partition: n % 3,
    key: n % 7 === 0 ? null : new Uint8Array([n & 255, 255, 0]),
    value: n % 11 === 0 && n % 7 !== 0 ? null : bytes(`\u0000value ${n}`),
    headers: n % 5 === 0
      ? [["h", bytes(String(n))], ["h", null], ["", new Uint8Array()]] as const
      : [],
    timestampMs: 1_600_000_000_000 + n,
  }));
  await produce(source.bootstrap, records.slice(0, 1000));
  await produce(source.bootstrap, records.slice(1000, 1500), "commit");
  await produce(source.bootstrap, records.slice(1500, 2000), "abort");
  await produce(source.bootstrap, records.slice(2000), "commit");
  await begin(configOf("Source", { "tasks.max": 2 }));
  await copied(topic);
  const copy = `run${runs}.${topic}`;
  expect(await contents(target.bootstrap, copy)).toEqual(await contents(source.bootstrap, topic));
  expect((await contents(target.bootstrap, copy)).flat()).toHaveLength(2500);
  const later = `run${runs}-b`;
  await withAdmin(source.bootstrap, async (admin) => {
    await admin.createTopics([{ name: later, partitions: 1 }]);
    await admin.createPartitions([{ name: topic, count: 4 }]);
    await admin.incrementalAlterConfigs({ type: "topic", name: topic }, [
      { name: "retention.ms", operation: "set", value: "123456789" },
      { name: "max.message.bytes", operation: "delete", value: null },
    ]);
  });
  await produce(source.bootstrap, [
    { topic: later, value: bytes("first") },
    { topic, partition: 3, value: bytes("new partition") },
  ]);
  await copied(later);
  await copied(topic);
  expect(await contents(target.bootstrap, copy)).toEqual(await contents(source.bootstrap, topic));
  const ownConfigs = () =>
    withAdmin(target.bootstrap, async (admin) => {
      const all = await admin.describeConfigs({ type: "topic", name: copy });
      return all.filter((entry) => entry.source === "topic")
        .map(({ name, value }) => `${name}=${value}`).sort();
    });
  const wanted = ["compression.type=gzip", "retention.ms=123456789"];
  await until(
    async () => Bun.deepEquals(await ownConfigs(), wanted) ? true : null,
    async () => `${await ownConfigs()} ${await worker?.down()}`,
  );
}, 50_000);

test("groups go on in the copy: nothing is skipped, little is read again", async () => {
  const topic = `run${++runs}-g`;
  const group = `run${runs}-group`;
  await withAdmin(
    source.bootstrap,
    (admin) => admin.createTopics([{ name: topic, partitions: 1 }]),
  );
  const numbered = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, n) => ({ topic, value: bytes(String(from + n)) }));
  // Markers of transactions make offsets of the copy others than those of the topic.
  await produce(source.bootstrap, numbered(0, 40), "commit");
  await produce(source.bootstrap, numbered(1000, 1010), "abort");
  await produce(source.bootstrap, numbered(40, 100), "commit");
  await begin(configOf("Source"), configOf("Checkpoint"));
  await copied(topic);
  const read = await consume(source.bootstrap, group, topic, 70, true);
  const next = Number(read.filter((value) => Number(value) < 1000).at(-1)) + 1;
  const copy = `run${runs}.${topic}`;
  const offsetOf = (name: string, from = 0) =>
    until(
      () =>
        withAdmin(target.bootstrap, async (admin) => {
          const [mine] = await admin.groups.listOffsets(name);
          return mine === undefined || mine.offset < from ? null : Number(mine.offset);
        }),
      async () => `offsets of ${name}: ${await worker?.down()}`,
    );
  const offset = await offsetOf(group);
  // In the copy record n is at offset n.
  expect(offset).toBeLessThanOrEqual(next);
  expect(next - offset).toBeLessThanOrEqual(100 - next);
  const [first] = await consume(target.bootstrap, group, copy, 1, false);
  expect(Number(first)).toBe(offset);
  // Who has gone on in the target is never taken back: groups are gone through by name.
  await withAdmin(
    target.bootstrap,
    (admin) => admin.groups.alterOffsets(group, [{ topic: copy, partition: 0, offset: 99n }]),
  );
  await consume(source.bootstrap, group, topic, 5, true);
  // With those that were aborted.
  await consume(source.bootstrap, `${group}-z`, topic, 110, true);
  expect(await offsetOf(`${group}-z`, 100)).toBe(100);
  expect(await offsetOf(group)).toBe(99);
}, 50_000);

test("heartbeats come, and own copies are not copied back", async () => {
  runs++;
  await begin(
    configOf("Heartbeat", { "target.cluster.alias": "here" }),
    configOf("Source", {
      topics: ".*",
      "source.cluster.bootstrap.servers": target.bootstrap,
      "target.cluster.alias": `run1`,
    }),
  );
  const found = await until(
    () =>
      withAdmin(target.bootstrap, async (admin) => {
        const names = (await admin.listTopics({ internal: true })).map(({ name }) => name);
        return names.includes(`run${runs}.heartbeats`) ? names : null;
      }),
    async () => String(await worker?.down()),
  );
  expect(found).toContain("heartbeats");
  expect(found.filter((name) => name.startsWith(`run${runs}.run1.`))).toEqual([]);
}, 50_000);

test("a topic is not copied onto itself", async () => {
  const topic = `run${++runs}-self`;
  await produce(target.bootstrap, [{ topic, value: bytes("once") }]);
  const mirror = await begin(configOf("Source", {
    "source.cluster.bootstrap.servers": target.bootstrap,
    "replication.policy.class": "identity",
  }));
  expect(await mirror.ended()).toContain("source and target are one cluster");
  expect((await contents(target.bootstrap, topic)).flat()).toHaveLength(1);
}, 50_000);

for (const support of ["requested", "required"] as const) {
  test(`worker and brokers are killed, exactly-once ${support}`, async () => {
    const topic = `run${++runs}-k`;
    await withAdmin(
      source.bootstrap,
      (admin) => admin.createTopics([{ name: topic, partitions: 2 }]),
    );
    const config = configOf("Source", {
      "exactly.once.support": support,
      "tasks.max": 2,
      "refresh.topics.interval.seconds": 60,
    });
    let from = 0;
    const more = async () => {
      const records = Array.from({ length: 5000 }, (_, n) => ({
        topic,
        partition: n % 2,
        value: bytes(String(from + n)),
      }));
      from += records.length;
      await produce(source.bootstrap, records);
    };
    await more();
    const mirror = await begin(config);
    const some = () =>
      until(
        async () =>
          (await contents(target.bootstrap, `run${runs}.${topic}`)).flat().length > 0 ? true : null,
        async () => await mirror.down(),
      );
    await some();
    await mirror.down("SIGKILL");
    await more();
    await mirror.up();
    await target.down();
    await target.up();
    await more();
    await source.down();
    await source.up();
    await more();
    await copied(topic);
    const [original, copy] = [
      await contents(source.bootstrap, topic),
      await contents(target.bootstrap, `run${runs}.${topic}`),
    ];
    if (support === "required") expect(copy).toEqual(original);
    else expect(copy.map((lines) => [...new Set(lines)])).toEqual(original);
    expect(original.flat()).toHaveLength(from);
  }, 120_000);
}
