/** What gossip makes of networks and members that are unwell but not gone. */
import { expect, test } from "bun:test";
import type { GossipEvent } from "../../cluster/gossip/member.ts";
import { GossipWorld, type SimMember } from "./gossip-world.ts";
import { FAIR } from "./sim-hosts.ts";

const MEMBERS = 20;

/** How often members have heard of it. */
function count(world: GossipWorld, kind: GossipEvent["kind"]): number {
  return world.members.flatMap(({ heard }) => heard).filter(({ event }) => event.kind === kind)
    .length;
}

/** Whether all these see all these, and nobody else, as alive. */
function agree(members: readonly SimMember[]): boolean {
  const wanted = members.map(({ nodeId }) => nodeId).sort().join();
  return members.every(({ gossip }) =>
    gossip.members().filter(({ state }) => state === "alive").map(({ nodeId }) => nodeId).sort()
      .join() === wanted
  );
}

function cluster(seed: number, timings: "default" | "lan", members = MEMBERS): GossipWorld {
  const world = new GossipWorld(seed, { timings });
  world.startCluster(members);
  world.clock.advance(10_000);
  world.forget();
  expect(agree(world.members)).toBe(true);
  return world;
}

/** A process gets the processor for a moment only, again and again. */
function starve(world: GossipWorld, { host }: SimMember, forMs: number): void {
  const untilMs = world.clock.monotonicMs() + forMs;
  while (world.clock.monotonicMs() < untilMs) {
    host.stop();
    world.clock.advance(world.random.between(300, 1_500));
    host.resume();
    world.clock.advance(world.random.between(5, 50));
  }
}

for (const timings of ["default", "lan"] as const) {
  test(
    `no live member is taken for failed though 30 % of all packets are lost (${timings})`,
    () => {
      const world = cluster(1, timings);
      world.hosts.weather = { ...FAIR, lossPercent: 30 };
      world.clock.advance(180_000);
      expect(count(world, "suspected")).toBeGreaterThan(0);
      expect(count(world, "failed")).toBe(0);
    },
    60_000,
  );
}

test("a member that hardly runs does not have the others taken for failed, nor itself", () => {
  const world = cluster(2, "default");
  const slow = world.members[7]!;
  starve(world, slow, 120_000);
  expect(slow.gossip.counters().pauses).toBeGreaterThan(20);
  expect(count(world, "failed")).toBe(0);
  world.clock.advance(20_000);
  expect(agree(world.members)).toBe(true);
}, 60_000);

test("lost packets and a member that hardly runs, together", () => {
  const world = cluster(3, "default");
  world.hosts.weather = { ...FAIR, lossPercent: 30 };
  starve(world, world.members[7]!, 120_000);
  const wrong = world.members.flatMap(({ heard }) => heard)
    .filter(({ event }) => event.kind === "failed" && event.member.nodeId !== 7);
  expect(wrong).toEqual([]);
}, 60_000);

test("a process that was stopped is gone, and when it runs again accuses nobody", () => {
  const world = cluster(4, "default");
  const zombie = world.members[7]!;
  zombie.host.stop();
  world.clock.advance(30_000);
  expect(count(world, "failed")).toBe(MEMBERS - 1);
  world.forget();
  zombie.host.resume();
  world.clock.advance(20_000);
  expect(count(world, "suspected")).toBe(0);
  expect(agree(world.members)).toBe(true);
});

test("a link that is cut in one direction or both hurts nobody: others ask for them", () => {
  const world = cluster(5, "default");
  const [one, two, three] = world.members.map(({ host }) => host.ip);
  world.hosts.cut(one!, two!);
  world.hosts.cut(two!, three!);
  world.hosts.cut(three!, two!);
  world.clock.advance(180_000);
  expect(count(world, "suspected")).toBe(0);
  expect(agree(world.members)).toBe(true);
});

test("a network without TCP or with packets of pings lost still finds the dead alone", () => {
  const world = cluster(6, "default");
  for (const { host } of world.members) host.listeners.clear();
  world.hosts.weather = { ...FAIR, lossPercent: 10 };
  world.members[9]!.host.cutPower();
  world.clock.advance(60_000);
  const failed = new Set(
    world.members.flatMap(({ heard }) => heard)
      .filter(({ event }) => event.kind === "failed").map(({ event }) => event.member.nodeId),
  );
  expect([...failed]).toEqual([9]);
});

for (const members of [2, 3, 20]) {
  test(`${members} members in two parts see their own, and all of them when the network is whole`, () => {
    const world = cluster(7, "default", members);
    const far = world.members.slice(Math.ceil(members / 3));
    world.hosts.partition(new Map(far.map(({ host }) => [host.ip, 1])));
    world.clock.advance(120_000);
    expect(agree(far)).toBe(true);
    expect(agree(world.members.filter((member) => !far.includes(member)))).toBe(true);
    world.hosts.heal();
    world.clock.advance(40_000);
    expect(agree(world.members)).toBe(true);
  });
}
