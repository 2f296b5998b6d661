/**
 * Whether a cluster keeps calm: `bun bench/cluster-calm.ts [--minutes 10] [--durability os]
 * [--session MS] [fencing|shutdown]`, three brokers of the built binary and real etcd on this machine.
 *
 * - fencing: producers as fast as they can with acks=all and three replicas, consumers behind. No broker
 *   may be fenced, no leader change, no controller.
 * - shutdown: each broker in turn is stopped in good order under a steady load. No record may fail for the
 *   application, and of those that were due in the meantime 99 of 100 are acknowledged within 250 ms.
 */
import { Admin } from "../client/index.ts";
import { bunIo } from "../core/io/bun/index.ts";
import { ETCD, needEtcd } from "../tests/compat/install.ts";
import { ClusterProcess } from "../tests/harness/cluster-process.ts";
import { linesOf } from "../tests/harness/process.ts";
import type { Flooded, Followed, Paced } from "./cluster-load.ts";
import { cpuSeconds } from "./measure.ts";

const PARTITIONS = 12;
const PRODUCERS = 2;
const TOPIC = "calm";
/** So that ten minutes at full speed fit on the disk. */
const KEPT = { "retention.bytes": "134217728", "segment.bytes": "33554432" };
const SETTINGS = [
  ...["min.insync.replicas=2", "log.retention.check.interval.ms=5000"],
  ...["log.segment.delete.delay.ms=1000"],
];
const LOOK_MS = 1000;
const STEADY_PER_SECOND = 2000;
const STEADY_MS = 5000;
/** How long after its end a stop still counts. */
const AFTER_MS = 2000;
const P99_MS_MAX = 250;
const IN_SYNC_MS = 60_000;
/** What brokers write when one is fenced, by itself or by the controller, or an office changes hands. */
const TROUBLE = [
  "a broker is fenced",
  "a broker is gone",
  "this broker is fenced",
  "this broker is not registered any more",
  "the controller does not hear this broker",
  "the controller is gone",
  "this node is not the controller any more",
];

/** What came of a measurement, and what must not have been. */
interface Outcome {
  readonly figures: object;
  readonly problems: readonly string[];
}

function load(kind: string, cluster: ClusterProcess, number: number) {
  const program = `${import.meta.dir}/cluster-load.ts`;
  const command = [process.execPath, program, kind, cluster.bootstrap, TOPIC, String(number)];
  return Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
}

async function said<T>(child: Bun.Subprocess<"pipe", "pipe", "inherit">): Promise<T> {
  const text = await new Response(child.stdout).text();
  if (await child.exited !== 0) {
    throw new Error(`a client of the load ended with ${child.exitCode}`);
  }
  return JSON.parse(text);
}

/** The leader and its epoch of each partition, and how many partitions lack a replica. */
async function look(admin: Admin): Promise<{ leaders: string; lacking: number }> {
  const topics = await admin.listTopics({ internal: true });
  const partitions = topics.flatMap(({ name, partitions }) =>
    partitions.map((each) => ({ ...each, name }))
  );
  return {
    leaders: partitions.filter(({ name }) => name === TOPIC)
      .map(({ partition, leader, leaderEpoch }) => `${partition}:${leader}@${leaderEpoch}`).join(
        " ",
      ),
    lacking: partitions.filter(({ isr, replicas }) => isr.length < replicas.length).length,
  };
}

function troubles(cluster: ClusterProcess): string[] {
  return cluster.nodeIds.flatMap((id) =>
    cluster.broker(id).output().split("\n").filter((line) =>
      TROUBLE.some((it) => line.includes(it))
    )
      .map((line) => `broker ${id}: ${line}`)
  );
}

async function fencing(cluster: ClusterProcess, admin: Admin, minutes: number): Promise<Outcome> {
  const seconds = minutes * 60;
  const before = await look(admin);
  const earlier = troubles(cluster).length;
  const pids = cluster.nodeIds.map((id) => cluster.broker(id).pid);
  const cpu = () => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const cpuBefore = cpu();
  const producers = Array.from({ length: PRODUCERS }, () => load("flood", cluster, seconds));
  const consumer = load("follow", cluster, seconds);
  const consumed = said<Followed>(consumer);
  const all = Promise.all(producers.map((each) => said<Flooded>(each)));
  let [isOver, looks, lackingLooks] = [false, 0, 0];
  const produced = all.finally(() => isOver = true);
  while (!isOver) {
    const { lacking } = await look(admin);
    looks++;
    if (lacking > 0) lackingLooks++;
    await Promise.race([produced, Bun.sleep(LOOK_MS)]);
  }
  const sums = await produced;
  const sum = (key: keyof Flooded) => sums.reduce((total, each) => total + each[key], 0);
  const { records } = await consumed;
  const figures = {
    minutes,
    recordsPerSecond: Math.round(sum("acknowledged") / seconds),
    failed: sum("failed"),
    consumedPerSecond: Math.round(records / seconds),
    brokersCpuShare: (cpu() - cpuBefore) / seconds,
    looks,
    lackingLooks,
  };
  const problems = troubles(cluster).slice(earlier);
  const { leaders } = await look(admin);
  if (leaders !== before.leaders) problems.push(`leaders: ${before.leaders} became ${leaders}`);
  if (figures.failed > 0) problems.push(`${figures.failed} records failed`);
  return { figures, problems };
}

