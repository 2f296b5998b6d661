/** Operators of streams and tables beside those of Kafka Streams, record by record. */
import { compareStreams } from "../../stream/differential/compare.ts";
import { needJavaPrograms } from "../java-programs.ts";
import { type CompatSuite, expectEqual } from "../suite.ts";

async function expectSame(seed: number, count: number, hasAll = false): Promise<void> {
  const compared = await compareStreams(seed, count);
  const { cases, records, refused, reordered, differences, operators } = compared;
  console.log(`      ${JSON.stringify({ cases, records, refused, reordered })}`);
  expectEqual(differences.slice(0, 2), [], "cases that differ");
  const missed = [...operators].filter(([, hits]) => hits === 0).map(([name]) => name);
  if (hasAll) expectEqual(missed, [], "operators that no case has");
}

export const streamOperators: CompatSuite = {
  name: "stream-operators",
  needs: [needJavaPrograms],
  inSample: true,
  cases: [
    {
      name: "100 random topologies write what Kafka Streams writes (seed 1)",
      run: () => expectSame(1, 100),
    },
    {
      name: "3,000 random topologies write what Kafka Streams writes (seed 2)",
      inSample: false,
      run: () => expectSame(2, 3000, true),
    },
  ],
};
