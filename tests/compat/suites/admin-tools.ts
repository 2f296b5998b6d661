/** Apache Kafka's tools for access control, quotas, configs and the cluster itself. */
import { join } from "node:path";
import { freshDir, withBroker } from "../../harness/broker-process.ts";
import { run, runOk } from "../../harness/process.ts";
import { java, needKafka } from "../install.ts";
import { type CompatSuite, expectContains, expectEqual } from "../suite.ts";

const CLASSES = {
  acls: "org.apache.kafka.tools.AclCommand",
  configs: "kafka.admin.ConfigCommand",
  "client-metrics": "org.apache.kafka.tools.ClientMetricsCommand",
  features: "org.apache.kafka.tools.FeatureCommand",
  quorum: "org.apache.kafka.tools.MetadataQuorumCommand",
  "log-dirs": "org.apache.kafka.tools.LogDirsCommand",
  reassign: "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
  election: "org.apache.kafka.tools.LeaderElectionCommand",
  topics: "org.apache.kafka.tools.TopicCommand",
} as const;

type Tool = keyof typeof CLASSES;

/** What kafka-log-dirs prints. */
interface LogDirsShown {
  readonly brokers: readonly {
    readonly logDirs: readonly { readonly logDir: string; readonly partitions: unknown[] }[];
  }[];
}

/** The tools against one cluster; `fails` runs one that must. */
function toolsOf(bootstrap: string) {
  const command = (name: Tool, args: string[]) =>
    java(CLASSES[name], "--bootstrap-server", bootstrap, ...args);
  const options = { timeoutMs: 120_000 };
  return {
    tool: async (name: Tool, ...args: string[]) =>
      (await runOk(command(name, args), options)).stdout,
    fails: async (name: Tool, ...args: string[]) => {
      const { exitCode, stdout, stderr } = await run(command(name, args), options);
      if (exitCode === 0) throw new Error(`${name} ${args.join(" ")} did not fail:\n${stdout}`);
      return stdout + stderr;
    },
  };
}

const ACLS_ON = [
  "--set",
  "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
  "--set",
  "allow.everyone.if.no.acl.found=true",
];

