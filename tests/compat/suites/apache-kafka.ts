/** Our own commands against Apache Kafka: they must not depend on our broker. */
import { join } from "node:path";
import { createServer } from "node:net";
import { freshDir, KSTREAM } from "../../harness/broker-process.ts";
import { run, runOk } from "../../harness/process.ts";
import { java, needKafka } from "../install.ts";
import { type CompatSuite, expectContains, expectEqual, numberedLines } from "../suite.ts";

/** A port that was free a moment ago. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address !== null ? resolve(address.port) : reject()
      );
    });
  });
}

/** Runs the body against a fresh one-node Apache Kafka with these broker configs besides. */
export async function withApacheKafka(
  body: (bootstrap: string) => Promise<void>,
  settings: Readonly<Record<string, string>> = {},
): Promise<void> {
  const [port, controllerPort] = [await freePort(), await freePort()];
  const dir = freshDir("apache");
  const config = join(dir, "server.properties");
  await Bun.write(
    config,
    Object.entries({
      "process.roles": "broker,controller",
      "node.id": 1,
      "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
      listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
      "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}`,
      "controller.listener.names": "CONTROLLER",
      "inter.broker.listener.name": "PLAINTEXT",
      "log.dirs": join(dir, "log"),
      "offsets.topic.replication.factor": 1,
      "transaction.state.log.replication.factor": 1,
      "transaction.state.log.min.isr": 1,
      "group.initial.rebalance.delay.ms": 0,
      ...settings,
    }).map(([key, value]) => `${key}=${value}`).join("\n"),
  );
  const id = "AAAAAAAAQAqAAAAAAAAAAQ";
  await runOk(java("kafka.tools.StorageTool", "format", "-t", id, "-c", config));
  const broker = Bun.spawn(java("kafka.Kafka", config), { stdout: "ignore", stderr: "ignore" });
  try {
    const bootstrap = `127.0.0.1:${port}`;
    const deadline = Date.now() + 60_000;
    while ((await run([KSTREAM, "topic", "list", "-b", bootstrap])).exitCode !== 0) {
      if (Date.now() > deadline) throw new Error("Apache Kafka did not start within a minute");
      await Bun.sleep(200);
    }
    await body(bootstrap);
  } finally {
    broker.kill("SIGKILL");
    await broker.exited;
  }
}

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
        await kstream("group", "delete", "readers");
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
  }],
};
