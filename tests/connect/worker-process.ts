/** A Connect worker of Apache Kafka in a process. */
import { join } from "node:path";
import { freePort } from "../harness/free-ports.ts";
import { javaProgram } from "../compat/java-programs.ts";

/** A worker in a process, whoever has made it. */
export interface WorkerProcess {
  /** Of its REST API, without a slash at the end. */
  readonly url: string;
  readonly pid: number;
  readonly exited: Promise<number>;
  /** What it has said on stderr, once it has ended. */
  said(): Promise<string>;
  kill(signal: NodeJS.Signals): void;
}

export const TOPICS = {
  "config.storage.topic": "connect-configs",
  "offset.storage.topic": "connect-offsets",
  "status.storage.topic": "connect-status",
};

/** Starts it; `ready` says when it can do something. */
export async function startApacheWorker(
  dir: string,
  bootstrap: string,
  group: string,
): Promise<WorkerProcess> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const config = join(dir, "worker.properties");
  const settings = {
    "bootstrap.servers": bootstrap,
    "group.id": group,
    listeners: url,
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.storage.StringConverter",
    ...TOPICS,
    "config.storage.replication.factor": "1",
    "offset.storage.replication.factor": "1",
    "status.storage.replication.factor": "1",
    "offset.storage.partitions": "5",
    "offset.flush.interval.ms": "500",
    "scheduled.rebalance.max.delay.ms": "0",
    "session.timeout.ms": "6000",
    "heartbeat.interval.ms": "1000",
    "consumer.auto.offset.reset": "earliest",
  };
  await Bun.write(config, Object.entries(settings).map(([k, v]) => `${k}=${v}`).join("\n"));
  const command = javaProgram("org.apache.kafka.connect.cli.ConnectDistributed", config);
  return workerProcess(url, command);
}

/** Starts one of ours. */
export async function startOurWorker(
  bootstrap: string,
  group: string,
  ...args: string[]
): Promise<WorkerProcess> {
  const program = join(import.meta.dir, "our-worker.ts");
  const child = Bun.spawn([process.execPath, program, bootstrap, group, ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const said = new Response(child.stderr).text();
  const { value } = await child.stdout.getReader().read();
  const url = new TextDecoder().decode(value).trim();
  if (url === "") throw new Error(`the worker has not begun: ${await said}`);
  const kill = (signal: NodeJS.Signals) => child.kill(signal);
  return { url, pid: child.pid, exited: child.exited, said: () => said, kill };
}

function workerProcess(url: string, command: string[]): WorkerProcess {
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const said = new Response(child.stderr).text();
  const kill = (signal: NodeJS.Signals) => child.kill(signal);
  return { url, pid: child.pid, exited: child.exited, said: () => said, kill };
}

const READY_MS = 120_000;

/** Resolves when it is healthy, or fails with what it said. */
export async function ready(worker: WorkerProcess): Promise<void> {
  const deadline = Date.now() + READY_MS;
  let isGone = false;
  void worker.exited.then(() => isGone = true);
  while (!await fetch(`${worker.url}/health`).then((response) => response.ok, () => false)) {
    if (isGone || Date.now() > deadline) {
      worker.kill("SIGKILL");
      throw new Error(`the worker is not ready: ${(await worker.said()).slice(-3000)}`);
    }
    await Bun.sleep(50);
  }
}
