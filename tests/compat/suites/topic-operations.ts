/** Work on whole topics with our own commands: against Apache Kafka, and between it and us. */
import { join } from "node:path";
import { freshDir, KSTREAM, withBroker } from "../../harness/broker-process.ts";
import { run, runOk } from "../../harness/process.ts";
import { withApacheKafka } from "../apache-broker.ts";
import { needKafka } from "../install.ts";
import { type CompatSuite, expectContains, expectEqual } from "../suite.ts";

const PER_CODEC = 500;
const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];

/** A topic with headers, tombstones, old times and every codec, some of it compacted away. */
async function fill(bootstrap: string, topic: string): Promise<void> {
  const flags = ["-p", "3", "-c", "retention.ms=-1", "-c", "message.timestamp.type=CreateTime"];
  await runOk([KSTREAM, "topic", "create", topic, ...flags, "-b", bootstrap]);
  for (const codec of CODECS) {
    const input = Array.from({ length: PER_CODEC }, (_, i) =>
      JSON.stringify({
        key: `k${i % 50}`,
        value: i % 11 === 0 ? null : `${codec} ${i} ${"x".repeat(i % 300)}`,
        timestamp: 1_700_000_000_000 + i,
        headers: [["h", String(i)], ["h", null]],
      })).join("\n");
    const produce = ["produce", topic, "-f", "json", "-z", codec];
    await runOk([KSTREAM, ...produce, "-b", bootstrap], { input });
  }
}

async function recordsOf(bootstrap: string, topic: string): Promise<string> {
  const read = ["consume", topic, "-e", "-f", "json", "-b", bootstrap];
  const { stdout } = await runOk([KSTREAM, ...read]);
  const lines = stdout.trimEnd().split("\n").map((line) => {
    const { topic: _topic, ...record } = JSON.parse(line);
    return JSON.stringify(record);
  });
  // Partitions come in turns.
  return lines.sort().join("\n");
}

export const topicOperations: CompatSuite = {
  name: "topic-operations",
  needs: [needKafka],
  inSample: false,
  cases: [{
    name: "apply, dump, load and clone work against Apache Kafka 4.3.1",
    run: () =>
      withApacheKafka(async (bootstrap) => {
        const kstream = async (...args: string[]) =>
          (await runOk([KSTREAM, ...args, "-b", bootstrap])).stdout;
        const input = "topics: {applied: {partitions: 3, configs: {retention.ms: 1000, " +
          "cleanup.policy: [compact, delete], min.cleanable.dirty.ratio: 0.50}}}";
        const apply = async (...args: string[]) =>
          (await runOk([KSTREAM, "topic", "apply", "-f", "-", ...args, "-b", bootstrap], { input }))
            .stdout;
        expectContains(await apply("--execute"), "+ create applied", "apply");
        expectContains(await apply("--execute"), "nothing to do: 1 topic as written", "apply");
        const misspelt = "topics: {bad: {configs: {retenton.ms: 1}}}";
        const refused = await run([KSTREAM, "topic", "apply", "-f", "-", "-b", bootstrap], {
          input: misspelt,
        });
        expectContains(refused.stderr, 'did you mean "retention.ms"', "apply with a mistake");

        await fill(bootstrap, "source");
        await kstream("consume", "source", "-g", "readers", "-n", "700");
        const file = join(freshDir("dump"), "source.dump");
        expectContains(
          await kstream("topic", "dump", "source", "-o", file, "--groups"),
          "2,500",
          "",
        );
        await kstream("topic", "load", file, "--as", "loaded", "--groups");
        await kstream("topic", "clone", "source", "cloned");
        const original = await recordsOf(bootstrap, "source");
        expectEqual(await recordsOf(bootstrap, "loaded"), original, "what was loaded");
        expectEqual(await recordsOf(bootstrap, "cloned"), original, "what was cloned");
        const again = await kstream("topic", "clone", "source", "cloned");
        expectContains(again, "2,500 were there", "cloned again");
        const [group] = JSON.parse(await kstream("group", "describe", "readers", "--json"));
        const lags: { topic: string; lag: number }[] = group.topics;
        expectEqual(lags[0]?.lag, lags[1]?.lag, "lag in the copy");

        await withBroker(async (ours) => {
          await kstream("topic", "clone", "source", "moved", "--to-brokers", ours.bootstrap);
          expectEqual(await recordsOf(ours.bootstrap, "moved"), original, "from Kafka to us");
          const back = ["topic", "clone", "moved", "back", "--to-brokers", bootstrap];
          await runOk([KSTREAM, ...back, "-b", ours.bootstrap]);
          expectEqual(await recordsOf(bootstrap, "back"), original, "and back");
        });
      }),
  }, {
    name: "get, doctor, bench and top work against Apache Kafka 4.3.1",
    run: () =>
      withApacheKafka(async (bootstrap) => {
        const kstream = async (...args: string[]) =>
          (await runOk([KSTREAM, ...args, "-b", bootstrap])).stdout;
        await fill(bootstrap, "table");
        const value = await kstream("topic", "get", "table", "k7");
        expectContains(value, "zstd 457 ", "the latest value");
        const history = await kstream("topic", "get", "table", "k7", "--history");
        expectEqual(
          history.trimEnd().split("\n").length,
          PER_CODEC * CODECS.length / 50,
          "history",
        );
        const produced = await kstream("bench", "produce", "table", "-n", "5000", "--json");
        expectEqual(JSON.parse(produced).records, 5000, "bench produce");
        const latency = await kstream("bench", "latency", "table", "-n", "200", "--json");
        expectEqual(JSON.parse(latency).latency.count, 200, "bench latency");
        expectContains(await kstream("bench", "consume", "table"), "records/s", "bench consume");
        await kstream("consume", "table", "-g", "readers", "-n", "100");
        const { healthy, checks } = JSON.parse(await kstream("doctor", "--json", "--watch", "1"));
        expectEqual(healthy, true, "doctor");
        const skipped = checks.filter((each: { skipped: unknown }) => each.skipped !== null);
        expectEqual(JSON.stringify(skipped), "[]", "checks that were not made");
        expectContains(await kstream("top", "--once", "-i", "1"), "readers", "top");
      }),
  }],
};
