/** Kafka's own share consumers and tools (KIP-932) against our broker. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import {
  type BrokerProcess,
  freshDir,
  startBrokerProcess,
  withBroker,
} from "../../harness/broker-process.ts";
import { runOk, type RunOptions } from "../../harness/process.ts";
import { java, needKafka } from "../install.ts";
import { type CompatSuite, expectContains, expectEqual, numberedLines } from "../suite.ts";

const CLASSES = {
  "console-producer": "org.apache.kafka.tools.ConsoleProducer",
  "console-share-consumer": "org.apache.kafka.tools.consumer.ConsoleShareConsumer",
  "share-consumer-perf-test": "org.apache.kafka.tools.ShareConsumerPerformance",
  "share-groups": "org.apache.kafka.tools.consumer.group.ShareGroupCommand",
  "verifiable-share-consumer": "org.apache.kafka.tools.VerifiableShareConsumer",
  "dump-log": "org.apache.kafka.tools.DumpLogSegments",
} as const;

function tool(name: keyof typeof CLASSES, args: string[], options: RunOptions = {}) {
  return runOk(java(CLASSES[name], ...args), { timeoutMs: 120_000, ...options });
}

async function produceLines(bootstrap: string, topic: string, input: string): Promise<void> {
  const args = ["--bootstrap-server", bootstrap, "--topic", topic];
  await tool("console-producer", args, { input });
}

const groups = (bootstrap: string, ...args: string[]) =>
  tool("share-groups", ["--bootstrap-server", bootstrap, ...args]);

/** Makes a group that begins with the first record. */
async function fromEarliest(bootstrap: string, group: string, topic: string): Promise<void> {
  const reset = ["--reset-offsets", "--group", group, "--topic", topic, "--to-earliest"];
  await groups(bootstrap, ...reset, "--execute");
}

const consoleArgs = (bootstrap: string, group: string, topic: string) => [
  "--bootstrap-server",
  bootstrap,
  "--topic",
  topic,
  "--group",
  group,
];

const verifiableArgs = (bootstrap: string, group: string, ...more: string[]) => [
  "--bootstrap-server",
  bootstrap,
  "--topic",
  "v",
  "--group-id",
  group,
  "--offset-reset-strategy",
  "earliest",
  ...more,
];

/** `partition:offset` of every record that a verifiable consumer says it has acknowledged. */
function acknowledged(stdout: string): string[] {
  const found: string[] = [];
  for (const line of stdout.split("\n")) {
    if (!line.includes(`"name":"offsets_acknowledged"`)) continue;
    let event: { partitions?: { partition: number; offsets: number[] }[] };
    try {
      event = JSON.parse(line);
    } catch {
      continue; // the last line of a consumer that was killed
    }
    for (const { partition, offsets } of event.partitions ?? []) {
      for (const offset of offsets) found.push(`${partition}:${offset}`);
    }
  }
  return found;
}

/** Starts verifiable share consumers; they are killed once they have acknowledged `count` records. */
async function consumeAndDie(
  { bootstrap }: BrokerProcess,
  group: string,
  consumers: number,
  count: number,
): Promise<string[]> {
  const outputs = Array.from({ length: consumers }, () => "");
  const children = outputs.map(() =>
    Bun.spawn(java(CLASSES["verifiable-share-consumer"], ...verifiableArgs(bootstrap, group)), {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
    })
  );
  const kill = () => children.forEach((child) => child.kill("SIGKILL"));
  const timer = setTimeout(kill, 60_000);
  await Promise.all(children.map(async (child, index) => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      outputs[index] += decoder.decode(chunk, { stream: true });
      if (outputs.flatMap(acknowledged).length >= count) kill();
    }
    await child.exited;
  }));
  clearTimeout(timer);
  return outputs.flatMap(acknowledged);
}

