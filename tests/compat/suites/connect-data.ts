/** Kafka Connect's own converters, transforms, predicates and header literals beside ours. */
import { compareConnectData } from "../connect-data/compare.ts";
import { needJavaPrograms } from "../java-programs.ts";
import { type CompatSuite, expectEqual } from "../suite.ts";

async function expectSame(seed: number, count: number): Promise<void> {
  const { cases, refused, explained, differences } = await compareConnectData(seed, count);
  const counts = { cases, refused, explained: Object.fromEntries(explained) };
  console.log(`      ${JSON.stringify(counts)}`);
  expectEqual(differences.slice(0, 5), [], "cases that differ");
}

export const connectData: CompatSuite = {
  name: "connect-data",
  needs: [needJavaPrograms],
  inSample: true,
  cases: [
    {
      name: "3,000 random records, configs and texts are the same to both (seed 1)",
      run: () => expectSame(1, 3000),
    },
    ...[2, 3, 4].map((seed) => ({
      name: `50,000 random records, configs and texts are the same to both (seed ${seed})`,
      inSample: false,
      run: () => expectSame(seed, 50_000),
    })),
  ],
};