async function inSync(admin: Admin): Promise<void> {
  const limitMs = performance.now() + IN_SYNC_MS;
  while ((await look(admin)).lacking > 0) {
    if (performance.now() > limitMs) throw new Error("not all replicas are in sync again");
    await Bun.sleep(100);
  }
}

async function shutdown(cluster: ClusterProcess, admin: Admin): Promise<Outcome> {
  const child = load("pace", cluster, STEADY_PER_SECOND);
  const lines = linesOf(child.stdout);
  const stretch = async (): Promise<Paced> => {
    void child.stdin.write("\n");
    void child.stdin.flush();
    const { value } = await lines.next();
    return JSON.parse(value ?? "null");
  };
  const stops: object[] = [];
  const problems: string[] = [];
  await Bun.sleep(STEADY_MS);
  for (const nodeId of [...cluster.nodeIds]) {
    await stretch();
    await Bun.sleep(STEADY_MS);
    const before = await stretch();
    const began = performance.now();
    const exitCode = await cluster.stopBroker(nodeId);
    const stopMs = Math.round(performance.now() - began);
    await Bun.sleep(AFTER_MS);
    const during = await stretch();
    await cluster.startBroker(nodeId);
    await inSync(admin);
    const restart = await stretch();
    const stop = { nodeId, stopMs, before, during, restart };
    console.log(JSON.stringify(stop));
    stops.push(stop);
    if (exitCode !== 0) problems.push(`broker ${nodeId} ended with ${exitCode}`);
    const failed = before.failed + during.failed + restart.failed;
    if (failed > 0) problems.push(`${failed} records failed around the stop of broker ${nodeId}`);
    if (during.p99Ms > P99_MS_MAX) problems.push(`broker ${nodeId}: p99 ${during.p99Ms} ms`);
  }
  void child.stdin.end();
  await child.exited;
  return { figures: { perSecond: STEADY_PER_SECOND, stops }, problems };
}

function optionAfter(flag: string, fallback: string): string {
  const index = process.argv.indexOf(flag);
  return index < 0 ? fallback : process.argv[index + 1] ?? fallback;
}

async function measure(part: "fencing" | "shutdown", args: readonly string[]): Promise<boolean> {
  const cluster = await ClusterProcess.start({ brokers: 3, etcd: ETCD, args });
  const admin = new Admin(bunIo(), { brokers: cluster.bootstrap.split(",") });
  try {
    const topic = { name: TOPIC, partitions: PARTITIONS, replicationFactor: 3, configs: KEPT };
    const [created] = await admin.createTopics([topic]);
    if (created === undefined || created.error !== null) throw created?.error ?? new Error("none");
    await inSync(admin);
    const { figures, problems } = part === "fencing"
      ? await fencing(cluster, admin, Number(optionAfter("--minutes", "10")))
      : await shutdown(cluster, admin);
    console.log(JSON.stringify({ [part]: figures }, null, 1));
    console.log(problems.length === 0 ? `ok    ${part}` : `FAIL  ${part}:\n${problems.join("\n")}`);
    return problems.length === 0;
  } finally {
    admin.close();
    await cluster.close();
  }
}

async function main(): Promise<number> {
  const missing = await needEtcd();
  if (missing !== null) {
    console.log(`skip: ${missing}`);
    return 1;
  }
  const settings = [...SETTINGS];
  const sessionMs = Number(optionAfter("--session", "0"));
  if (sessionMs > 0) {
    settings.push(`broker.session.timeout.ms=${sessionMs}`);
    settings.push(`broker.heartbeat.interval.ms=${Math.floor(sessionMs / 6)}`);
  }
  const durability = optionAfter("--durability", "fsync");
  const args = ["--durability", durability, ...settings.flatMap((each) => ["--set", each])];
  const parts = (["fencing", "shutdown"] as const).filter((part) =>
    process.argv.includes(part) || !process.argv.some((arg) => /^(fencing|shutdown)$/.test(arg))
  );
  let held = true;
  for (const part of parts) held = await measure(part, args) && held;
  return held ? 0 : 1;
}

process.exit(await main());
