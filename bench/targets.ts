/** The two brokers that are compared: the built binary and Apache Kafka on its own jars. */
import { join } from "node:path";
import { freshDir, startBrokerProcess } from "../tests/harness/broker-process.ts";
import { run, runOk } from "../tests/harness/process.ts";
import { ClusterProcess } from "../tests/harness/cluster-process.ts";
import { ETCD, java } from "../tests/compat/install.ts";

/** A broker under measurement. */
export interface Target {
  readonly name: string;
  readonly bootstrap: string;
  readonly pid: number;
  /** Of the other brokers of a cluster. */
  readonly otherPids?: readonly number[];
  /** Where its partitions are. */
  readonly logDir: string;
  stop(): Promise<void>;
}

/** Broker configs beside those that every run has. */
export type Settings = Readonly<Record<string, string>>;

/** Our binary with the given durability. */
export async function startOurs(
  durability: "os" | "fsync",
  settings: Settings = {},
): Promise<Target> {
  const more = Object.entries(settings).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
  const broker = await startBrokerProcess({ args: ["--durability", durability, ...more] });
  return {
    name: `kstream (${durability})`,
    bootstrap: broker.bootstrap,
    pid: broker.pid,
    logDir: broker.dataDir,
    stop: async () => void await broker.stop(),
  };
}

/** Three of ours with an etcd. Replicated topics need two replicas to acknowledge. */
export async function startOurCluster(durability: "os" | "fsync"): Promise<Target> {
  const args = ["--durability", durability, "--set", "min.insync.replicas=2", "--admin", "off"];
  const cluster = await ClusterProcess.start({ brokers: 3, etcd: ETCD, args });
  const [first, ...others] = [1, 2, 3].map((id) => cluster.broker(id));
  if (first === undefined) throw new Error("a cluster has brokers");
  return {
    name: `kstream (${durability}), three brokers`,
    bootstrap: cluster.bootstrap,
    pid: first.pid,
    otherPids: others.map(({ pid }) => pid),
    logDir: first.dataDir,
    stop: () => cluster.close(),
  };
}

/** One of ours as so many shards, with the process that watches over them. */
export async function startOurShards(durability: "os" | "fsync", shards: number): Promise<Target> {
  const args = ["--shards", String(shards), "--print-addr", "json", "--admin", "off"];
  const broker = await startBrokerProcess({ args: [...args, "--durability", durability] });
  const [line] = await broker.outputHas(/^\{"addresses".*"shards".*$/m);
  const pids = [...line.matchAll(/"pid":(\d+)/g)].map(([, pid]) => Number(pid));
  const ports = [...new Set([...line.matchAll(/"port":(\d+)/g)].map(([, port]) => port))];
  return {
    name: `kstream (${durability}), ${shards} shards`,
    bootstrap: ports.map((port) => `127.0.0.1:${port}`).join(","),
    pid: broker.pid,
    otherPids: pids,
    logDir: broker.dataDir,
    stop: async () => void await broker.stop(),
  };
}

/** Three of Kafka's, each broker and voter of the quorum. */
export async function startKafkaCluster(port: number): Promise<Target> {
  const ports = [port, port + 2, port + 4];
  const voters = ports.map((each, index) => `${index + 1}@127.0.0.1:${each + 1}`).join(",");
  const nodes = await Promise.all(ports.map((each, index) =>
    startKafka(each, {
      "node.id": String(index + 1),
      "controller.quorum.voters": voters,
      "min.insync.replicas": "2",
      "offsets.topic.replication.factor": "3",
    })
  ));
  const [first, ...others] = nodes;
  if (first === undefined) throw new Error("a cluster has brokers");
  return {
    ...first,
    name: `${first.name}, three brokers`,
    bootstrap: nodes.map(({ bootstrap }) => bootstrap).join(","),
    otherPids: others.map(({ pid }) => pid),
    stop: async () => void await Promise.all(nodes.map((node) => node.stop())),
  };
}

/** Apache Kafka 4.3.1, one node, G1, 1 GB heap: its own default start script's settings. */
export async function startKafka(port: number, settings: Settings = {}): Promise<Target> {
  const dir = freshDir("kafka-bench");
  const config = join(dir, "server.properties");
  await Bun.write(
    config,
    Object.entries({
      "process.roles": "broker,controller",
      "node.id": 1,
      "controller.quorum.voters": `1@127.0.0.1:${port + 1}`,
      listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${port + 1}`,
      "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}`,
      "controller.listener.names": "CONTROLLER",
      "inter.broker.listener.name": "PLAINTEXT",
      "log.dirs": join(dir, "log"),
      "offsets.topic.replication.factor": 1,
      "offsets.topic.num.partitions": 1,
      "transaction.state.log.replication.factor": 1,
      "transaction.state.log.min.isr": 1,
      "share.coordinator.state.topic.replication.factor": 1,
      "share.coordinator.state.topic.min.isr": 1,
      "group.initial.rebalance.delay.ms": 0,
      "delete.topic.enable": true,
      ...settings,
    }).map(([key, value]) => `${key}=${value}`).join("\n"),
  );
  await runOk(
    java("kafka.tools.StorageTool", "format", "-t", "AAAAAAAAQAqAAAAAAAAAAQ", "-c", config),
  );
  const [program, ...rest] = java("kafka.Kafka", config);
  const flags = rest.filter((flag) => !/^-X(mx|X:\+UseSerialGC|X:Tiered)/.test(flag));
  const child = Bun.spawn([program!, "-Xms1g", "-Xmx1g", "-XX:+UseG1GC", ...flags], {
    stdout: "ignore",
    stderr: "ignore",
  });
  const bootstrap = `127.0.0.1:${port}`;
  for (let attempt = 0; attempt < 120; attempt++) {
    const listed = await run(["kcat", "-b", bootstrap, "-L", "-m", "1"]);
    if (listed.exitCode === 0) break;
    await Bun.sleep(500);
  }
  return {
    name: "Apache Kafka 4.3.1",
    bootstrap,
    pid: child.pid,
    logDir: join(dir, "log"),
    stop: async () => {
      child.kill("SIGTERM");
      await child.exited;
      await runOk(["rm", "-rf", dir]);
    },
  };
}
