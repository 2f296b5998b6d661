/** Apache Kafka's own command-line tools, and its log dumper on our data directory. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Producer } from "../../../client/producer.ts";
import { clientIo } from "../../../cmd/client.ts";
import { freshDir, startBrokerProcess, withBroker } from "../../harness/broker-process.ts";
import { run, runOk, type RunOptions } from "../../harness/process.ts";
import { java, needKafka } from "../install.ts";
import { type CompatSuite, expectContains, expectEqual, numberedLines } from "../suite.ts";

const CLASSES = {
  topics: "org.apache.kafka.tools.TopicCommand",
  "console-producer": "org.apache.kafka.tools.ConsoleProducer",
  "console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
  "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
  configs: "kafka.admin.ConfigCommand",
  "get-offsets": "org.apache.kafka.tools.GetOffsetShell",
  "delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
  "log-dirs": "org.apache.kafka.tools.LogDirsCommand",
  "broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
  "producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
  "consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
  "verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
  "verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
  transactions: "org.apache.kafka.tools.TransactionsCommand",
  "dump-log": "org.apache.kafka.tools.DumpLogSegments",
} as const;

function tool(name: keyof typeof CLASSES, args: string[], options: RunOptions = {}) {
  return runOk(java(CLASSES[name], ...args), { timeoutMs: 120_000, ...options });
}

async function produceLines(bootstrap: string, topic: string, input: string, ...args: string[]) {
  await tool("console-producer", ["--bootstrap-server", bootstrap, "--topic", topic, ...args], {
    input,
  });
}

/** As a producer that is gone for good in the middle of a transaction. */
async function leaveTransactionOpen(bootstrap: string, topic: string): Promise<void> {
  const [host, port] = bootstrap.split(":");
  const brokers = [{ host: host!, port: Number(port) }];
  const producer = new Producer(clientIo, { brokers, transactionalId: "hanging", lingerMs: 0 });
  await producer.transactions.init();
  producer.transactions.begin();
  await producer.send({ topic, partition: 0, value: new Uint8Array(10) });
  producer.abort(new Error("gone"));
}

function files(dir: string, suffix: string): string[] {
  return readdirSync(dir).filter((name) => name.endsWith(suffix)).map((name) => join(dir, name));
}

