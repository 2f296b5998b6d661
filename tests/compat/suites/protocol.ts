/** Kafka's generated message classes against our codec. */
import { compareWithKafka, needOracle } from "../protocol/oracle.ts";
import { type CompatSuite, expectEqual } from "../suite.ts";

const SEED = 1;
const SAMPLES = 50;

export const protocol: CompatSuite = {
  name: "protocol",
  needs: [needOracle],
  inSample: true,
  cases: [
    {
      name: `random messages of every API, record and version keep their bytes (seed ${SEED})`,
      run: async () => {
        const { failures, ...counts } = await compareWithKafka(SEED, SAMPLES);
        console.log(`      ${JSON.stringify(counts)}`);
        expectEqual(failures.slice(0, 20), [], "messages that differ");
      },
    },
  ],
};
