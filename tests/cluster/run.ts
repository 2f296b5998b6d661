/**
 * Clusters of the built binary with real etcd, on hosts of their own, through faults, while clients
 * work: `bun tests/cluster/run.ts [--only WORDS]`, WORDS out of `act: scenario`. After each scenario
 * checkers of our own and others judge what the clients were told (`acts.ts`).
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ETCD, needEtcd, needFaketime } from "../compat/install.ts";
import { freshDir } from "../harness/broker-process.ts";
import { optionAfter } from "../harness/flags.ts";
import { ACTS } from "./acts.ts";
import { leaderOf } from "./cluster-topic.ts";
import { networkProblem } from "./network.ts";
import { ClusterScene } from "./scene.ts";
import { type Act, type Scenario, type Stage, STEADY_MS, type Work } from "./stage.ts";
import { until } from "./strands.ts";

const OUTPUT_SHOWN = 4000;

async function progress(work: Work, more: number, withinMs: number): Promise<void> {
  const before = [...work.acknowledged];
  const got = () => work.acknowledged.map((count, index) => count - (before[index] ?? 0));
  const what = () => `${more} in each strand acknowledged, it is ${got().join()}`;
  await until(what, withinMs, () => Math.min(...got()) >= more);
}

/** One scenario; gives what it measured. Throws what was wrong. */
async function play(
  scene: ClusterScene,
  act: Act,
  scenario: Scenario,
  topic: string,
): Promise<string> {
  const work = await act.prepare(scene, topic);
  const stage: Stage = {
    scene,
    work,
    topic,
    leader: async (of = topic) => scene.broker(await leaderOf(scene, of)),
    steady: () => progress(work, act.steady, STEADY_MS),
  };
  work.start();
  await stage.steady();
  work.measurePause();
  await scenario.run(stage);
  await stage.steady();
  const pauseMs = Math.round(work.longestPauseMs);
  let history: readonly object[] = [];
  const figures = await work.finish((kept) => history = kept).catch((error: unknown) => {
    const file = join(freshDir("history"), "history.jsonl");
    writeFileSync(file, history.map((each) => JSON.stringify(each)).join("\n"));
    throw new Error(`what clients were told is in ${file}`, { cause: error });
  });
  if (pauseMs > scenario.pauseMaxMs) {
    throw new Error(`nothing was acknowledged for ${pauseMs} ms, more than ${scenario.pauseMaxMs}`);
  }
  return `${figures}, longest pause ${pauseMs} ms`;
}

/** Plays scenarios on one cluster, up to the first that fails; gives how many held. */
async function playAct(act: Act, chosen: readonly Scenario[]): Promise<number> {
  const scene = await ClusterScene.start({ ...act.cluster, etcd: ETCD });
  let held = 0;
  try {
    for (const scenario of chosen) {
      const figures = await play(scene, act, scenario, `proof-${held}`);
      console.log(`ok    ${act.name}: ${scenario.name}: ${figures}`);
      held++;
    }
  } catch (error) {
    console.log(`FAIL  ${act.name}: ${chosen[held]?.name}: ${Bun.inspect(error)}`);
    for (const { nodeId, output } of scene.brokers) {
      console.log(`── broker ${nodeId}\n${output.slice(-OUTPUT_SHOWN)}`);
    }
  } finally {
    await scene.close();
  }
  return held;
}

/** An act in a process of its own: clients of one that failed must not go on in the next. */
async function spawnAct(act: Act, only: string): Promise<boolean> {
  const command = [process.execPath, import.meta.path, "--act", act.name, "--only", only];
  const child = Bun.spawn(command, { stdio: ["ignore", "inherit", "inherit"] });
  return await child.exited === 0;
}

async function main(): Promise<number> {
  const only = optionAfter(process.argv, "--only", "");
  const chosen = ACTS.map((act) => ({
    act,
    scenarios: act.scenarios.filter(({ name }) => `${act.name}: ${name}`.includes(only)),
  })).filter(({ scenarios }) => scenarios.length > 0);
  const hasClocks = chosen.some(({ act }) => act.cluster.hasClocks === true);
  const missing = networkProblem() ?? await needEtcd() ??
    (hasClocks ? await needFaketime() : null);
  if (missing !== null) {
    console.log(`skip: ${missing}`);
    return process.env["CI"] ? 1 : 0;
  }
  const own = chosen.find(({ act }) => act.name === optionAfter(process.argv, "--act", ""));
  if (own !== undefined) {
    const held = await playAct(own.act, own.scenarios);
    console.log(`${held} of ${own.scenarios.length} held`);
    return held === own.scenarios.length ? 0 : 1;
  }
  const failed: string[] = [];
  for (const { act } of chosen) if (!await spawnAct(act, only)) failed.push(act.name);
  if (failed.length > 0) console.log(`failed: ${failed.join(", ")}`);
  else console.log(`${chosen.length} acts held`);
  return failed.length === 0 && chosen.length > 0 ? 0 : 1;
}

process.exit(await main());
