/** Draws episodes from seeds. The same seed, area and pair of brokers give the same steps. */
import type { Connection } from "../../../core/connection.ts";
import type { Api } from "../../../core/protocol/schema.ts";
import { SimRandom } from "../../sim/sim-random.ts";
import type { Area, Draw, Step } from "./step.ts";

type Served = Connection["served"];

/** An episode with what undoes it. */
export interface Steps {
  readonly steps: readonly Step[];
  readonly cleanUp: readonly Step[];
}

/** Whether a broker serves what the area is about. */
export function servesArea(area: Area, served: Served): boolean {
  return area.needs.every((api) => served.has(api.key));
}

/** An episode of `count` steps or a few more. What one of the brokers does not serve is left out. */
export function drawEpisode(area: Area, seed: number, count: number, served: Served[]): Steps {
  const draw = drawFrom(new SimRandom(seed), served);
  const steps = area.setUp(draw);
  const end = steps.length + count;
  while (steps.length < end) steps.push(...area.next(draw));
  const isServed = ({ api }: Step) => served.every((each) => each.has(api.key));
  return { steps: steps.filter(isServed), cleanUp: (area.cleanUp?.(draw) ?? []).filter(isServed) };
}

function drawFrom(random: SimRandom, served: Served[]): Draw {
  const range = (api: Api) => {
    const common = { min: api.minVersion, max: api.maxVersion };
    for (const each of served) {
      const its = each.get(api.key);
      common.min = Math.max(common.min, its?.min ?? common.min);
      common.max = Math.min(common.max, its?.max ?? common.max);
    }
    return common;
  };
  return {
    random,
    version: (api, least = 0, most = 99) => {
      const { min, max } = range(api);
      const [low, high] = [Math.max(min, least), Math.min(max, most)];
      const last = random.chance(50);
      const version = random.between(low, high);
      return last ? high : version;
    },
    lastVersion: (api, most = 99) => Math.min(range(api).max, most),
  };
}
