/** Java's Kafka Streams in both group protocols, and Kafka's tool for streams groups. */
import { run, runOk } from "../../harness/process.ts";
import { java } from "../install.ts";
import { needJavaPrograms, runScenarios } from "../java-programs.ts";
import { type CompatSuite, expectContains } from "../suite.ts";
import { withTarget } from "../target.ts";

/** So that heartbeats are frequent, and the first member does not wait for others. */
const SETTINGS = {
  "group.initial.rebalance.delay.ms": "0",
  "group.streams.min.heartbeat.interval.ms": "100",
  "group.streams.heartbeat.interval.ms": "300",
  "group.streams.initial.rebalance.delay.ms": "0",
  "group.streams.assignment.interval.ms": "0",
};

function scenarios(...names: string[]) {
  return () =>
    withTarget(({ bootstrap }) => runScenarios("StreamsGroups", bootstrap, names), SETTINGS);
}

const TOOL = "org.apache.kafka.tools.streams.StreamsGroupCommand";

/** kafka-streams-groups lists, describes and deletes the group that an application left. */
function tool(): Promise<void> {
  return withTarget(async ({ bootstrap }) => {
    await runScenarios("StreamsGroups", bootstrap, ["word-count-streams"]);
    const groups = async (...args: string[]) =>
      (await runOk(java(TOOL, "--bootstrap-server", bootstrap, ...args))).stdout;
    const group = ["--group", "count-streams"];
    expectContains(await groups("--list"), "count-streams", "list");
    expectContains(await groups("--list", "--state"), /count-streams\s+Empty/, "list of states");
    const described = await groups("--describe", ...group, "--state");
    expectContains(described, /count-streams.*Empty\s+0/, "state");
    const deleted = await groups("--delete", ...group);
    expectContains(deleted, /[Dd]eletion of requested .*successful/, "delete");
    const gone = await run(java(TOOL, "--bootstrap-server", bootstrap, "--describe", ...group));
    expectContains(gone.stdout + gone.stderr, /not found|does not exist/i, "describe what is gone");
  }, SETTINGS);
}

export const kafkaStreams: CompatSuite = {
  name: "kafka-streams",
  needs: [needJavaPrograms],
  inSample: false,
  control: true,
  cases: [
    {
      name: "word count in the streams protocol, instances come and go",
      run: scenarios("word-count-streams"),
    },
    {
      name: "word count in the classic protocol, instances come and go",
      run: scenarios("word-count-classic"),
    },
    { name: "where state can be asked for", run: scenarios("endpoints") },
    {
      name: "standbys, a source that comes late, a shutdown of all, what admins see",
      run: scenarios("standbys", "missing-source", "shutdown-application", "admin"),
    },
    { name: "kafka-streams-groups lists, describes, deletes", run: tool },
  ],
};
