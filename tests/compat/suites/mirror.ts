/**
 * Mirrors between Apache Kafka and us, both ways; Kafka's `MirrorClient` reads what ours have written,
 * and MirrorMaker 2 goes on where they have stopped.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  consume,
  contents,
  MirrorBroker,
  MirrorWorker,
  produce,
  until,
  withAdmin,
} from "../../connect/servers/mirror-scene.ts";
import { freshDir } from "../../harness/broker-process.ts";
import { run, runOk } from "../../harness/process.ts";
import { withApacheKafka } from "../apache-broker.ts";
import { freePort } from "../../harness/free-ports.ts";
import { CACHE, fetchJars, java, KAFKA_VERSION, kafkaLibs, needKafka } from "../install.ts";
import { type CompatSuite, expectContains, expectEqual } from "../suite.ts";

const SOURCES = join(import.meta.dir, "../mirror");
const FOLDER = join(CACHE, `mirror-${KAFKA_VERSION}`);
const LIBS = join(FOLDER, "libs");
const CLASSES = join(FOLDER, "classes");
const CLASS_PATH = [CLASSES, join(kafkaLibs, "*"), join(LIBS, "*")].join(":");
const TOPIC = "orders";
const GROUP = "readers";

async function needMirror(): Promise<string | null> {
  const stamp = join(FOLDER, ".complete");
  const pom = join(SOURCES, "pom.xml");
  const reason = await needKafka() ?? await fetchJars(pom, LIBS, stamp, "MirrorMaker's jars");
  if (reason !== null || existsSync(join(CLASSES, ".complete"))) return reason;
  mkdirSync(CLASSES, { recursive: true });
  await runOk([
    ...["javac", "-nowarn", "-d", CLASSES, "-cp", CLASS_PATH],
    join(SOURCES, "MirrorFacts.java"),
  ]);
  writeFileSync(join(CLASSES, ".complete"), "");
  return null;
}

function program(className: string, ...args: string[]): string[] {
  return java(className, ...args).map((part) => part === join(kafkaLibs, "*") ? CLASS_PATH : part);
}

const START_MS = Date.now();
const records = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => ({
    topic: TOPIC,
    partition: (from + n) % 2,
    key: (from + n) % 3 === 0 ? null : Buffer.from([from & 255, 0, 255]),
    value: Buffer.from(`${from + n}`),
    headers: [["h", Buffer.from([n & 255])], ["h", null]] as const,
    // Old ones would be deleted, by retention.ms.
    timestampMs: START_MS + from + n,
  }));

async function fill(source: string): Promise<void> {
  await withAdmin(
    source,
    (admin) =>
      admin.createTopics([{
        name: TOPIC,
        partitions: 2,
        configs: { "retention.ms": "987654321" },
      }]),
  );
  await produce(source, records(0, 1000));
  await produce(source, records(1000, 1500), "abort");
  await produce(source, records(1500, 2000), "commit");
  await consume(source, GROUP, TOPIC, 2000, true);
}

const mirror = (kind: string, source: string, more: object = {}) => ({
  name: `Mirror${kind}Connector`,
  "connector.class": `org.apache.kafka.connect.mirror.Mirror${kind}Connector`,
  "source.cluster.alias": "primary",
  "target.cluster.alias": "backup",
  "source.cluster.bootstrap.servers": source,
  ...more,
});

const copying = (source: string, target: string) => ({
  ...mirror("Source", source),
  "target.cluster.bootstrap.servers": target,
  topics: TOPIC,
  "source.consumer.isolation.level": "read_committed",
  "replication.factor": "1",
  "offset-syncs.topic.replication.factor": "1",
});

const checkpointing = (source: string) =>
  mirror("Checkpoint", source, {
    topics: TOPIC,
    groups: GROUP,
    "emit.checkpoints.interval.seconds": "1",
    "sync.group.offsets.enabled": "true",
    "sync.group.offsets.interval.seconds": "1",
  });

const COPY = `primary.${TOPIC}`;

async function copied(source: string, target: string, count: number): Promise<void> {
  const sizes = () =>
    contents(target, COPY).then((lines) => lines.flat().length).catch((error: unknown) => error);
  await until(async () => await sizes() === count ? true : null, async () => `${await sizes()}`);
  expectEqual(await contents(target, COPY), await contents(source, TOPIC), "the copy");
}

/** Until the group of the target is at the end of the copy. */
async function followed(target: string, total: number): Promise<void> {
  const at = () =>
    withAdmin(target, async (admin) => {
      const offsets = await admin.groups.listOffsets(GROUP);
      return offsets.reduce((sum, { offset }) => sum + Number(offset), 0);
    });
  await until(async () => await at() === total ? true : null, async () => `group at ${await at()}`);
}