export const javaTools: CompatSuite = {
  name: "java-tools",
  needs: [needKafka],
  inSample: false,
  cases: [
    {
      name: "topics: create, list, describe, alter, delete",
      run: () =>
        withBroker(async ({ bootstrap }) => {
          const topics = (...args: string[]) =>
            tool("topics", ["--bootstrap-server", bootstrap, ...args]);
          await topics(
            "--create",
            "--topic",
            "t1",
            "--partitions",
            "3",
            "--config",
            "retention.ms=1000",
          );
          expectEqual((await topics("--list")).stdout.trim(), "t1", "list");
          const described = (await topics("--describe", "--topic", "t1")).stdout;
          expectContains(described, "PartitionCount: 3", "describe");
          expectContains(described, "retention.ms=1000", "describe");
          await topics("--alter", "--topic", "t1", "--partitions", "5");
          expectContains((await topics("--describe")).stdout, "PartitionCount: 5", "altered");
          await topics("--delete", "--topic", "t1");
          expectEqual((await topics("--list")).stdout.trim(), "", "list after delete");
          const missing = await run(
            java(CLASSES.topics, "--bootstrap-server", bootstrap, "--describe", "--topic", "no"),
          );
          expectContains(missing.stdout + missing.stderr, "does not exist", "missing topic");
        }),
    },
    {
      name: "configs: describe and alter topics and brokers",
      run: () =>
        withBroker(async ({ bootstrap }) => {
          const configs = (...args: string[]) =>
            tool("configs", ["--bootstrap-server", bootstrap, ...args]);
          const entity = ["--entity-type", "topics", "--entity-name", "t1"];
          await configs("--alter", ...entity, "--add-config", "segment.bytes=2097152");
          const described = (await configs("--describe", ...entity)).stdout;
          expectContains(described, "segment.bytes=2097152", "topic config");
          await configs("--alter", ...entity, "--delete-config", "segment.bytes");
          const all = (await configs("--describe", "--all", ...entity)).stdout;
          expectContains(all, "segment.bytes=1073741824", "default again");
          const broker = ["--entity-type", "brokers", "--entity-name", "1", "--all"];
          expectContains(
            (await configs("--describe", ...broker)).stdout,
            "log.retention.hours=168",
            "broker config",
          );
        }, { args: ["--topic", "t1"] }),
    },
    {
      name: "console producer and consumer with keys and headers; get-offsets; delete-records",
      run: () =>
        withBroker(async ({ bootstrap }) => {
          await produceLines(
            bootstrap,
            "c1",
            "h:1|a=x\nh:2|b=y\nh:3|c=z\n",
            "--property",
            "parse.headers=true",
            "--property",
            "headers.delimiter=|",
            "--property",
            "parse.key=true",
            "--property",
            "key.separator==",
          );
          const { stdout } = await tool("console-consumer", [
            "--bootstrap-server",
            bootstrap,
            "--topic",
            "c1",
            "--from-beginning",
            "--max-messages",
            "3",
            "--formatter-property",
            "print.key=true",
            "--formatter-property",
            "print.headers=true",
          ]);
          expectEqual(stdout, "h:1\ta\tx\nh:2\tb\ty\nh:3\tc\tz\n", "records");
          const offsets = await tool("get-offsets", ["--bootstrap-server", bootstrap]);
          expectContains(offsets.stdout, "c1:0:3", "offsets");
          const scratch = join(freshDir("delete"), "offsets.json");
          const partitions = [{ topic: "c1", partition: 0, offset: 2 }];
          await Bun.write(scratch, JSON.stringify({ partitions, version: 1 }));
          const deleted = await tool("delete-records", [
            "--bootstrap-server",
            bootstrap,
            "--offset-json-file",
            scratch,
          ]);
          expectContains(deleted.stdout, "low_watermark: 2", "delete-records");
          await tool("log-dirs", ["--bootstrap-server", bootstrap, "--describe"]);
          const versions = await tool("broker-api-versions", ["--bootstrap-server", bootstrap]);
          expectContains(versions.stdout, "Produce(0): 0 to 13", "api versions");
        }),
    },
    {
      name: "consumer-groups: list, describe, reset offsets, delete",
      run: () =>
        withBroker(async ({ bootstrap }) => {
          await produceLines(bootstrap, "g1", numberedLines("m", 20));
          await tool("console-consumer", [
            "--bootstrap-server",
            bootstrap,
            "--topic",
            "g1",
            "--group",
            "readers",
            "--from-beginning",
            "--max-messages",
            "20",
          ]);
          const groups = (...args: string[]) =>
            tool("consumer-groups", ["--bootstrap-server", bootstrap, ...args]);
          expectContains((await groups("--list")).stdout, "readers", "list");
          const described = await groups("--describe", "--group", "readers");
          expectContains(described.stdout, /readers\s+g1\s+0\s+20\s+20\s+0/, "describe");
          const reset = ["--reset-offsets", "--group", "readers", "--topic", "g1"];
          await groups(...reset, "--to-offset", "5", "--execute");
          const lagging = await groups("--describe", "--group", "readers");
          expectContains(lagging.stdout, /readers\s+g1\s+0\s+5\s+20\s+15/, "after the reset");
          expectContains(
            (await groups("--describe", "--group", "readers", "--state")).stdout,
            "Empty",
            "state",
          );
          await groups("--delete", "--group", "readers");
          expectEqual((await groups("--list")).stdout.trim(), "", "list after delete");
        }),
    },
    {
      name: "producer-perf-test and consumer-perf-test, every codec",
      run: () =>
        withBroker(async ({ bootstrap }) => {
          for (const codec of ["none", "gzip", "snappy", "lz4", "zstd"]) {
            await tool("producer-perf-test", [
              "--topic",
              "perf",
              "--num-records",
              "50000",
              "--record-size",
              "100",
              "--throughput",
              "-1",
              "--producer-props",
              `bootstrap.servers=${bootstrap}`,
              "acks=all",
              `compression.type=${codec}`,
            ]);
          }
          const { stdout } = await tool("consumer-perf-test", [
            "--bootstrap-server",
            bootstrap,
            "--topic",
            "perf",
            "--messages",
            "250000",
            "--timeout",
            "30000",
          ]);
          expectContains(stdout, /, 25\d{4},/, "all records read");
        }, { args: ["--topic", "perf:4"] }),
    },
    {
      name: "verifiable producer and consumer agree",
      run: () =>
        withBroker(async ({ bootstrap }) => {
          const produced = await tool("verifiable-producer", [
            "--bootstrap-server",
            bootstrap,
            "--topic",
            "v1",
            "--max-messages",
            "5000",
            "--acks",
            "-1",
          ]);
          expectContains(produced.stdout, `"acked":5000`, "acknowledged");
          const consumed = await tool("verifiable-consumer", [
            "--bootstrap-server",
            bootstrap,
            "--topic",
            "v1",
            "--group-id",
            "v",
            "--reset-policy",
            "earliest",
            "--max-messages",
            "5000",
          ]);
          expectContains(consumed.stdout, "offsets_committed", "committed");
          const counts = [
            ...consumed.stdout.matchAll(/"name":"records_consumed".*?"count":(\d+)/g),
          ];
          const alternative = [
            ...consumed.stdout.matchAll(/"count":(\d+)[^\n]*"name":"records_consumed"/g),
          ];
          const total = [...counts, ...alternative].reduce((sum, m) => sum + Number(m[1]), 0);
          expectEqual(total, 5000, "consumed");
        }),
    },
    {
      name: "transactions: list, describe, find and abort one that hangs; its index in dump-log",
      run: async () => {
        const dataDir = freshDir("transactions");
        const broker = await startBrokerProcess({ dataDir });
        const { bootstrap } = broker;
        const transactions = (...args: string[]) =>
          tool("transactions", ["--bootstrap-server", bootstrap, ...args]);
        const perf = ["--topic", "t1", "--num-records", "2000", "--record-size", "50"];
        await tool("producer-perf-test", [
          ...perf,
          ...["--throughput", "-1", "--bootstrap-server", bootstrap],
          ...["--transactional-id", "perf", "--transaction-duration-ms", "50"],
        ]);
        expectContains((await transactions("list")).stdout, /perf\s+1\s+\d+\s+Complete/, "list");
        const described = await transactions("describe", "--transactional-id", "perf");
        expectContains(described.stdout, "CompleteCommit", "describe");
        await leaveTransactionOpen(bootstrap, "t1");
        const open = ["--topic", "t1", "--partition", "0"];
        const starts = async () => {
          const { stdout } = await transactions("describe-producers", ...open);
          // The last column is the start of the open transaction, or None.
          return stdout.split("\n").map((line) => line.trim().split(/\s+/).at(-1) ?? "")
            .filter((start) => /^\d+$/.test(start));
        };
        const [start] = await starts();
        if (start === undefined) throw new Error("no transaction is open");
        await transactions("abort", ...open, "--start-offset", start);
        expectEqual((await starts()).length, 0, "open transactions");
        expectEqual(await broker.stop(), 0, "clean stop");
        const index = files(join(dataDir, "t1-0"), ".txnindex");
        const dumped = await tool("dump-log", ["--files", index.join(",")]);
        expectContains(dumped.stdout, /firstOffset: \d+ lastOffset: \d+/, "the index");
      },
    },
    {
      name: "dump-log reads our segments, indexes, snapshots and committed offsets",
      run: async () => {
        const dataDir = freshDir("dump");
        const broker = await startBrokerProcess({ dataDir });
        await produceLines(broker.bootstrap, "d1", numberedLines("dump me", 2000));
        await tool("console-consumer", [
          "--bootstrap-server",
          broker.bootstrap,
          "--topic",
          "d1",
          "--group",
          "dumped",
          "--from-beginning",
          "--max-messages",
          "2000",
        ]);
        expectEqual(await broker.stop(), 0, "clean stop");
        const log = join(dataDir, "d1-0");
        const dumped = await tool("dump-log", [
          "--files",
          files(log, ".log").join(","),
          "--print-data-log",
          "--deep-iteration",
        ]);
        expectContains(dumped.stdout, "payload: dump me 1999", "records");
        for (const suffix of [".index", ".timeindex"]) {
          const index = await tool("dump-log", [
            "--files",
            files(log, suffix).join(","),
            "--verify-index-only",
          ]);
          if (/Mismatch|corrupt|out of order/i.test(index.stdout + index.stderr)) {
            throw new Error(`${suffix}: ${index.stdout}${index.stderr}`);
          }
        }
        const snapshots = files(log, ".snapshot");
        if (snapshots.length === 0) throw new Error("a clean stop left no producer snapshot");
        await tool("dump-log", ["--files", snapshots.join(",")]);
        const offsets = readdirSync(dataDir).filter((name) =>
          name.startsWith("__consumer_offsets-")
        )
          .flatMap((name) => files(join(dataDir, name), ".log"));
        const decoded = await tool("dump-log", [
          "--offsets-decoder",
          "--files",
          offsets.join(","),
        ]);
        expectContains(decoded.stdout, /"group":"dumped","topic":"d1","partition":0/, "offsets");
        expectContains(decoded.stdout, /"offset":2000/, "offsets");
      },
    },
  ],
};
