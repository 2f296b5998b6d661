/** What happens to a cluster of real processes while clients append, and how long they may stand still. */
import type { ClusterScene, SceneBroker } from "./scene.ts";
import { type Scenario, type Stage, STEADY_MS, UNNOTICED_MS } from "./stage.ts";

const BEYOND_MS = 2000;
/** Between two heartbeats of a broker. */
const HEARTBEAT_MS = 2000;
/** How long a controller that is gone keeps its office; the next one gives all others a session. */
const LEASE_MS = 6000;
/** Clients still reach a leader that nobody else does. */
const ALONE_MS = 2000;

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
    name: "a leader that appends what nobody else has, sleeps, and wakes as a zombie",
    pauseMaxMs: UNNOTICED_MS + ALONE_MS,
    async run(stage) {
      const { network } = stage.scene;
      const leader = await stage.leader();
      for (const other of othersThan(stage, [leader])) await cutLink(network, leader.host, other);
      await Bun.sleep(ALONE_MS);
      leader.freeze();
      await network.clear();
      await stage.steady();
      leader.resume();
    },
  },
  {
    name: "a leader cut off from all brokers and etcd, both ways",
    pauseMaxMs: UNNOTICED_MS,
    run: (stage) =>
      cutOff(stage, async ({ network }, { host }, others) => {
        for (const other of others) await cutLink(network, host, other);
      }),
  },
  {
    name: "a leader that hears nobody but is heard",
    // The heartbeat that goes out last is heard, and only then is it silent.
    pauseMaxMs: UNNOTICED_MS + HEARTBEAT_MS,
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
  loss(30),
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

/**
 * What takes many steps, each on several connections, has as much to wait for packets that are sent
 * again, and less of this to bear than what takes one.
 */
export const FAULTS_OF_LONG_WORK: readonly Scenario[] = [
  ...FAULTS.filter(({ name }) => !name.includes("packets lost")),
  loss(10),
].map((each) => ({ ...each, pauseMaxMs: STEADY_MS }));

function loss(lossPercent: number): Scenario {
  return {
    name: `${lossPercent} % of all packets lost`,
    pauseMaxMs: STEADY_MS,
    run: (stage) => inWeather(stage, { lossPercent }),
  };
}

async function cutOff(
  stage: Stage,
  cut: (scene: ClusterScene, leader: SceneBroker, others: readonly string[]) => Promise<void>,
): Promise<void> {
  const { scene } = stage;
  const leader = await stage.leader();
  await cut(scene, leader, othersThan(stage, [leader]));
  await stage.steady();
  await scene.network.clear();
}

/** All hosts of brokers and etcd but those. */
function othersThan({ scene }: Stage, brokers: readonly SceneBroker[]): string[] {
  return [
    ...scene.brokers.map(({ host }) => host),
    ...scene.etcd.map((_, index) => `e${index + 1}`),
  ]
    .filter((host) => !brokers.some((each) => each.host === host));
}

/** Both ways. */
async function cutLink(network: ClusterScene["network"], one: string, other: string) {
  await network.set(one, other, { isCut: true });
  await network.set(other, one, { isCut: true });
}

/** The leader and another broker. */
async function two(stage: Stage): Promise<[SceneBroker, SceneBroker]> {
  const leader = await stage.leader();
  const { brokers } = stage.scene;
  return [leader, brokers[(brokers.indexOf(leader) + 1) % brokers.length]!];
}

/** What five brokers bear: two at once, with five replicas of which three acknowledge. */
export const TWO_OF_FIVE: readonly Scenario[] = [
  {
    name: "kill -9 of a leader and of another one",
    pauseMaxMs: BEYOND_MS,
    async run(stage) {
      const both = await two(stage);
      await Promise.all(both.map((broker) => broker.kill()));
      await stage.steady();
      await Promise.all(both.map((broker) => broker.start()));
    },
  },
  {
    name: "a leader that sleeps, while another one is killed",
    pauseMaxMs: UNNOTICED_MS + LEASE_MS,
    async run(stage) {
      const [sleeper, killed] = await two(stage);
      sleeper.freeze();
      await killed.kill();
      await stage.steady();
      sleeper.resume();
      await killed.start();
    },
  },
  {
    name: "two cut off from the other three and etcd",
    pauseMaxMs: UNNOTICED_MS + LEASE_MS,
    async run(stage) {
      const both = await two(stage);
      for (const other of othersThan(stage, both)) {
        for (const { host } of both) await cutLink(stage.scene.network, host, other);
      }
      await stage.steady();
      await stage.scene.network.clear();
    },
  },
  {
    name: "each killed in turn, the next one before the one before is back in sync",
    pauseMaxMs: UNNOTICED_MS + LEASE_MS,
    async run(stage) {
      for (const broker of stage.scene.brokers) {
        await broker.kill();
        await broker.start();
      }
      await stage.steady();
    },
  },
];

/** Less than the hour by which a record may be ahead of a broker (`message.timestamp.after.max.ms`). */
const CLOCK_OFF_S = 3000;

/** Clocks that are set: the wall clock alone, as on a machine; the monotonic one goes on. */
export const CLOCKS: readonly Scenario[] = [
  {
    name: "the clock of a leader set fifty minutes ahead, then as much back",
    pauseMaxMs: STEADY_MS,
    async run(stage) {
      const leader = await stage.leader();
      for (const offsetS of [CLOCK_OFF_S, -CLOCK_OFF_S, 0]) {
        leader.setClock(offsetS);
        await stage.steady();
      }
    },
  },
  {
    name: "clocks far apart while a leader is killed",
    pauseMaxMs: STEADY_MS,
    async run(stage) {
      for (const [index, broker] of stage.scene.brokers.entries()) {
        broker.setClock((index - 1) * CLOCK_OFF_S);
      }
      const leader = await stage.leader();
      await leader.kill();
      await stage.steady();
      await leader.start();
      await stage.steady();
      for (const broker of stage.scene.brokers) broker.setClock(0);
    },
  },
];

async function inWeather(
  stage: Stage,
  weather: Parameters<ClusterScene["network"]["set"]>[2],
): Promise<void> {
  await stage.scene.network.set("*", "*", weather);
  await stage.steady();
  await stage.scene.network.clear();
}
