/**
 * A cluster of the built binary with real etcd, on hosts of its own, through faults, while clients work:
 * `bun tests/cluster/run.ts [--brokers 3] [--only WORDS]`. After each, nothing that was acknowledged may
 * be lost, doubled or out of order, by our own checker and by Porcupine.
 */
import { ETCD, needEtcd } from "../compat/install.ts";
import { createTopic, leaderOf } from "./cluster-topic.ts";
import { linearizabilityProblem, problemsOf } from "./history.ts";
import { networkProblem } from "./network.ts";
import { ClusterScene } from "./scene.ts";
import { type Scenario, SCENARIOS, type Stage } from "./scenarios.ts";
import { Workload } from "./workload.ts";

const PARTITIONS = 6;
/** In each partition. */
const WARM_UP_APPENDS = 30;
const PROGRESS_MS = 60_000;
const POLL_MS = 20;

function optionAfter(args: readonly string[], flag: string, fallback: string): string {
  const index = args.indexOf(flag);
  return index < 0 ? fallback : args[index + 1] ?? fallback;
}

async function progress(workload: Workload, appends: number, withinMs: number): Promise<void> {
  const before = [...workload.acknowledged];
  const got = () => workload.acknowledged.map((count, index) => count - (before[index] ?? 0));
  const until = performance.now() + withinMs;
  while (Math.min(...got()) < appends) {
    if (performance.now() > until) {
      throw new Error(`of ${appends} appends were acknowledged in ${withinMs} ms: ${got().join()}`);
    }
    await Bun.sleep(POLL_MS);
  }
}

/** One scenario; gives what it measured. Throws what was wrong. */
async function play(scene: ClusterScene, scenario: Scenario, topic: string): Promise<string> {
  await createTopic(scene, topic, PARTITIONS);
  const workload = new Workload({
    brokers: scene.bootstrap,
    topic,
    partitions: PARTITIONS,
    appenders: 5,
    readers: 2,
    appendsPerSecond: 100,
  });
  const stage: Stage = {
    scene,
    workload,
    topic,
    leader: async () => scene.broker(await leaderOf(scene, topic)),
    progress: (appends, withinMs) => progress(workload, appends, withinMs),
  };
  workload.start();
  await stage.progress(WARM_UP_APPENDS, PROGRESS_MS);
  workload.measurePause();
  await scenario.run(stage);
  await stage.progress(WARM_UP_APPENDS, PROGRESS_MS);
  const pauseMs = Math.round(workload.longestPauseMs);
  const history = await workload.finish();
  const problems = problemsOf(history);
  if (problems.length > 0) throw new Error(problems.join("\n"));
  const verdict = await linearizabilityProblem(history);
  if (verdict !== null) throw new Error(`Porcupine: ${verdict}`);
  if (pauseMs > scenario.pauseMaxMs) {
    throw new Error(`nothing was acknowledged for ${pauseMs} ms, more than ${scenario.pauseMaxMs}`);
  }
  const unknown = history.filter((each) => each.type === "append" && each.offset === null).length;
  const acknowledged = workload.acknowledged.reduce((sum, count) => sum + count, 0);
  return `${acknowledged} acknowledged, ${unknown} unknown, longest pause ${pauseMs} ms`;
}

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  const brokers = Number(optionAfter(args, "--brokers", "3"));
  const only = optionAfter(args, "--only", "");
  const missing = networkProblem() ?? await needEtcd();
  if (missing !== null) {
    console.log(`skip: ${missing}`);
    return process.env["CI"] ? 1 : 0;
  }
  const scene = await ClusterScene.start({ brokers, etcd: ETCD, etcdMembers: 3 });
  const chosen = SCENARIOS.filter(({ name }) => name.includes(only));
  let passed = 0;
  try {
    for (const [index, scenario] of chosen.entries()) {
      console.log(`ok    ${scenario.name}: ${await play(scene, scenario, `proof-${index}`)}`);
      passed++;
    }
  } catch (error) {
    const { name } = chosen[passed] ?? { name: "" };
    console.log(`FAIL  ${name}: ${error instanceof Error ? error.stack : error}`);
    for (const { nodeId, output } of scene.brokers) {
      console.log(`── broker ${nodeId}\n${output.slice(-4000)}`);
    }
  } finally {
    await scene.close();
  }
  console.log(`${passed} of ${chosen.length} held`);
  return passed === chosen.length ? 0 : 1;
}

process.exit(await main());
