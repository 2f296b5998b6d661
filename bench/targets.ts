/** The two brokers that are compared: the built binary and Apache Kafka on its own jars. */
import { join } from "node:path";
import { freshDir, startBrokerProcess } from "../tests/harness/broker-process.ts";
import { run, runOk } from "../tests/harness/process.ts";
import { java } from "../tests/compat/install.ts";

/** A broker under measurement. */
export interface Target {
  readonly name: string;
  readonly bootstrap: string;
  readonly pid: number;
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
