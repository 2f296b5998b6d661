/** What happens to a cluster of real processes while clients work, and how long they may stand still. */
import type { ClusterScene, SceneBroker } from "./scene.ts";
import { REQUEST_TIMEOUT_MS, type Workload } from "./workload.ts";

/** The world of a scenario. */
export interface Stage {
  readonly scene: ClusterScene;
  readonly workload: Workload;
  readonly topic: string;
  /** The broker that leads the topic's partition 0 now. */
  leader(): Promise<SceneBroker>;
  /** Waits until so many more appends are acknowledged in each partition, or fails after the time. */
  progress(appends: number, withinMs: number): Promise<void>;
}

/** One thing that happens; at its end all is well again. */
export interface Scenario {
  readonly name: string;
  /** Of the pause in acknowledgements of any partition, in milliseconds. */
  readonly pauseMaxMs: number;
  run(stage: Stage): Promise<void>;
}

/** A session, and what the promise allows beyond it. */
const SESSION_MS = 9000;
const BEYOND_MS = 2000;
/** Of one that others see as before: its clients have to give it up by themselves, too. */
const UNNOTICED_MS = SESSION_MS + BEYOND_MS + REQUEST_TIMEOUT_MS;
const STEADY_APPENDS = 30;
const STEADY_MS = 60_000;

const steady = (stage: Stage) => stage.progress(STEADY_APPENDS, STEADY_MS);

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "kill -9 of a leader",
    pauseMaxMs: 1000,
    async run(stage) {
      const leader = await stage.leader();
      await leader.kill();
      await steady(stage);
      await leader.start();
    },
  },
  {
    name: "a leader that sleeps, and wakes as a zombie",
    pauseMaxMs: UNNOTICED_MS,
    async run(stage) {
      const leader = await stage.leader();
      leader.freeze();
      await steady(stage);
      leader.resume();
    },
  },
  {
    name: "a leader cut off from all brokers and etcd, both ways",
    pauseMaxMs: UNNOTICED_MS,
    run: (stage) =>
      cutOff(stage, async ({ network }, { host }, others) => {
        for (const other of others) {
          await network.set(host, other, { isCut: true });
          await network.set(other, host, { isCut: true });
        }
      }),
  },
  {
    name: "a leader that hears nobody but is heard",
    pauseMaxMs: UNNOTICED_MS,
    run: (stage) =>
      cutOff(stage, async ({ network }, { host }, others) => {
        for (const other of others) await network.set(other, host, { isCut: true });
      }),
  },
  {
    name: "a leader that hears but is not heard",
    pauseMaxMs: UNNOTICED_MS,
    run: (stage) =>
      cutOff(stage, async ({ network }, { host }, others) => {
        for (const other of others) await network.set(host, other, { isCut: true });
      }),
  },
  {
    name: "30 % of all packets lost",
    pauseMaxMs: STEADY_MS,
    run: (stage) => inWeather(stage, { lossPercent: 30 }),
  },
  {
    name: "200 ms of delay everywhere",
    pauseMaxMs: BEYOND_MS,
    run: (stage) => inWeather(stage, { delayMs: 200 }),
  },
  {
    name: "the members of etcd killed one after the other",
    pauseMaxMs: BEYOND_MS,
    async run(stage) {
      for (const member of stage.scene.etcd) {
        await member.kill();
        await steady(stage);
        member.start();
        await steady(stage);
      }
    },
  },
  {
    name: "a rolling restart in good order",
    pauseMaxMs: 2000,
    async run(stage) {
      for (const broker of stage.scene.brokers) {
        await broker.stop();
        await broker.start();
        await steady(stage);
      }
    },
  },
];

async function cutOff(
  stage: Stage,
  cut: (scene: ClusterScene, leader: SceneBroker, others: readonly string[]) => Promise<void>,
): Promise<void> {
  const { scene } = stage;
  const leader = await stage.leader();
  const others = [
    ...scene.brokers.map(({ host }) => host).filter((host) => host !== leader.host),
    ...scene.etcd.map((_, index) => `e${index + 1}`),
  ];
  await cut(scene, leader, others);
  await steady(stage);
  await scene.network.clear();
}

async function inWeather(
  stage: Stage,
  weather: Parameters<ClusterScene["network"]["set"]>[2],
): Promise<void> {
  await stage.scene.network.set("*", "*", weather);
  await steady(stage);
  await stage.scene.network.clear();
}
