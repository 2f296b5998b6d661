/**
 * Other people's clients on a cluster whose brokers die one after the other: each goes on by itself, and
 * sees all that it was acknowledged, `bun tests/cluster/riders.ts [--only WORDS]`.
 */
import { join } from "node:path";
import { Consumer, stringSerde } from "../../client/index.ts";
import { bunIo } from "../../core/io/bun/index.ts";
import {
  ETCD,
  java,
  needEtcd,
  needKafka,
  needNode,
  needPython,
  PYTHON,
} from "../compat/install.ts";
import { linesOf } from "../harness/process.ts";
import { adminOf, createTopic } from "./cluster-topic.ts";
import { networkProblem } from "./network.ts";
import { ClusterScene } from "./scene.ts";

/** A program that produces and consumes. */
interface Rider {
  readonly name: string;
  readonly need: () => Promise<string | null>;
  command(bootstrap: string, topic: string): string[][];
  /** What a line of its output says. */
  read(line: string): Word | null;
}

type Word = { readonly kind: "ack" | "saw"; readonly value: string } | { readonly kind: "end" };

const RIDERS = join(import.meta.dir, "riders");
const KILLS = 3;
const STEADY_MS = 3000;
const POLL_MS = 50;
const PATIENCE_MS = 90_000;

function ownWords(line: string): Word | null {
  const [kind, value = ""] = line.trim().split(" ");
  if (kind === "end") return { kind };
  return kind === "ack" || kind === "saw" ? { kind, value } : null;
}

/** What Kafka's verifiable tools print. */
function javaWords(line: string): Word | null {
  if (!line.startsWith("{")) return null;
  const fields = new Map<string, unknown>(Object.entries(JSON.parse(line)));
  const value = String(fields.get("value"));
  switch (fields.get("name")) {
    case "producer_send_success":
      return { kind: "ack", value };
    case "record_data":
      return { kind: "saw", value };
    case "tool_data":
      return { kind: "end" };
    default:
      return null;
  }
}

const own = (runtime: string, file: string) => () => [[runtime, join(RIDERS, file)]];

const ALL: readonly Rider[] = [
  { name: "kafkajs", need: needNode, command: own("node", "kafkajs.mjs"), read: ownWords },
  {
    name: "@platformatic/kafka",
    need: needNode,
    command: own(process.execPath, "platformatic.mjs"),
    read: ownWords,
  },
  {
    name: "confluent-kafka",
    need: needPython,
    command: own(PYTHON, "confluent.py"),
    read: ownWords,
  },
  {
    name: "Java's verifiable producer and consumer",
    need: needKafka,
    command: (bootstrap, topic) => {
      const common = ["--bootstrap-server", bootstrap, "--topic", topic];
      const pace = ["--acks", "-1", "--throughput", "100"];
      return [
        java("org.apache.kafka.tools.VerifiableProducer", ...common, ...pace),
        java(
          "org.apache.kafka.tools.VerifiableConsumer",
          ...[...common, "--group-id", "java-riders", "--reset-policy", "earliest", "--verbose"],
        ),
      ];
    },
    read: javaWords,
  },
];

/** What a rider has said so far. */
class Ride {
  readonly acknowledged = new Set<string>();
  readonly seen = new Set<string>();
  isOver = false;
  errors = "";
  readonly #children: Bun.Subprocess<"pipe", "pipe", "pipe">[];

  constructor(rider: Rider, scene: ClusterScene, topic: string) {
    const bootstrap = scene.bootstrap.join(",");
    const env = { ...process.env, BOOTSTRAP: bootstrap, TOPIC: topic };
    this.#children = rider.command(bootstrap, topic).map((command) =>
      Bun.spawn(command, { env, stdin: "pipe", stdout: "pipe", stderr: "pipe" })
    );
    for (const child of this.#children) {
      void this.#listen(child.stdout, (line) => this.#hear(rider.read(line)));
      void this.#listen(
        child.stderr,
        (line) => this.errors = `${this.errors}${line}\n`.slice(-4000),
      );
    }
  }

  /** Why one of its programs has ended by itself, or null. */
  get failure(): string | null {
    const ended = this.#children.find(({ exitCode }) => exitCode !== null && exitCode !== 0);
    return ended === undefined ? null : `it ended with ${ended.exitCode}\n${this.errors}`;
  }

  /** No more is produced; what is under way ends in good order. */
  stopProducing(): void {
    const [producer] = this.#children;
    void producer?.stdin.write("stop\n");
    void producer?.stdin.flush();
    // Kafka's tool takes a signal for that.
    if (this.#children.length > 1) producer?.kill("SIGTERM");
  }

  async end(): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    await Promise.all(this.#children.map(({ exited }) => exited));
  }

  #hear(word: Word | null): void {
    if (word === null) return;
    if (word.kind === "end") this.isOver = true;
    else if (word.kind === "ack") this.acknowledged.add(word.value);
    else this.seen.add(word.value);
  }

  async #listen(stream: ReadableStream<Uint8Array>, onLine: (line: string) => void): Promise<void> {
    for await (const line of linesOf(stream)) onLine(line);
  }
}

