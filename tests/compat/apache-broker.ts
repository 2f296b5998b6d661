/** A one-node Apache Kafka as a process that can be killed and started again. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { freshDir, KSTREAM } from "../harness/broker-process.ts";
import { freePort } from "../harness/free-ports.ts";
import { run, runOk } from "../harness/process.ts";
import { java } from "./install.ts";

const START_TIMEOUT_MS = 90_000;
const CLUSTER_ID = "AAAAAAAAQAqAAAAAAAAAAQ";

/** A running Apache Kafka. */
export interface ApacheBroker {
  readonly bootstrap: string;
  /** Kills it with SIGKILL. */
  crash(): Promise<void>;
  /** Starts it again on the same port and directory. */
  restart(): Promise<void>;
  /** Ends it for good and removes its directory. */
  end(): Promise<void>;
}

/**
 * Formats a directory and starts Kafka over it with these broker configs besides the usual. Whoever
 * sets the listeners says which port is a plain one.
 */
export async function startApacheBroker(
  settings: Readonly<Record<string, string>> = {},
  plainPort?: number,
): Promise<ApacheBroker> {
  const [port, controllerPort] = [plainPort ?? await freePort(), await freePort()];
  const dir = freshDir("apache");
  const config = join(dir, "server.properties");
  await Bun.write(
    config,
    Object.entries({
      "process.roles": "broker,controller",
      "node.id": "1",
      "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
      listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
      "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}`,
      "controller.listener.names": "CONTROLLER",
      "inter.broker.listener.name": "PLAINTEXT",
      "log.dirs": join(dir, "log"),
      "offsets.topic.replication.factor": "1",
      "transaction.state.log.replication.factor": "1",
      "transaction.state.log.min.isr": "1",
      "share.coordinator.state.topic.replication.factor": "1",
      "share.coordinator.state.topic.min.isr": "1",
      "group.initial.rebalance.delay.ms": "0",
      ...settings,
    }).map(([key, value]) => `${key}=${value}`).join("\n"),
  );
  await runOk(java("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", config));
  const bootstrap = `127.0.0.1:${port}`;
  let broker = await spawn(config, bootstrap);
  const crash = async () => {
    broker.kill("SIGKILL");
    await broker.exited;
  };
  return {
    bootstrap,
    crash,
    restart: async () => {
      broker = await spawn(config, bootstrap);
    },
    end: async () => {
      await crash();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Starts the process and waits until it answers. */
async function spawn(config: string, bootstrap: string): Promise<Bun.Subprocess> {
  const broker = Bun.spawn(java("kafka.Kafka", config), { stdout: "ignore", stderr: "ignore" });
  const deadline = Date.now() + START_TIMEOUT_MS;
  while ((await run([KSTREAM, "topic", "list", "-b", bootstrap])).exitCode !== 0) {
    if (broker.exitCode !== null || Date.now() > deadline) {
      broker.kill("SIGKILL");
      throw new Error(`Apache Kafka did not start (exit ${broker.exitCode})`);
    }
    await Bun.sleep(200);
  }
  return broker;
}

/** Runs the body against a fresh one-node Apache Kafka with these broker configs besides. */
export async function withApacheKafka(
  body: (bootstrap: string) => Promise<void>,
  settings: Readonly<Record<string, string>> = {},
  plainPort?: number,
): Promise<void> {
  const broker = await startApacheBroker(settings, plainPort);
  try {
    await body(broker.bootstrap);
  } finally {
    await broker.end();
  }
}
