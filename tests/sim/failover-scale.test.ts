/**
 * How long a large cluster is without its controller, and until everybody knows who leads what the
 * controller led: 20 brokers with 2,000 partitions, or KSTREAM_SCALE_BROKERS and
 * KSTREAM_SCALE_PARTITIONS, as in the suite `failover-scale`.
 */
import { expect, test } from "bun:test";
import { ScaleCluster } from "./scale-cluster.ts";

const BROKERS = Number(process.env["KSTREAM_SCALE_BROKERS"] ?? 20);
const PARTITIONS = Number(process.env["KSTREAM_SCALE_PARTITIONS"] ?? 2000);
const LIMIT_MS = 5000;
const ROUNDS = 3;

test("a controller that is killed is followed in time, and so is what it led", () => {
  const world = new ScaleCluster(BROKERS, PARTITIONS);
  world.time();
  for (let round = 0; round < ROUNDS; round++) {
    world.clock.advance(3000);
    const killed = world.controller();
    if (killed === undefined) throw new Error("there is a controller");
    killed.kill();
    const living = world.nodes.filter(({ runs }) => runs);
    const electedMs = world.until("another controller", 60_000, () => {
      return world.controller() !== undefined;
    });
    const plannedMs = electedMs + world.until("its leaders", 60_000, () => {
      return world.controller()?.isWithout(killed) === true;
    });
    const knownMs = plannedMs + world.until("what all know", 60_000, () => {
      return living.every((node) => node.isWithout(killed));
    });
    console.log(
      `${BROKERS} brokers, ${PARTITIONS} partitions: controller after ${electedMs} ms, leaders ` +
        `elected after ${plannedMs} ms, known to all after ${knownMs} ms`,
    );
    expect(knownMs).toBeLessThan(LIMIT_MS);
  }
}, 1_200_000);
