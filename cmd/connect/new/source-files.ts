/** A source to begin with. */

/** By name of the file. */
export function sourceFiles(name: string): Readonly<Record<string, string>> {
  return {
    [`${name}.ts`]: `import { defineSource, int, string } from "kstream/connect";

/** What is read of. A source of many files or tables has one of these for each. */
const PARTITION = { counter: "only" };

export default defineSource({
  name: "${name}",
  doc: "Counts, a record for each number.",
  version: "0.1.0",
  // What is behind an offset is the same each time, so it can be read exactly once.
  delivery: "exactly-once",
  config: {
    topic: string().doc("The topic that records go to."),
    "interval.ms": int({ min: 0 }).default(1000).doc("Pause between two records."),
  },
  async *read({ config, clock, offsets, signal, log }) {
    // Where the records end that are safe in the topic; null: it has never run.
    const last = await offsets.get(PARTITION);
    const from = Number(last?.["n"] ?? 0);
    log.info("counting", { from });
    // Whatever waits in here has to come back when the signal aborts.
    for (let n = from; !signal.aborted; n++) {
      yield [{
        topic: config.topic,
        key: "counter",
        value: { n },
        sourcePartition: PARTITION,
        // Where to go on behind this record.
        sourceOffset: { n: n + 1 },
      }];
      await clock.sleep(config["interval.ms"], signal);
    }
  },
});
`,
    [`${name}.yaml`]: `name: ${name}
connector: ${name}
topic: ${name}
interval.ms: 100
`,
    [`${name}.test.ts`]: `import assert from "node:assert/strict";
import { test } from "node:test";
import { runSource, VirtualClock } from "kstream/connect/testing";
import source from "./${name}.ts";

test("it goes on where it was", async () => {
  // Time that never waits.
  const clock = new VirtualClock();
  const config = { topic: "numbers" };
  const first = await runSource(source, config, { until: 3, clock });
  assert.deepEqual(first.values(), [{ n: 0 }, { n: 1 }, { n: 2 }]);
  const { offsets } = first;
  const second = await runSource(source, config, { until: 1, clock, offsets });
  assert.deepEqual(second.values(), [{ n: 3 }]);
});
`,
  };
}