async function bothWays(source: string, target: string): Promise<void> {
  await fill(source);
  const worker = new MirrorWorker(target, [copying(source, target), checkpointing(source)]);
  await worker.up();
  try {
    await copied(source, target, 1500);
    await followed(target, 1500);
  } catch (error) {
    throw new Error(`${error}\n${await worker.down()}`);
  } finally {
    await worker.stop();
  }
}

/** MirrorMaker 2 in Kafka's worker, with the offsets that ours has left. */
async function theirs(source: string, target: string, total: number): Promise<void> {
  const dir = freshDir("mirror-maker");
  const url = `http://127.0.0.1:${await freePort()}`;
  const config = join(dir, "worker.properties");
  const bytes = "org.apache.kafka.connect.converters.ByteArrayConverter";
  const settings = {
    "bootstrap.servers": target,
    "group.id": "mirror-maker",
    listeners: url,
    "key.converter": bytes,
    "value.converter": bytes,
    "config.storage.topic": "mm2-configs",
    "status.storage.topic": "mm2-status",
    "offset.storage.topic": "kstream-connect-offsets",
    "config.storage.replication.factor": "1",
    "offset.storage.replication.factor": "1",
    "status.storage.replication.factor": "1",
    "offset.storage.partitions": "5",
    "offset.flush.interval.ms": "500",
  };
  writeFileSync(config, Object.entries(settings).map(([k, v]) => `${k}=${v}`).join("\n"));
  const command = program("org.apache.kafka.connect.cli.ConnectDistributed", config);
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const said = Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  try {
    const { name, ...rest } = copying(source, target);
    await until(
      async () => {
        const response = await fetch(`${url}/connectors/${name}/config`, {
          method: "PUT",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ ...rest, "header.converter": bytes }),
        });
        return response.ok ? true : null;
      },
      () => "MirrorMaker's worker does not begin",
    );
    await copied(source, target, total);
  } catch (error) {
    child.kill("SIGKILL");
    throw new Error(`${error}\n${(await said).join("\n").slice(-3000)}`);
  } finally {
    child.kill("SIGKILL");
    await child.exited;
    rmSync(dir, { recursive: true, force: true });
  }
}

async function withBrokerOfOurs(body: (bootstrap: string) => Promise<void>): Promise<void> {
  const broker = await MirrorBroker.start();
  try {
    await body(broker.bootstrap);
  } finally {
    await broker.stop();
  }
}

export const mirrors: CompatSuite = {
  name: "mirror",
  needs: [needMirror],
  inSample: false,
  cases: [
    {
      name: "from Apache Kafka to us, and MirrorMaker 2 goes on where we have stopped",
      run: () =>
        withApacheKafka((source) =>
          withBrokerOfOurs(async (target) => {
            await bothWays(source, target);
            await produce(source, records(2000, 2600));
            await theirs(source, target, 2100);
          })
        ),
    },
    {
      name: "from us to Apache Kafka",
      run: () =>
        withApacheKafka((target) => withBrokerOfOurs((source) => bothWays(source, target))),
    },
    {
      name: "Kafka's client of mirrors finds copies, heartbeats and offsets of groups",
      run: () =>
        withBrokerOfOurs((source) =>
          withBrokerOfOurs(async (target) => {
            const beats = mirror("Heartbeat", "127.0.0.1:1", { "source.cluster.alias": "origin" });
            const origin = new MirrorWorker(source, [beats]);
            await origin.up();
            await bothWays(source, target);
            const worker = new MirrorWorker(target, [
              mirror("Heartbeat", source),
              { ...copying(source, target), name: "with-heartbeats" },
            ]);
            await worker.up();
            try {
              await until(
                async () => (await contents(target, "primary.heartbeats")).flat().length || null,
                () => "no heartbeats",
              );
              const facts = await run(program("MirrorFacts", target, "primary", GROUP));
              expectContains(facts.stdout, "heartbeats [heartbeats, primary.heartbeats]", "facts");
              expectContains(facts.stdout, "checkpoints [primary.checkpoints.internal]", "facts");
              expectContains(facts.stdout, "hops 1", "facts");
              expectContains(facts.stdout, "primary.orders", "facts");
              const offsets = `offsets {${COPY}-0=750, ${COPY}-1=750}`;
              expectContains(facts.stdout, offsets, "facts");
            } finally {
              await worker.stop();
              await origin.stop();
            }
          })
        ),
    },
  ],
};
