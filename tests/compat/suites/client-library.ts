/** Our client library against our broker and, with `--control`, against Apache Kafka. */
import { bunClock } from "../../../core/io/bun/clock.ts";
import { bunNetwork } from "../../../core/io/bun/network.ts";
import { bunRandom } from "../../../core/io/bun/random.ts";
import { needKafka } from "../install.ts";
import { consumerCases, PROTOCOLS } from "../library/consumer-cases.ts";
import { type LibraryWorld, QUICK_GROUPS } from "../library/library-case.ts";
import { rebalanceSoak } from "../library/rebalance-soak.ts";
import { shareCases } from "../library/share-cases.ts";
import type { CompatCase, CompatSuite } from "../suite.ts";
import { CONTROL, withTarget } from "../target.ts";

const SOAK_MS = 60_000;
const SHORT_SOAK_MS = 10_000;

function withLibrary(body: (world: LibraryWorld) => Promise<void>): Promise<void> {
  return withTarget(async ({ bootstrap }) => {
    const [host, port] = bootstrap.split(":");
    const io = { clock: bunClock, random: bunRandom, network: bunNetwork };
    await body({ io, brokers: [{ host: host ?? "", port: Number(port) }] });
  }, QUICK_GROUPS);
}

/** One broker for all cases: each has topics and groups of its own. */
const together: CompatCase = {
  name: "consumers and share consumers",
  run: () =>
    withLibrary(async (world) => {
      for (const { name, run } of [...consumerCases, ...shareCases]) {
        await run(world).catch((error: unknown) => {
          throw new Error(`${name}: ${error}`, { cause: error });
        });
      }
    }),
};

function soak(name: string, kinds: readonly string[], forMs: number): CompatCase {
  return {
    name: `soak of rebalances, ${name}, ${forMs / 1000} s`,
    inSample: forMs === SHORT_SOAK_MS,
    run: () =>
      withLibrary(async (world) => {
        const protocols = kinds.map((kind) => PROTOCOLS[kind] ?? {});
        const counts = await rebalanceSoak(world, protocols, forMs);
        console.log(`      ${CONTROL ? "Kafka" : "kstream"}: ${JSON.stringify(counts)}`);
      }),
  };
}

/** See the head of this file. */
export const clientLibrary: CompatSuite = {
  name: "client-library",
  needs: CONTROL ? [needKafka] : [],
  inSample: true,
  control: true,
  cases: [
    together,
    soak("cooperative", ["cooperative-sticky"], SHORT_SOAK_MS),
    soak("consumer protocol", ["consumer"], SHORT_SOAK_MS),
    soak("eager", ["range"], SOAK_MS),
    soak("cooperative", ["cooperative-sticky"], SOAK_MS),
    soak("consumer protocol", ["consumer"], SOAK_MS),
  ],
};
