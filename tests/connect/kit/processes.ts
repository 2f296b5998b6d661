/** Brokers and workers of the built binary, which die and come back. */
import { join } from "node:path";
import { KSTREAM, startBrokerProcess } from "../../harness/broker-process.ts";
import { startApacheBroker } from "../../compat/apache-broker.ts";
import { runOk } from "../../harness/process.ts";
import { ready } from "../worker-process.ts";
import type { WorkerProcess } from "../worker-process.ts";

const GROUP = "kit";

/** A broker that keeps its port and data through crashes. */
export interface Broker {
  readonly bootstrap: string;
  kill(): Promise<void>;
  restart(): Promise<void>;
  /** For good. */
  end(): Promise<void>;
}

/** Whose broker it is. */
export type BrokerKind = "kstream" | "apache";

const SETTINGS = { "group.min.session.timeout.ms": "2000" };

/** Starts one with these topics, `name:partitions`. */
export function startBroker(
  folder: string,
  topics: readonly string[],
  kind: BrokerKind = "kstream",
): Promise<Broker> {
  return kind === "apache" ? startApache(topics) : startOurs(folder, topics);
}

async function startOurs(folder: string, topics: readonly string[]): Promise<Broker> {
  const dataDir = join(folder, "broker");
  const args = [
    ...Object.entries(SETTINGS).flatMap(([name, value]) => ["--set", `${name}=${value}`]),
    ...topics.flatMap((topic) => ["--topic", topic]),
  ];
  let running = await startBrokerProcess({ dataDir, args });
  const { bootstrap, port } = running;
  const kill = async () => void await running.stop("SIGKILL");
  return {
    bootstrap,
    kill,
    restart: async () => {
      running = await startBrokerProcess({ dataDir, args, port });
    },
    end: kill,
  };
}

async function startApache(topics: readonly string[]): Promise<Broker> {
  const broker = await startApacheBroker(SETTINGS);
  const { bootstrap } = broker;
  for (const topic of topics) {
    const [name = "", partitions = "1"] = topic.split(":");
    await runOk([KSTREAM, "topic", "create", name, "--partitions", partitions, "-b", bootstrap]);
  }
  return {
    bootstrap,
    kill: () => broker.crash(),
    restart: () => broker.restart(),
    end: () => broker.end(),
  };
}

/** Workers of one group; `any` of those that live answers for all. */
export class Workers {
  readonly #alive: WorkerProcess[] = [];
  /** What those have said that are gone. */
  readonly #said: Promise<string>[] = [];

  constructor(readonly bootstrap: string, readonly isExactlyOnce: boolean) {}

  get count(): number {
    return this.#alive.length;
  }

  async add(): Promise<void> {
    const worker = await startBinaryWorker(this.bootstrap, this.isExactlyOnce);
    this.#alive.push(worker);
    await ready(worker);
  }

  /** Ends one of them; `which` counts modulo their number. */
  async end(which: number, signal: NodeJS.Signals): Promise<void> {
    const [worker] = this.#alive.splice(which % this.#alive.length, 1);
    if (worker === undefined) throw new Error("there is no worker to end");
    this.#said.push(worker.said());
    worker.kill(signal);
    await worker.exited;
  }

  /** What the last one said that did not do as it was asked. */
  refusal = "";

  /** Asks one of them; undefined: it does not answer now, or refuses. */
  async ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const [worker] = this.#alive;
    try {
      const answer = await fetch(`${worker?.url}${path}`, {
        method,
        signal: AbortSignal.timeout(10_000),
        ...body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { "content-type": "application/json" } },
      });
      if (answer.ok) return await answer.json();
      this.refusal = await answer.text();
    } catch (error) {
      this.refusal = String(error);
    }
    return undefined;
  }

  /** Ends all of them in good order; what they have logged. */
  async close(): Promise<string> {
    while (this.#alive.length > 0) await this.end(0, "SIGTERM");
    return (await Promise.all(this.#said)).join("── next worker\n");
  }

  kill(): void {
    for (const worker of this.#alive) worker.kill("SIGKILL");
  }
}

async function startBinaryWorker(
  bootstrap: string,
  isExactlyOnce: boolean,
): Promise<WorkerProcess> {
  const child = Bun.spawn([
    ...[KSTREAM, "connect", "worker", "--group", GROUP, "-b", bootstrap, "--rest", "127.0.0.1:0"],
    ...["--session-timeout", "3", "--rebalance-delay", "0", "--allow-exec"],
    ...["--offset-flush-interval", "1"],
    ...isExactlyOnce ? ["--exactly-once"] : [],
  ], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const said = new Response(child.stderr).text();
  const { value } = await child.stdout.getReader().read();
  const url = /https?:\/\/\S+/.exec(new TextDecoder().decode(value))?.[0];
  if (url === undefined) throw new Error(`the worker has not begun: ${await said}`);
  const kill = (signal: NodeJS.Signals) => child.kill(signal);
  return { url, pid: child.pid, exited: child.exited, said: () => said, kill };
}
