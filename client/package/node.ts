/** The entry of the npm package on Node and Deno. */
import { loadNodeCodecs } from "../../core/compression/node.ts";
import { offerNativeCrc32c } from "../../core/crc32c.ts";
import { nodeNetwork } from "../../core/io/node/network.ts";
import { optional } from "../../core/io/node/optional.ts";
import { systemClock } from "../../core/io/system-clock.ts";
import { systemRandom } from "../../core/io/system-random.ts";
import { usePlatform } from "./platform.ts";

export * from "./exports.ts";

offerNativeCrc32c(() => optional<typeof import("@node-rs/crc32")>("@node-rs/crc32")?.crc32c);

usePlatform({
  io: { clock: systemClock, random: systemRandom, network: nodeNetwork },
  codecs: await loadNodeCodecs(),
});
