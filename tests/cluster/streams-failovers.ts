/**
 * A Kafka Streams application in Java with exactly_once_v2 (`tests/compat/java/StreamsApp.java`) on three
 * brokers that die one after the other, twenty times in all: at the end the output is exactly what one
 * computes, `bun tests/cluster/streams-failovers.ts [--only PROTOCOL] [--failovers 20]`.
 */
import { rmSync } from "node:fs";
import { Admin } from "../../client/index.ts";
import { parseBroker } from "../../client/brokers.ts";
import { bunIo } from "../../core/io/bun/index.ts";
import { ETCD, needEtcd } from "../compat/install.ts";
import { javaProgram, needJavaPrograms, SOON } from "../compat/java-programs.ts";
import { freshDir } from "../harness/broker-process.ts";
import { ClusterProcess } from "../harness/cluster-process.ts";
import { linesOf, runOk } from "../harness/process.ts";

const PROTOCOLS = ["classic", "streams"] as const;
const BROKERS = 3;
/** More than are read while brokers die; the rest is sent at the end. */
const LINES = 20_000;
const LINES_PER_SECOND = 40;
/** How often the output must have grown before the next thing happens. */
const PROGRESS = 3;
/** Every so many times a broker is stopped in good order. */
const IN_ORDER_EVERY = 4;
const PATIENCE_MS = 120_000;
const END_MS = 300_000;
const POLL_MS = 50;

const SETTINGS = { ...SOON, "default.replication.factor": "3", "min.insync.replicas": "2" };

/** One of the Java programs at work. */
class Program {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #counts = new Map<string, number>();
  #said = "";

  constructor(command: readonly string[]) {
    this.#child = Bun.spawn([...command], { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    void this.#listen(this.#child.stdout);
    void this.#listen(this.#child.stderr);
  }

  /** How many lines began with the word. */
  count(word: string): number {
    return this.#counts.get(word) ?? 0;
  }

  /** The end of what it has said. */
  get said(): string {
    return this.#said;
  }

  /** Waits until it has said the word so many times more. */
  async says(word: string, times: number, when: string, withinMs = PATIENCE_MS): Promise<void> {
    const enough = this.count(word) + times;
    await until(`"${word}" ${when}`, withinMs, () => {
      const { exitCode } = this.#child;
      if (exitCode !== null && exitCode !== 0) throw new Error(`it ended with ${exitCode}`);
      return this.count(word) >= enough;
    });
  }

  /** Sends it a line. */
  tell(): void {
    void this.#child.stdin.write("\n");
    void this.#child.stdin.flush();
  }

  async end(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }

  async #listen(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const line of linesOf(stream)) {
      const word = line.split(" ", 1)[0] ?? "";
      this.#counts.set(word, this.count(word) + 1);
      this.#said = `${this.#said}${line}\n`.slice(-4000);
    }
  }
}

async function until(
  what: string,
  withinMs: number,
  isTrue: () => boolean | Promise<boolean>,
): Promise<void> {
  const limit = performance.now() + withinMs;
  while (!await isTrue()) {
    if (performance.now() > limit) throw new Error(`not within ${withinMs} ms: ${what}`);
    await Bun.sleep(POLL_MS);
  }
}

/** Waits until every partition has all its replicas again. */
async function inSync(bootstrap: string): Promise<void> {
  const brokers = bootstrap.split(",").flatMap((text) => parseBroker(text) ?? []);
  const admin = new Admin(bunIo(), { brokers, clientId: "proof" });
  try {
    await until("all replicas in sync", PATIENCE_MS, async () => {
      const topics = await admin.listTopics({ internal: true });
      return topics.flatMap(({ partitions }) => partitions)
        .every(({ leader, replicas, isr }) => leader >= 0 && isr.length === replicas.length);
    });
  } finally {
    admin.close();
  }
}

/** Brokers die and come back, in turn, while the application works. */
async function failOver(
  cluster: ClusterProcess,
  bootstrap: string,
  app: Program,
  failovers: number,
): Promise<void> {
  for (let failover = 0; failover < failovers; failover++) {
    const nodeId = failover % BROKERS + 1;
    const isInOrder = failover % IN_ORDER_EVERY === IN_ORDER_EVERY - 1;
    await cluster.stopBroker(nodeId, isInOrder ? "SIGTERM" : "SIGKILL");
    await app.says("seen", PROGRESS, `without broker ${nodeId}, failover ${failover + 1}`);
    await cluster.startBroker(nodeId);
    await inSync(bootstrap);
    await app.says("seen", PROGRESS, `with broker ${nodeId} again, failover ${failover + 1}`);
    if (app.count("done") > 0) throw new Error("the application was done before the failovers");
  }
}

/** One protocol of groups, a cluster of its own; gives what is worth telling. */
async function play(protocol: string, failovers: number): Promise<string> {
  const args = Object.entries(SETTINGS).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
  const cluster = await ClusterProcess.start({ brokers: BROKERS, etcd: ETCD, args });
  const scratch = freshDir("streams-failovers");
  const { bootstrap } = cluster;
  const program = (...rest: string[]) => javaProgram("StreamsApp", bootstrap, ...rest);
  const running: Program[] = [];
  const run = (...rest: string[]) => {
    const started = new Program(program(...rest));
    running.push(started);
    return started;
  };
  try {
    const feed = run("feed", `${LINES}`, `${LINES_PER_SECOND}`);
    await feed.says("topics", 1, "in the beginning");
    const app = run("run", `${LINES}`, protocol, scratch);
    await app.says("seen", PROGRESS, "in the beginning");
    const began = performance.now();
    await failOver(cluster, bootstrap, app, failovers);
    const seconds = Math.round((performance.now() - began) / 1000);
    feed.tell();
    await feed.says("done", 1, "at the end of the input");
    await app.says("done", 1, "when all output is there", END_MS);
    await runOk(program("verify", `${LINES}`));
    const restarts = `${app.count("error")} stream threads replaced`;
    return `${LINES} lines exactly once, ${failovers} failovers in ${seconds} s, ${restarts}`;
  } catch (error) {
    const said = running.map((each) => each.said).join("──\n");
    const brokers = cluster.nodeIds.map((id) => cluster.broker(id).output().slice(-2000));
    throw new Error(`${error}\n${said}\n── brokers\n${brokers.join("──\n")}`, { cause: error });
  } finally {
    for (const each of running) await each.end();
    await cluster.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

function optionAfter(flag: string, fallback: string): string {
  const index = process.argv.indexOf(flag);
  return index < 0 ? fallback : process.argv[index + 1] ?? fallback;
}

async function main(): Promise<number> {
  const missing = await needEtcd() ?? await needJavaPrograms();
  if (missing !== null) {
    console.log(`skip: ${missing}`);
    return process.env["CI"] ? 1 : 0;
  }
  const only = optionAfter("--only", "");
  const failovers = Number(optionAfter("--failovers", "20"));
  const chosen = PROTOCOLS.filter((name) => name.includes(only));
  let held = 0;
  for (const protocol of chosen) {
    try {
      console.log(`ok    Kafka Streams, ${protocol} protocol: ${await play(protocol, failovers)}`);
      held++;
    } catch (error) {
      console.log(`FAIL  Kafka Streams, ${protocol} protocol: ${error}`);
    }
  }
  console.log(`${held} of ${chosen.length} held`);
  return held === chosen.length ? 0 : 1;
}

process.exit(await main());
