/**
 * Kafka's own Connect worker in distributed mode, with the file source and sink. The broker is its
 * only cluster: it keeps configs, offsets and status in compacted topics there, and its source
 * writes in transactions (exactly.once.source.support).
 */
import { appendFileSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { freshDir, KSTREAM } from "../../harness/broker-process.ts";
import { runOk } from "../../harness/process.ts";
import { freePort } from "../../harness/free-ports.ts";
import { javaProgram, needJavaPrograms } from "../java-programs.ts";
import { type CompatSuite, expectEqual } from "../suite.ts";
import { withTarget } from "../target.ts";

const TIMEOUT_MS = 90_000;
const SETTINGS = {
  "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
  "group.min.session.timeout.ms": "1000",
};

async function eventually(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + TIMEOUT_MS;
  while (!await holds()) {
    if (Date.now() > deadline) throw new Error(`not within ${TIMEOUT_MS} ms: ${what}`);
    await Bun.sleep(100);
  }
}

/** A worker process and its REST interface. */
class Worker {
  readonly #url: string;
  readonly #config: string;
  #process: Bun.Subprocess<"ignore", "ignore", "pipe"> | null = null;
  #errors: Promise<string> = Promise.resolve("");

  constructor(port: number, config: string) {
    this.#url = `http://127.0.0.1:${port}`;
    this.#config = config;
  }

  static async make(dir: string, bootstrap: string): Promise<Worker> {
    const port = await freePort();
    const config = join(dir, "worker.properties");
    await Bun.write(
      config,
      Object.entries({
        "bootstrap.servers": bootstrap,
        "group.id": "connect",
        listeners: `http://127.0.0.1:${port}`,
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.storage.StringConverter",
        "config.storage.topic": "connect-configs",
        "offset.storage.topic": "connect-offsets",
        "status.storage.topic": "connect-status",
        "config.storage.replication.factor": "1",
        "offset.storage.replication.factor": "1",
        "status.storage.replication.factor": "1",
        "offset.storage.partitions": "5",
        "offset.flush.interval.ms": "1000",
        "exactly.once.source.support": "enabled",
        "session.timeout.ms": "3000",
        "heartbeat.interval.ms": "500",
        "consumer.session.timeout.ms": "3000",
        "consumer.heartbeat.interval.ms": "500",
        "consumer.auto.offset.reset": "earliest",
        "consumer.isolation.level": "read_committed",
        "scheduled.rebalance.max.delay.ms": "0",
      }).map(([key, value]) => `${key}=${value}`).join("\n"),
    );
    return new Worker(port, config);
  }

  async start(): Promise<void> {
    const command = javaProgram("org.apache.kafka.connect.cli.ConnectDistributed", this.#config);
    const worker = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    this.#process = worker;
    this.#errors = new Response(worker.stderr).text();
    await eventually("the worker answers", async () => {
      if (worker.exitCode !== null) throw new Error(`the worker ended: ${await this.#errors}`);
      return await fetch(`${this.#url}/connectors`).then((response) => response.ok, () => false);
    });
  }

  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
  }

  /** What it said, once it has ended. */
  async said(): Promise<string> {
    return (await this.#errors).slice(-3000);
  }

  async create(name: string, config: Readonly<Record<string, string>>): Promise<void> {
    const create = () =>
      fetch(`${this.#url}/connectors/${name}/config`, {
        method: "PUT",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(config),
      });
    await eventually(`connector ${name} is made`, async () => (await create()).ok);
    await eventually(`connector ${name} runs`, async () => await this.#runs(name));
  }

  async #runs(name: string): Promise<boolean> {
    const response = await fetch(`${this.#url}/connectors/${name}/status`);
    const text = await response.text();
    if (text.includes(`"FAILED"`)) throw new Error(`connector ${name} failed: ${text}`);
    return response.ok && (text.match(/"RUNNING"/g)?.length ?? 0) >= 2;
  }
}

function connector(kind: "Source" | "Sink", file: string): Record<string, string> {
  return {
    "connector.class": `org.apache.kafka.connect.file.FileStream${kind}Connector`,
    "tasks.max": "1",
    file,
    [kind === "Source" ? "topic" : "topics"]: "lines",
  };
}

/** Lines go through a file, the topic and another file, whoever is killed in between. */
function fileToFile(): Promise<void> {
  return withTarget(async (target) => {
    const dir = freshDir("connect");
    const [input, output] = [join(dir, "in.txt"), join(dir, "out.txt")];
    const worker = await Worker.make(dir, target.bootstrap);
    const all: string[] = [];
    const append = (count: number) => {
      const lines = Array.from({ length: count }, (_, index) => `line ${all.length + index}`);
      all.push(...lines);
      appendFileSync(input, lines.join("\n") + "\n");
    };
    const arrived = () =>
      eventually(`${all.length} lines`, () => {
        const text = existsSync(output) ? readFileSync(output, "utf8") : "";
        return new Set(text.split("\n")).size === all.length + 1;
      });
    try {
      append(1_000);
      await worker.start();
      await worker.create("source", connector("Source", input));
      await worker.create("sink", connector("Sink", output));
      await arrived();
      append(500);
      await worker.kill();
      append(500);
      await worker.start();
      await arrived();
      await target.crash();
      await target.restart();
      append(500);
      await arrived();
      // The sink may repeat lines, the source must not.
      const consume = ["consume", "lines", "-e", "--isolation", "read_committed"];
      const topic = await runOk([KSTREAM, ...consume, "-b", target.bootstrap]);
      expectEqual(topic.stdout.trimEnd().split("\n"), all, "lines in the topic");
    } catch (error) {
      await worker.kill();
      throw new Error(`${error instanceof Error ? error.stack : error}\n${await worker.said()}`);
    } finally {
      await worker.kill();
      rmSync(dir, { recursive: true, force: true });
    }
  }, SETTINGS);
}

export const connect: CompatSuite = {
  name: "connect",
  needs: [needJavaPrograms],
  inSample: false,
  control: true,
  cases: [{
    name: "connect-distributed from file to file, worker and broker killed in between",
    run: fileToFile,
  }],
};
