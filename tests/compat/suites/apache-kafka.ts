/** Our own commands against Apache Kafka: they must not depend on our broker. */
import { KSTREAM } from "../../harness/broker-process.ts";
import { comeAndGo, killOne, MEMBER_KINDS, QUICK_GROUPS } from "../../harness/group-scene.ts";
import { run, runOk } from "../../harness/process.ts";
import { withApacheKafka } from "../apache-broker.ts";
import { needKafka } from "../install.ts";
import { rangesAndTimes } from "../ranges-and-times.ts";
import { ingestWhileKilled } from "../resumed-ingest.ts";
import { type CompatSuite, expectContains, expectEqual, numberedLines } from "../suite.ts";

export const apacheKafka: CompatSuite = {
  name: "apache-kafka",
  needs: [needKafka],
  inSample: false,
  cases: [{
    name: "topic, produce, consume and group work against Apache Kafka 4.3.1",
    run: () =>
      withApacheKafka(async (bootstrap) => {
        const kstream = (...args: string[]) => runOk([KSTREAM, ...args, "-b", bootstrap]);
        await kstream("topic", "create", "ours", "-p", "3");
        expectContains((await kstream("topic", "list")).stdout, "ours", "list");
        const described = JSON.parse((await kstream("topic", "describe", "ours", "--json")).stdout);
        expectContains(JSON.stringify(described), `"partition":2`, "describe");
        const input = numberedLines("line", 10_000);
        for (const codec of ["none", "gzip", "snappy", "lz4", "zstd"]) {
          await runOk([KSTREAM, "produce", `ours-${codec}`, "-z", codec, "-b", bootstrap], {
            input,
          });
          const read = await kstream("consume", `ours-${codec}`, "-e");
          expectEqual(read.stdout, input, codec);
        }
        const grouped = await kstream("consume", "ours-none", "-g", "readers", "-n", "100");
        expectEqual(grouped.stdout, numberedLines("line", 100), "first hundred by group");
        expectContains((await kstream("group", "list")).stdout, "readers", "group list");
        expectContains((await kstream("group", "describe", "readers")).stdout, "9900", "lag");
        await kstream("group", "seek", "readers", "--to", "start", "--execute");
        const sought = JSON.parse((await kstream("group", "describe", "readers", "--json")).stdout);
        expectEqual(sought[0].lag, 10_000, "lag after seek");
        await kstream("group", "delete", "readers");
        expectContains((await kstream("group", "list", "--type", "share")).stdout, "GROUP", "list");
        expectContains((await kstream("txn", "list")).stdout, "TRANSACTIONAL", "txn list");
        expectEqual((await kstream("txn", "hanging", "--json")).stdout, "[]\n", "txn hanging");
        await kstream("topic", "alter", "ours", "--config", "retention.ms=1000");
        for (
          const [type, name, setting] of [
            ["topic", "ours", "retention.ms=2000"],
            ["broker", "default", "log.cleaner.threads=2"],
            ["group", "readers", "consumer.session.timeout.ms=50000"],
            ["client", "metrics", "interval.ms=1000"],
          ] as const
        ) {
          const [config = "", value = ""] = setting.split("=");
          await kstream("config", "set", type, name, setting);
          expectContains((await kstream("config", "get", type, name, config)).stdout, value, type);
          await kstream("config", "unset", type, name, config);
        }
        await kstream("quota", "set", "--user", "alice", "producer_byte_rate=1000");
        expectContains((await kstream("quota", "list")).stdout, "user alice", "quota list");
        await kstream("quota", "unset", "--user", "alice");
        const acls = await run([KSTREAM, "acl", "list", "-b", bootstrap]);
        expectContains(acls.stderr, "the brokers have no authorizer", "acl list");
        await kstream("topic", "delete", "ours");
      }),
  }, {
    name:
      "produce --resume, killed again and again, loses and doubles nothing in Apache Kafka 4.3.1",
    run: () => withApacheKafka(ingestWhileKilled),
  }, {
    name: "ranges, times, topic trim and formats of batches work against Apache Kafka 4.3.1",
    run: () => withApacheKafka(rangesAndTimes),
  }, {
    name: "members of consume -g come, go and are killed in groups of Apache Kafka 4.3.1",
    run: () =>
      withApacheKafka(async (bootstrap) => {
        for (const [kind, flags] of Object.entries(MEMBER_KINDS)) {
          await comeAndGo(bootstrap, `${kind}-well`, flags);
          await killOne(bootstrap, `${kind}-killed`, flags);
        }
      }, QUICK_GROUPS),
  }],
};