export const shareGroups: CompatSuite = {
  name: "share-groups",
  needs: [needKafka],
  inSample: false,
  cases: [
    {
      name: "console-share-consumer, and share-groups: list, describe, reset, delete",
      run: () =>
        withBroker(async ({ bootstrap }) => {
          await produceLines(bootstrap, "t", numberedLines("m", 20));
          await fromEarliest(bootstrap, "g", "t");
          const { stdout } = await tool("console-share-consumer", [
            ...consoleArgs(bootstrap, "g", "t"),
            "--max-messages",
            "20",
          ]);
          expectEqual(stdout, numberedLines("m", 20), "records");
          expectContains(
            (await groups(bootstrap, "--list", "--state")).stdout,
            /g\s+Empty/,
            "list",
          );
          const described = await groups(bootstrap, "--describe", "--group", "g");
          expectContains(described.stdout, /g\s+t\s+0\s+20\s+0/, "describe");
          const members = await groups(bootstrap, "--describe", "--group", "g", "--members");
          expectContains(members.stdout + members.stderr, "no active members", "members");
          await fromEarliest(bootstrap, "g", "t");
          const again = await groups(bootstrap, "--describe", "--group", "g");
          expectContains(again.stdout, /g\s+t\s+0\s+0\s+20/, "after the reset");
          await groups(bootstrap, "--delete-offsets", "--group", "g", "--topic", "t");
          await groups(bootstrap, "--delete", "--group", "g");
          expectEqual((await groups(bootstrap, "--list")).stdout.trim(), "", "list after delete");
        }, { args: ["--topic", "t"] }),
    },
    {
      name: "console-share-consumer: what is released comes again, what is rejected never",
      run: () =>
        withBroker(async ({ bootstrap }) => {
          await produceLines(bootstrap, "t", numberedLines("m", 3));
          await fromEarliest(bootstrap, "g", "t");
          const consume = async (...args: string[]) =>
            (await tool("console-share-consumer", [
              ...consoleArgs(bootstrap, "g", "t"),
              "--timeout-ms",
              "5000",
              ...args,
            ])).stdout;
          // Released again and again until the limit of five deliveries.
          const released = await consume("--release", "--max-messages", "6");
          expectContains(released, "m 0", "released");
          const rejected = await consume("--reject");
          expectContains(rejected, "m 2", "rejected");
          expectEqual(await consume(), "", "after the rejection");
        }, { args: ["--topic", "t"] }),
    },
    {
      name: "verifiable-share-consumer: two members have every record once",
      run: () =>
        withBroker(async (broker) => {
          await produceLines(broker.bootstrap, "v", numberedLines("m", 5_000));
          const all = await consumeAndDie(broker, "pair", 2, 5_000);
          expectEqual(new Set(all).size, 5_000, "records acknowledged");
          expectEqual(all.length, 5_000, "acknowledgements");
        }, { args: ["--topic", "v:4"] }),
    },
    {
      name: "a share consumer is killed: others get what it had, and nothing is lost",
      run: () =>
        withBroker(async (broker) => {
          await produceLines(broker.bootstrap, "v", numberedLines("m", 20_000));
          const before = await consumeAndDie(broker, "crash", 1, 2_000);
          // What the first one acknowledged after its last line was read is not counted here.
          const rest = await tool(
            "verifiable-share-consumer",
            verifiableArgs(broker.bootstrap, "rest", "--max-messages", "20000"),
          );
          expectEqual(new Set(acknowledged(rest.stdout)).size, 20_000, "another group");
          const described = () => groups(broker.bootstrap, "--describe", "--group", "crash");
          const lag = async () =>
            [...(await described()).stdout.matchAll(/crash\s+v\s+\d+\s+\S+\s+(\d+)/g)]
              .reduce((sum, [, each]) => sum + Number(each), 0);
          const left = await lag();
          if (left > 20_000 - before.length) throw new Error(`lag ${left} after ${before.length}`);
          const after = await tool(
            "verifiable-share-consumer",
            verifiableArgs(broker.bootstrap, "crash", "--max-messages", String(left)),
          );
          const all = new Set([...before, ...acknowledged(after.stdout)]);
          expectEqual(acknowledged(after.stdout).length, left, "what was left");
          expectEqual(await lag(), 0, "lag at the end");
          if (all.size < before.length + left) throw new Error("a record was acknowledged twice");
        }, { args: ["--topic", "v:4"] }),
    },
    {
      name: "share-consumer-perf-test",
      run: () =>
        withBroker(async ({ bootstrap }) => {
          await produceLines(bootstrap, "p", numberedLines("m", 50_000));
          await fromEarliest(bootstrap, "perf", "p");
          const { stdout } = await tool("share-consumer-perf-test", [
            "--bootstrap-server",
            bootstrap,
            "--topic",
            "p",
            "--group",
            "perf",
            "--messages",
            "50000",
            "--timeout",
            "30000",
          ]);
          expectContains(stdout, /, 50\d{3},/, "records");
        }, { args: ["--topic", "p:2"] }),
    },
    {
      name: "dump-log decodes the state of share groups",
      run: async () => {
        const dataDir = freshDir("share");
        const broker = await startBrokerProcess({ dataDir, args: ["--topic", "t"] });
        await produceLines(broker.bootstrap, "t", numberedLines("m", 50));
        await fromEarliest(broker.bootstrap, "dumped", "t");
        await tool("console-share-consumer", [
          ...consoleArgs(broker.bootstrap, "dumped", "t"),
          "--max-messages",
          "50",
        ]);
        expectEqual(await broker.stop(), 0, "clean stop");
        const logs = (topic: string) =>
          readdirSync(dataDir).filter((name) => name.startsWith(`${topic}-`)).flatMap((name) =>
            readdirSync(join(dataDir, name)).filter((file) => file.endsWith(".log"))
              .map((file) => join(dataDir, name, file))
          ).join(",");
        const dump = async (decoder: string, topic: string) =>
          (await tool("dump-log", [decoder, "--files", logs(topic)])).stdout;
        const state = await dump("--share-group-state-decoder", "__share_group_state");
        expectContains(state, /"type":"0".*"groupId":"dumped"/, "snapshots");
        expectContains(state, /"startOffset":50/, "start offsets");
        const members = await dump("--offsets-decoder", "__consumer_offsets");
        expectContains(members, /"type":"15".*"groupId":"dumped"/, "initialized partitions");
        expectContains(members, /"subscribedTopicNames":\["t"\]/, "members");
      },
    },
  ],
};
