/** The entry of the npm package on Bun. */
import { loadNodeCodecs } from "../../core/compression/node.ts";
import { bunNetwork } from "../../core/io/bun/network.ts";
import { systemClock } from "../../core/io/system-clock.ts";
import { systemRandom } from "../../core/io/system-random.ts";
import { usePlatform } from "./platform.ts";

export * from "./exports.ts";

usePlatform({
  io: { clock: systemClock, random: systemRandom, network: bunNetwork },
  codecs: await loadNodeCodecs(),
});
