/** Everything that can happen, in an order drawn from a seed. */
import { Admin } from "../../../client/index.ts";
import type { SimRandom } from "../../sim/sim-random.ts";
import type { Broker, Workers } from "./processes.ts";
import type { Outage } from "./system.ts";
import { io } from "./topics.ts";

/** One thing that can happen; it is over when `make` resolves. */
export interface Trouble {
  readonly name: string;
  make(): Promise<void>;
}

const PAUSE_MS_MIN = 300;
const PAUSE_MS_MAX = 2500;
/** Long enough that sinks by time write several times. */
const UNCOMMITTED_MS_MIN = 2500;
const UNCOMMITTED_MS_MAX = 4000;
/** How long a group may have members that are dead. */
const PATIENCE_MS = 60_000;

/**
 * All kinds in a random order, again and again, until the time is over; each once at least. Every
 * other time all works again before the next, so that trouble meets what is at work and what is just
 * beginning; `works` resolves then.
 */
export async function makeTrouble(
  kinds: readonly Trouble[],
  random: SimRandom,
  ms: number,
  tell: (what: string) => void,
  works: () => Promise<void>,
): Promise<ReadonlyMap<string, number>> {
  const made = new Map<string, number>();
  const untilMs = performance.now() + ms;
  for (let isFirst = true; isFirst || performance.now() < untilMs; isFirst = false) {
    for (const { name, make } of shuffled(kinds, random)) {
      if (!isFirst && performance.now() > untilMs) break;
      if (random.chance(50)) await works();
      await Bun.sleep(random.between(PAUSE_MS_MIN, PAUSE_MS_MAX));
      tell(name);
      await make();
      tell(`${name}: done`);
      made.set(name, (made.get(name) ?? 0) + 1);
    }
  }
  return made;
}

function shuffled<T>(list: readonly T[], random: SimRandom): T[] {
  return list.map((item) => ({ item, at: random.below(1 << 30) }))
    .sort((a, b) => a.at - b.at).map(({ item }) => item);
}

/** Those of workers and broker. */
export function processTroubles(workers: Workers, broker: Broker, random: SimRandom): Trouble[] {
  return [
    {
      name: "worker killed",
      make: async () => {
        await workers.end(random.below(workers.count), "SIGKILL");
        await workers.add();
      },
    },
    {
      name: "worker joined and left",
      make: async () => {
        await workers.add();
        await pause(random);
        await workers.end(random.below(workers.count), "SIGTERM");
      },
    },
    away("broker killed", { down: () => broker.kill(), up: () => broker.restart() }, random),
  ];
}

/**
 * All workers die and are followed by others, to which their group says where it was a while before: as
 * if no commit had come through in that time. What a sink has written meanwhile, it is sent again.
 */
export function commitsLost(
  workers: Workers,
  bootstrap: string,
  group: string,
  random: SimRandom,
): Trouble {
  return {
    name: "commits lost",
    make: async () => {
      const admin = new Admin(io, { brokers: [bootstrap] });
      try {
        const before = await admin.groups.listOffsets(group);
        await Bun.sleep(random.between(UNCOMMITTED_MS_MIN, UNCOMMITTED_MS_MAX));
        while (workers.count > 0) await workers.end(0, "SIGKILL");
        const deadline = performance.now() + PATIENCE_MS;
        const isSet = () => admin.groups.alterOffsets(group, before).then(() => true, () => false);
        // Not before the group is rid of its members.
        while (!await isSet()) {
          if (performance.now() > deadline) throw new Error(`${group} cannot be set back`);
          await Bun.sleep(100);
        }
      } finally {
        admin.close();
      }
      await workers.add();
    },
  };
}

/** Something goes away and comes back. */
export function away(name: string, outage: Outage, random: SimRandom): Trouble {
  return {
    name,
    make: async () => {
      await outage.down();
      await pause(random);
      await outage.up();
    },
  };
}

function pause(random: SimRandom): Promise<void> {
  return Bun.sleep(random.between(PAUSE_MS_MIN, PAUSE_MS_MAX));
}
