/** What happens to a cluster of real processes while clients append, and how long they may stand still. */
import type { ClusterScene, SceneBroker } from "./scene.ts";
import { type Scenario, type Stage, STEADY_MS, UNNOTICED_MS } from "./stage.ts";

const BEYOND_MS = 2000;

export const FAULTS: readonly Scenario[] = [
  {
    name: "kill -9 of a leader",
    pauseMaxMs: 1000,
    async run(stage) {
      const leader = await stage.leader();
      await leader.kill();
      await stage.steady();
      await leader.start();
    },
  },
  {
    name: "a leader that sleeps, and wakes as a zombie",
    pauseMaxMs: UNNOTICED_MS,
    async run(stage) {
      const leader = await stage.leader();
      leader.freeze();
      await stage.steady();
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
        await stage.steady();
        member.start();
        await stage.steady();
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
        await stage.steady();
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
  await stage.steady();
  await scene.network.clear();
}

async function inWeather(
  stage: Stage,
  weather: Parameters<ClusterScene["network"]["set"]>[2],
): Promise<void> {
  await stage.scene.network.set("*", "*", weather);
  await stage.steady();
  await stage.scene.network.clear();
}
