/**
 * How fast news go, and what they cost: with 200 members in the suite `sim-tests`, with as many
 * as KSTREAM_GOSSIP_MEMBERS says in `gossip-scale`.
 */
import { afterAll, expect, test } from "bun:test";
import { GossipWorld, metaOf } from "./gossip-world.ts";

const MEMBERS = Number(process.env["KSTREAM_GOSSIP_MEMBERS"] ?? 200);
const figures: string[] = [];

afterAll(() => console.log(figures.join("\n")));

/** All of `count` have heard, 99 % of them within `mostMs` and all within `allMs`. */
function expectDelays(
  name: string,
  delays: readonly number[],
  count: number,
  mostMs: number,
  allMs: number,
): void {
  const most = delays[Math.ceil(count * 0.99) - 1] ?? Infinity;
  const all = delays.at(-1) ?? Infinity;
  figures.push(`${name}: 99 % of ${count} after ${most.toFixed(0)} ms, all ${all.toFixed(0)} ms`);
  expect(delays.length).toBe(count);
  expect(most).toBeLessThanOrEqual(mostMs);
  expect(all).toBeLessThanOrEqual(allMs);
}

/** Bytes that a member sends per second over the next half minute. */
function bytesPerSecond(world: GossipWorld): number {
  const sent = () =>
    world.members.reduce((sum, { gossip }) => {
      const { packetBytesSent, streamBytesSent } = gossip.counters();
      return sum + packetBytesSent + streamBytesSent;
    }, 0);
  const before = sent();
  world.clock.advance(30_000);
  return (sent() - before) / 30 / world.members.length;
}

for (const timings of ["default", "lan"] as const) {
  test(
    `${MEMBERS} members hear in time of a change, a join, a good-bye and a crash (${timings})`,
    () => {
      const world = new GossipWorld(1, { timings });
      world.startLargeCluster(MEMBERS);
      expect(world.members.every(({ gossip }) => gossip.members().length === MEMBERS)).toBe(true);

      let since = world.clock.monotonicMs();
      const changed = world.members[17]!;
      changed.gossip.updateMeta({ ...metaOf(17), loadPercent: 50 });
      world.clock.advance(6_000);
      const changes = world.delays(since, "updated", 17);
      expectDelays(`change, ${timings}`, changes, MEMBERS - 1, 2_000, 5_000);

      since = world.clock.monotonicMs();
      world.join(world.start(MEMBERS), world.members[3]!);
      world.clock.advance(6_000);
      const joins = world.delays(since, "joined", MEMBERS);
      expectDelays(`join, ${timings}`, joins, MEMBERS, 2_000, 5_000);

      since = world.clock.monotonicMs();
      const [leaving] = world.members.splice(40, 1);
      world.clock.run(leaving!.gossip.leave());
      leaving!.gossip.close();
      world.clock.advance(6_000);
      const leaves = world.delays(since, "left", leaving!.nodeId);
      expectDelays(`good-bye, ${timings}`, leaves, MEMBERS, 2_000, 5_000);

      const allMs = timings === "lan" ? 3_000 : 15_000;
      for (let crash = 0; crash < 5; crash++) {
        const [dead] = world.members.splice(world.random.below(world.members.length), 1);
        since = world.clock.monotonicMs();
        dead!.host.cutPower();
        world.clock.advance(20_000);
        const delays = world.delays(since, "failed", dead!.nodeId);
        expectDelays(`crash, ${timings}`, delays, world.members.length, allMs, allMs);
      }
    },
    600_000,
  );
}

test("what a member sends does not grow with the cluster", () => {
  const rates = [MEMBERS / 10, MEMBERS].map((count) => {
    const world = new GossipWorld(2, { keys: [new Uint8Array(32)] });
    world.startLargeCluster(count);
    world.clock.advance(30_000);
    const rate = bytesPerSecond(world);
    figures.push(`${count} members, sealed, at rest: ${rate.toFixed(0)} bytes/s sent by each`);
    return rate;
  });
  expect(rates[1]!).toBeLessThan(1.3 * rates[0]!);
  expect(rates[1]!).toBeLessThan(500);
}, 600_000);
