/** Consumer groups of both protocols by Kafka's own Java consumer. */
import { parseBroker } from "../../../client/brokers.ts";
import { bunClock } from "../../../core/io/bun/clock.ts";
import { bunNetwork } from "../../../core/io/bun/network.ts";
import { bunRandom } from "../../../core/io/bun/random.ts";
import { runOk } from "../../harness/process.ts";
import { needJavaPrograms, runScenarios } from "../java-programs.ts";
import { java } from "../install.ts";
import { shareWithJava } from "../shared-with-java.ts";
import { type CompatSuite, expectContains } from "../suite.ts";
import { CONTROL, withTarget } from "../target.ts";

const SHARED_MS = 60_000;

/** So that heartbeats are frequent and sessions short. */
const SETTINGS = {
  "group.consumer.min.heartbeat.interval.ms": "100",
  "group.consumer.heartbeat.interval.ms": "500",
  "group.consumer.min.session.timeout.ms": "1000",
  "group.consumer.session.timeout.ms": "6000",
  "group.min.session.timeout.ms": "1000",
};

function scenarios(...names: string[]) {
  return () =>
    withTarget(({ bootstrap }) => runScenarios("ConsumerGroups", bootstrap, names), SETTINGS);
}

/** Kafka's verifiable consumer reads what the verifiable producer sent. */
function verifiable(protocol: "classic" | "consumer"): () => Promise<void> {
  return () =>
    withTarget(async ({ bootstrap }) => {
      const common = ["--bootstrap-server", bootstrap, "--topic", "v", "--max-messages", "500"];
      await runOk(java("org.apache.kafka.tools.VerifiableProducer", ...common));
      const group = ["--group-id", "v", "--group-protocol", protocol];
      const reset = ["--reset-policy", "earliest"];
      const { stdout } = await runOk(
        java("org.apache.kafka.tools.VerifiableConsumer", ...common, ...group, ...reset),
      );
      expectContains(stdout, `"name":"partitions_assigned"`, "assignment");
      expectContains(stdout, /"name":"offsets_committed".*"offset":500/, "commit");
      expectContains(stdout, /"success":true/, "commit");
    }, SETTINGS);
}

function sharedWithJava(): Promise<void> {
  return withTarget(async ({ bootstrap }) => {
    const broker = parseBroker(bootstrap);
    if (broker === null) throw new Error(`"${bootstrap}" is no broker address`);
    const io = { clock: bunClock, random: bunRandom, network: bunNetwork };
    const counts = await shareWithJava({ io, brokers: [broker] }, bootstrap, SHARED_MS);
    console.log(`      ${CONTROL ? "Kafka" : "kstream"}: ${JSON.stringify(counts)}`);
  }, { ...SETTINGS, "group.initial.rebalance.delay.ms": "0" });
}

export const javaGroups: CompatSuite = {
  name: "java-groups",
  needs: [needJavaPrograms],
  inSample: true,
  control: true,
  cases: [
    { name: "20 members of the new protocol under churn", run: scenarios("churn-consumer") },
    { name: "migration of a group and back while it reads", run: scenarios("migration") },
    {
      name: "classic churn, static members, expressions, a member that stalls",
      inSample: false,
      run: scenarios(
        "churn-classic",
        "static-classic",
        "static-consumer",
        "regex",
        "crashed-member",
      ),
    },
    {
      name: "a live group of Java's consumers and our library's, cooperative, 60 s",
      inSample: false,
      run: sharedWithJava,
    },
    { name: "verifiable-consumer, classic", inSample: false, run: verifiable("classic") },
    { name: "verifiable-consumer, consumer", inSample: false, run: verifiable("consumer") },
  ],
};