export const adminTools: CompatSuite = {
  name: "admin-tools",
  needs: [needKafka],
  inSample: false,
  cases: [
    {
      name: "acls: add, list, enforce, remove",
      run: () =>
        withBroker(async ({ bootstrap }) => {
          const { tool, fails } = toolsOf(bootstrap);
          await tool("topics", "--create", "--topic", "orders");
          const topic = ["--topic", "ord", "--resource-pattern-type", "prefixed"];
          const bob = ["--allow-principal", "User:bob", "--operation", "Read"];
          await tool("acls", "--add", ...bob, ...topic);
          const listed = await tool("acls", "--list");
          expectContains(listed, "resourceType=TOPIC, name=ord, patternType=PREFIXED", "list");
          expectContains(listed, "principal=User:bob, host=*, operation=READ", "list");
          const matched = await tool(
            "acls",
            "--list",
            "--topic",
            "orders",
            "--resource-pattern-type",
            "match",
          );
          expectContains(matched, "principal=User:bob", "match");
          // An ACL speaks of the topic now, and it is not for ANONYMOUS.
          expectContains(
            await fails("topics", "--describe", "--topic", "orders"),
            /does not exist|[Nn]ot authorized/,
            "describe without the right",
          );
          await tool("acls", "--remove", "--force", ...bob, ...topic);
          await tool("topics", "--describe", "--topic", "orders");
          expectEqual((await tool("acls", "--list")).includes("bob"), false, "list after removal");
        }, { args: ACLS_ON }),
    },
    {
      name: "acls: need an authorizer",
      run: () =>
        withBroker(async ({ bootstrap }) => {
          const { fails } = toolsOf(bootstrap);
          expectContains(await fails("acls", "--list"), "No Authorizer is configured", "list");
        }),
    },
    {
      name: "configs: quotas of users, clients and addresses; SCRAM credentials",
      run: () =>
        withBroker(async ({ bootstrap }) => {
          const { tool } = toolsOf(bootstrap);
          const alter = (config: string, ...entity: string[]) =>
            tool("configs", "--alter", "--add-config", config, ...entity);
          const user = ["--entity-type", "users", "--entity-name", "alice"];
          const client = ["--entity-type", "clients", "--entity-default"];
          await alter("producer_byte_rate=1000,consumer_byte_rate=2000", ...user);
          await alter("request_percentage=50", ...client);
          await alter(
            "producer_byte_rate=10",
            ...user,
            "--entity-type",
            "clients",
            "--entity-name",
            "app",
          );
          await alter(
            "connection_creation_rate=5",
            "--entity-type",
            "ips",
            "--entity-name",
            "10.0.0.1",
          );
          await alter("SCRAM-SHA-256=[iterations=8192,password=secret]", ...user);
          const shown = await tool("configs", "--describe", ...user);
          expectContains(shown, "producer_byte_rate=1000.0", "describe the user");
          expectContains(shown, "SCRAM-SHA-256=iterations=8192", "describe the credential");
          expectContains(
            await tool("configs", "--describe", ...client),
            "request_percentage=50.0",
            "clients",
          );
          expectContains(
            await tool("configs", "--describe", "--entity-type", "ips"),
            "connection_creation_rate=5.0",
            "describe addresses",
          );
          await tool("configs", "--alter", "--delete-config", "producer_byte_rate", ...user);
          await tool("configs", "--alter", "--delete-config", "SCRAM-SHA-256", ...user);
          const after = await tool("configs", "--describe", ...user);
          expectContains(after, "consumer_byte_rate=2000.0", "what was kept");
          expectEqual(after.includes("SCRAM"), false, "credentials after deletion");
        }),
    },
    {
      name: "producer-perf-test is held to the quota of its client id",
      run: () =>
        withBroker(async ({ bootstrap }) => {
          const slow = ["--entity-type", "clients", "--entity-name", "slow"];
          const quota = ["--add-config", "producer_byte_rate=200000"];
          await toolsOf(bootstrap).tool("configs", "--alter", ...slow, ...quota);
          const secondsOf = async (clientId: string) => {
            const { stdout } = await runOk(
              java(
                "org.apache.kafka.tools.ProducerPerformance",
                ..."--topic t --num-records 4000 --record-size 1000 --throughput -1".split(" "),
                "--command-property",
                `bootstrap.servers=${bootstrap}`,
                `client.id=${clientId}`,
              ),
              { timeoutMs: 120_000 },
            );
            const rate = /4000 records sent, ([\d.]+) records\/sec/.exec(stdout)?.[1];
            return 4000 / Number(rate);
          };
          // The windows let a burst through; 4 MB at 200 kB a second are 20 s.
          expectEqual(await secondsOf("slow") > 12, true, "the client with a quota is held back");
          expectEqual(await secondsOf("fast") < 8, true, "another one is not");
        }, { args: ["--topic", "t"] }),
    },
    {
      name: "reassign-partitions moves partitions between log directories",
      run: async () => {
        const root = freshDir("log-dirs");
        const logDirs = [join(root, "one"), join(root, "two")];
        await withBroker(async ({ bootstrap }) => {
          const { tool } = toolsOf(bootstrap);
          const topics = [0, 1, 2].map((partition) => ({ topic: "t", partition, replicas: [1] }));
          const partitions = topics.map((each) => ({ ...each, log_dirs: [logDirs[1]] }));
          const file = join(root, "move.json");
          await Bun.write(file, JSON.stringify({ version: 1, partitions }));
          await tool("reassign", "--reassignment-json-file", file, "--execute");
          const done = await tool("reassign", "--reassignment-json-file", file, "--verify");
          for (const { partition } of partitions) {
            expectContains(done, `replica t-${partition}-1 completed successfully`, "verify");
          }
          const described = await tool("log-dirs", "--describe", "--topic-list", "t");
          const [json = ""] = described.split("\n").filter((line) => line.startsWith("{"));
          const shown: LogDirsShown = JSON.parse(json);
          const second = shown.brokers[0]?.logDirs.find(({ logDir }) => logDir === logDirs[1]);
          expectEqual(second?.partitions.length, 3, "partitions in the second directory");
        }, { logDirs, args: ["--topic", "t:3"] });
      },
    },
    {
      name: "configs: groups and client metrics",
      run: () =>
        withBroker(async ({ bootstrap }) => {
          const { tool, fails } = toolsOf(bootstrap);
          const group = ["--entity-type", "groups", "--entity-name", "g"];
          const setting = "consumer.session.timeout.ms=";
          await tool("configs", "--alter", "--add-config", `${setting}50000`, ...group);
          expectContains(await tool("configs", "--describe", ...group), `${setting}50000`, "group");
          expectContains(
            await fails("configs", "--alter", "--add-config", `${setting}1`, ...group),
            "group.consumer.min.session.timeout.ms",
            "a timeout that is too short",
          );
          await tool(
            "client-metrics",
            "--alter",
            "--name",
            "m",
            "--metrics",
            "a.,b.",
            "--interval",
            "1000",
          );
          expectContains(await tool("client-metrics", "--list"), "m", "list of subscriptions");
          const metrics = await tool("client-metrics", "--describe", "--name", "m");
          expectContains(metrics, "interval.ms=1000", "subscription");
          await tool("client-metrics", "--delete", "--name", "m");
          expectEqual((await tool("client-metrics", "--list")).trim(), "", "list after deletion");
        }),
    },
    {
      name: "features, quorum, elections",
      run: () =>
        withBroker(async ({ bootstrap }) => {
          const { tool, fails } = toolsOf(bootstrap);
          await tool("features", "describe");
          expectContains(
            await fails("features", "upgrade", "--feature", "nonsense=1"),
            "does not support this feature",
            "an unknown feature",
          );
          const status = await tool("quorum", "describe", "--status");
          expectContains(status, /LeaderId:\s+1/, "quorum");
          expectContains(
            await tool("quorum", "describe", "--replication"),
            "Leader",
            "replication",
          );
          await tool("topics", "--create", "--topic", "t");
          const preferred = ["--election-type", "preferred", "--topic", "t", "--partition", "0"];
          expectContains(await tool("election", ...preferred), "already", "an election");
        }),
    },
  ],
};