async function until(what: string, ride: Ride, isTrue: () => boolean): Promise<void> {
  const limit = performance.now() + PATIENCE_MS;
  while (!isTrue()) {
    if (ride.failure !== null) throw new Error(`while waiting for ${what}: ${ride.failure}`);
    if (performance.now() > limit) throw new Error(`not in time: ${what}\n${ride.errors}`);
    await Bun.sleep(POLL_MS);
  }
}

/** Both ways go on: more is acknowledged, and seen. */
async function goesOn(ride: Ride, when: string): Promise<void> {
  const { acknowledged, seen } = ride;
  const [acks, sights] = [acknowledged.size, seen.size];
  await until(`acknowledgements ${when}`, ride, () => acknowledged.size > acks + 20);
  await until(`records ${when}`, ride, () => seen.size > sights + 20);
}

/** Where each value is. */
async function storedValues(
  scene: ClusterScene,
  topic: string,
  partitions: number,
): Promise<Map<string, string>> {
  const admin = adminOf(scene);
  const all = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  const ends = await admin.listOffsets(all.map((each) => ({ ...each, at: "latest" })));
  await admin.close();
  const values = new Map<string, string>();
  const consumer = new Consumer<Uint8Array, string>(bunIo(), {
    brokers: admin.cluster.options.brokers,
    clientId: "proof",
    value: stringSerde,
  });
  for (const { partition, offset: end } of ends) {
    if (end === 0n) continue;
    await consumer.assign([{ topic, partition, offset: 0n }]);
    for await (const { offset, value } of consumer.records()) {
      values.set(value ?? "", `${partition}/${offset}`);
      if (offset + 1n >= end) break;
    }
    consumer.unassign([{ topic, partition }]);
  }
  await consumer.close();
  return values;
}

async function play(scene: ClusterScene, rider: Rider, topic: string): Promise<string> {
  await createTopic(scene, topic, 3);
  const ride = new Ride(rider, scene, topic);
  try {
    await goesOn(ride, "at the beginning");
    for (let kill = 0; kill < KILLS; kill++) {
      const broker = scene.brokers[kill % scene.brokers.length]!;
      await broker.kill();
      await goesOn(ride, `without broker ${broker.nodeId}`);
      await broker.start();
      await goesOn(ride, `with broker ${broker.nodeId} again`);
      await Bun.sleep(STEADY_MS);
    }
    ride.stopProducing();
    await until("the end of producing", ride, () => ride.isOver);
    const missing = () => [...ride.acknowledged].filter((value) => !ride.seen.has(value));
    await until("all records that were acknowledged", ride, () => missing().length === 0)
      .catch(async (error: unknown) => {
        const stored = await storedValues(scene, topic, 3);
        const lost = missing().filter((value) => !stored.has(value));
        throw new Error(
          `${missing().length} records are not seen, ${lost.length} of them are not stored: ` +
            missing().slice(0, 20).map((value) => `${value} at ${stored.get(value)}`).join(),
          { cause: error },
        );
      });
    return `${ride.acknowledged.size} acknowledged and seen through ${KILLS} kills`;
  } finally {
    await ride.end();
  }
}

async function main(): Promise<number> {
  const at = process.argv.indexOf("--only");
  const chosen = ALL.filter(({ name }) => at < 0 || name.includes(process.argv[at + 1] ?? ""));
  const problem = networkProblem() ?? await needEtcd();
  const needs = await Promise.all(chosen.map(({ need }) => need()));
  const missing = problem ?? needs.find((why) => why !== null) ?? null;
  if (missing !== null) {
    console.log(`skip: ${missing}`);
    return process.env["CI"] ? 1 : 0;
  }
  const scene = await ClusterScene.start({ brokers: 3, etcd: ETCD });
  let passed = 0;
  try {
    for (const [index, rider] of chosen.entries()) {
      console.log(`ok    ${rider.name}: ${await play(scene, rider, `riders-${index}`)}`);
      passed++;
    }
  } catch (error) {
    console.log(`FAIL  ${chosen[passed]?.name}: ${error instanceof Error ? error.stack : error}`);
    for (const { nodeId, output } of scene.brokers) {
      console.log(`── broker ${nodeId}\n${output.slice(-3000)}`);
    }
  } finally {
    await scene.close();
  }
  console.log(`${passed} of ${chosen.length} held`);
  return passed === chosen.length ? 0 : 1;
}

process.exit(await main());
