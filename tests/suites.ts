/**
 * Every proof of the project as a list: what `make prove` runs in full and `.ci/run` samples.
 * A suite is a command that exits 0 if it held; its last lines say what it counted.
 */
export interface Suite {
  readonly name: string;
  /** What the suite proves, in a line. */
  readonly proves: string;
  /** The command in full. */
  readonly full: readonly string[];
  /** The sample for CI, or null where CI leaves it out, with the reason. */
  readonly sample: readonly string[] | { readonly leftOut: string };
  /** Bound on the full run. */
  readonly minutesMax: number;
  /** It keeps one processor busy and never looks at a clock: a sample runs it beside the others. */
  readonly isSimulated?: true;
  /** It holds something to a time: a sample runs it when nothing else does. */
  readonly isAlone?: true;
}

/** A world of the simulator: so many seeds in full, and in CI. */
function sim(world: string, proves: string, seeds: number, sampleSeeds: number): Suite {
  const run = (count: number) => {
    return ["bun", "tests/sim/main.ts", "--world", world, "--seeds", String(count)];
  };
  return {
    name: `sim-${world}`,
    proves,
    full: run(seeds),
    sample: run(sampleSeeds),
    minutesMax: 60,
    isSimulated: true,
  };
}

/** Members of an application of streams that are killed, and brokers. */
function killStreams(kills: number, records: number, ...more: string[]): readonly string[] {
  const counts = ["--kills", String(kills), "--records", String(records)];
  return ["bun", "tests/stream/kill-streams.ts", ...counts, ...more];
}

export const SUITES: readonly Suite[] = [
  {
    name: "check",
    proves: "format, lint, types, floating promises, house rules",
    full: ["make", "check"],
    sample: ["make", "check"],
    minutesMax: 10,
  },
  {
    name: "integration",
    proves: "the commands and the servers they start do what their documents say",
    full: ["make", "test-integration"],
    sample: ["make", "test-integration"],
    minutesMax: 20,
  },
  {
    name: "unit",
    proves: "every module does what it says",
    full: ["make", "test-unit"],
    sample: ["make", "test-unit"],
    minutesMax: 20,
  },
  {
    name: "sim-tests",
    proves: "stories of simulated clusters; each world runs the same twice from a seed",
    full: ["bun", "test", "--timeout", "300000", "tests/sim"],
    sample: ["bun", "test", "--timeout", "300000", "tests/sim"],
    minutesMax: 10,
    isSimulated: true,
  },
  sim("storage", "the log engine keeps what it acknowledged, on a disk that fails", 5000, 300),
  sim(
    "cleaner",
    "compacted logs keep the last record of every key, through crashes at any step",
    1500,
    100,
  ),
  sim(
    "transactions",
    "transactions are all or nothing and chains of them exactly once, through crashes",
    2000,
    100,
  ),
  {
    name: "stream-kill",
    proves: "applications of streams count, window and join each record once, whoever is killed",
    full: killStreams(50, 10_000_000, "--churn", "--standbys", "1"),
    sample: killStreams(2, 20_000),
    minutesMax: 180,
  },
  {
    name: "stream-kill-apache",
    proves: "the same on Apache Kafka",
    full: killStreams(50, 10_000_000, "--on", "apache", "--churn", "--standbys", "1"),
    sample: { leftOut: "`stream-kill` has the same on our broker; Apache Kafka is slow to begin" },
    minutesMax: 240,
  },
  {
    name: "stream-kill-cluster",
    proves: "the same on three brokers that die by turns",
    full: killStreams(30, 1_000_000, "--on", "cluster", "--churn"),
    sample: { leftOut: "`cluster` has failovers of its own; `stream-kill` has the members" },
    minutesMax: 60,
  },
  {
    name: "stream-kill-static",
    proves: "the same with members that keep their names",
    full: killStreams(30, 1_000_000, "--static", "--churn", "--standbys", "1"),
    sample: { leftOut: "it waits for sessions to end" },
    minutesMax: 60,
  },
  {
    name: "stream-kill-snapshots",
    proves: "the same with members that lose their disks and begin with snapshots",
    full: killStreams(30, 1_000_000, "--snapshots", "--churn"),
    sample: { leftOut: "the churn on virtual time has snapshots, too" },
    minutesMax: 60,
  },
  {
    name: "stream-kill-protocol",
    proves: "the same with group.protocol=streams",
    full: killStreams(30, 1_000_000, "--churn", "--set", "group.protocol=streams"),
    sample: { leftOut: "the churn on virtual time has this protocol, too" },
    minutesMax: 60,
  },
  {
    name: "stream-kill-again",
    proves: "with at_least_once nothing is missing",
    full: killStreams(30, 1_000_000, "--churn", "--guarantee", "at_least_once"),
    sample: { leftOut: "`stream-kill` asks for more" },
    minutesMax: 60,
  },
  {
    name: "stream-churn",
    proves: "counts and dead letters are exact while members of streams come and go",
    full: [
      ...["env", "KSTREAM_CHURN_SEEDS=200", "bun", "test", "--timeout", "3600000"],
      "stream/runtime/app-churn.test.ts",
    ],
    sample: { leftOut: "two seeds run with the unit tests" },
    minutesMax: 60,
  },
  {
    name: "connect-session",
    proves: "Connect's REST API answers as that of Kafka's worker, field by field",
    full: ["bun", "tests/connect/rest-session/run.ts"],
    sample: {
      leftOut: "Kafka's worker alone takes 40 s; the API's own tests run with the unit tests",
    },
    minutesMax: 10,
  },
  {
    name: "connect-turns",
    proves:
      "workers of Kafka and of ours go on where the other has stopped, and refuse one another",
    full: ["bun", "tests/connect/interop.ts"],
    sample: { leftOut: "Kafka's worker is started four times" },
    minutesMax: 10,
  },
  {
    name: "connect-kill",
    proves: "connectors of workers that are killed run again elsewhere, and no line is lost",
    full: ["bun", "tests/connect/kill-workers.ts", "--kills", "12"],
    sample: { leftOut: "it waits for sessions to end; a group is churned with the unit tests" },
    minutesMax: 20,
  },
  {
    name: "connect-postgres-kill",
    proves:
      "each change of PostgreSQL's rows is in the topic once, whoever is killed, snapshot included",
    full: ["bun", "tests/connect/kill-postgres.ts", "--rounds", "30"],
    sample: { leftOut: "it starts servers and workers again and again; see connect-servers" },
    minutesMax: 20,
  },
  {
    name: "connect-kit",
    proves: "connectors lose and double nothing that they say they do not, whatever happens",
    full: ["bun", "tests/connect/kit/run.ts", "--seconds", "30"],
    sample: ["bun", "tests/connect/kit/run.ts", "--only", "file-source", "--seconds", "5"],
    minutesMax: 60,
  },
  {
    name: "connect-pipeline",
    proves: "rows of PostgreSQL are on S3 and in SQLite once each, after ten minutes of everything",
    full: ["bun", "tests/connect/pipeline.ts", "--seconds", "600"],
    sample: { leftOut: "it starts four servers; `connect-kit` has one connector through trouble" },
    minutesMax: 20,
  },
  {
    name: "connect-messages",
    proves: "no message between Redis, MQTT and topics is lost in kills, and Redis has each once",
    full: ["bun", "tests/connect/kill-messages.ts", "--rounds", "30"],
    sample: { leftOut: "it waits for connections to be made again; tests/connect has outages" },
    minutesMax: 20,
  },
  {
    name: "connect-many",
    proves: "a worker with 500 connectors answers as quickly as ever",
    full: ["bun", "tests/connect/many-connectors.ts"],
    sample: { leftOut: "other suites beside it would make it slow" },
    minutesMax: 10,
  },
  {
    name: "connect-churn",
    proves: "no task runs twice and none is left out, through joins, deaths, cut links and changes",
    full: [
      ...["env", "KSTREAM_CHURN_SEEDS=200", "bun", "test", "--timeout", "3600000"],
      "connect/herder/group-churn.test.ts",
    ],
    sample: { leftOut: "one seed runs with the unit tests" },
    minutesMax: 60,
  },
  {
    name: "stream-assignor",
    proves: "tasks of streams are each had once, evenly, with few moves, whoever comes and goes",
    full: [
      ...["env", "KSTREAM_ASSIGNOR_SEEDS=20000", "bun", "test", "--timeout", "3600000"],
      "stream/assignor/assign-tasks.test.ts",
    ],
    sample: { leftOut: "sixty seeds run with the unit tests" },
    minutesMax: 20,
  },
  {
    name: "client-churn",
    proves: "consumers of all group protocols skip nothing and own alone, through faults",
    full: [
      ...["env", "KSTREAM_CHURN_SEEDS=200", "bun", "test", "--timeout", "3600000"],
      "client/consumer/churn.test.ts",
    ],
    sample: { leftOut: "one seed of each protocol runs with the unit tests" },
    minutesMax: 60,
  },
  {
    name: "group-churn",
    proves: "groups keep one owner for each partition, task and record through churn and crashes",
    full: [
      ...["env", "KSTREAM_CHURN_SEEDS=1000", "bun", "test", "--timeout", "3600000"],
      ...["broker/coordinator/group/consumer/churn.test.ts"],
      ...["broker/coordinator/group/streams/churn.test.ts", "broker/share/share-crash.test.ts"],
    ],
    sample: { leftOut: "make test runs them with fewer seeds" },
    minutesMax: 60,
  },
  sim(
    "groups",
    "committed offsets stay, partitions have one reader, groups become stable, in crashes",
    1000,
    40,
  ),
  sim(
    "share",
    "share groups lose no record, have one owner of each and keep their delivery limit",
    1500,
    100,
  ),
  {
    name: "coordinator-trouble",
    proves: "transactions and share groups keep their word while leaders and coordinators move",
    full: [
      ...["env", "KSTREAM_COORDINATOR_SEEDS=300", "bun", "test", "--timeout", "3600000"],
      ...["broker/coordinator/trouble.test.ts", "broker/coordinator/share-trouble.test.ts"],
    ],
    sample: { leftOut: "make test runs them with fewer seeds" },
    minutesMax: 60,
  },
  sim(
    "replication",
    "a partition of several replicas keeps what it acknowledged, through failovers",
    20_000,
    1000,
  ),
  sim(
    "cluster",
    "a cluster loses nothing that it acknowledged and heals, through all that can happen to machines",
    300,
    20,
  ),
  {
    name: "sim-mutants",
    proves: "the simulator notices builds that are broken on purpose",
    full: ["bun", "tests/sim/mutants.ts"],
    sample: [
      ...["bun", "tests/sim/mutants.ts", "early-high-watermark", "cluster-early-acknowledgement"],
    ],
    minutesMax: 30,
    isSimulated: true,
  },
  sim(
    "metadata",
    "the metadata on etcd is one history under one controller, through lost answers",
    3000,
    60,
  ),
  sim(
    "gossip",
    "members agree on who is there after any trouble, and believe nothing that cannot be",
    3000,
    100,
  ),
  {
    name: "gossip-scale",
    proves: "news reach a thousand members in seconds, at a traffic that does not grow with them",
    full: [
      ...["env", "KSTREAM_GOSSIP_MEMBERS=1000", "bun", "test", "--timeout", "600000"],
      "tests/sim/gossip-scale.test.ts",
    ],
    sample: { leftOut: "sim-tests runs it with 200 members" },
    minutesMax: 20,
  },
  {
    name: "failover-scale",
    proves: "100 brokers with 100,000 partitions have another controller and leaders in seconds",
    full: [
      ...["env", "KSTREAM_SCALE_BROKERS=100", "KSTREAM_SCALE_PARTITIONS=100000"],
      ...["bun", "test", "--timeout", "1200000", "tests/sim/failover-scale.test.ts"],
    ],
    sample: { leftOut: "sim-tests runs it with 20 brokers and 2,000 partitions" },
    minutesMax: 20,
  },
  {
    name: "ui",
    proves: "the web pages work in a real browser, for everybody, and ask no other host",
    full: ["bun", "test", "--timeout", "120000", "tests/ui"],
    sample: [
      ...["bun", "test", "--timeout", "120000"],
      ...["pages", "topics", "messages", "groups", "login"].map((
        name,
      ) => `tests/ui/${name}.test.ts`),
    ],
    minutesMax: 10,
  },
  {
    name: "openapi",
    proves: "the admin API is as its OpenAPI document says, whatever it is asked, and never fails",
    full: ["bun", "tests/admin/run.ts", "--examples", "100"],
    sample: [
      ...["bun", "tests/admin/run.ts", "--phases", "fuzzing"],
      ...["--examples", "5", "--seed", "1"],
    ],
    minutesMax: 25,
  },
  {
    name: "many-groups",
    proves:
      "pages of 1,000 groups over 10,000 topics come with their lag at once, and take no memory",
    full: ["bun", "test", "--timeout", "600000", "tests/admin/many-groups.test.ts"],
    sample: ["bun", "test", "--timeout", "600000", "tests/admin/many-groups.test.ts"],
    minutesMax: 10,
    isAlone: true,
  },
  {
    name: "compat",
    proves: "programs that nobody here wrote work with the binary, and its commands with Kafka",
    full: ["make", "compat"],
    sample: ["bun", "tests/compat/run.ts", "--sample"],
    minutesMax: 120,
  },
  {
    name: "connect-servers",
    proves: "connectors work with the servers that they are for, through outages",
    full: ["bun", "test", "--timeout", "120000", "tests/connect"],
    sample: ["bun", "test", "--timeout", "120000", "tests/connect"],
    minutesMax: 20,
  },
  {
    name: "connect-opensearch",
    proves: "documents in OpenSearch are as if each record had come once, through its death",
    full: [
      ...["env", "KSTREAM_OPENSEARCH=1", "bun", "test", "--timeout", "120000"],
      "tests/connect/elasticsearch.test.ts",
    ],
    sample: { leftOut: "its jars are 45 MB, and the server takes ten seconds to begin, twice" },
    minutesMax: 10,
  },
  {
    name: "faults",
    proves: "kill -9, a full disk and hostile bytes lose nothing and hurt nobody else",
    full: ["bun", "tests/faults/run.ts", "--rounds", "100"],
    sample: ["bun", "tests/faults/run.ts", "--rounds", "5"],
    minutesMax: 30,
  },
  {
    name: "cluster-tools",
    proves:
      "the checkers of histories see what must not be, the tests' network does what it is told",
    full: ["bun", "test", "--timeout", "60000", "tests/cluster"],
    sample: ["bun", "test", "--timeout", "60000", "tests/cluster"],
    minutesMax: 5,
  },
  {
    name: "cluster",
    proves:
      "brokers and real etcd lose nothing through crashes, sleep, cut links, loss, delay, wrong clocks",
    full: ["bun", "tests/cluster/run.ts"],
    sample: ["bun", "tests/cluster/run.ts", "--only", "appends: kill -9"],
    minutesMax: 30,
  },
  {
    name: "cluster-riders",
    proves: "other people's clients go on by themselves while brokers die, and miss nothing",
    full: ["bun", "tests/cluster/riders.ts"],
    sample: { leftOut: "minutes of waiting for sessions to end; `cluster` has one such failover" },
    minutesMax: 30,
  },
  {
    name: "cluster-streams",
    proves: "Kafka Streams with exactly-once output is right after twenty failovers of brokers",
    full: ["bun", "tests/cluster/streams-failovers.ts"],
    sample: { leftOut: "ten minutes; `compat` kills such an application on one broker" },
    minutesMax: 40,
  },
  {
    name: "cluster-calm",
    proves: "no broker of three is fenced, and no leader changes, in ten minutes of full load",
    full: ["bun", "bench/cluster-calm.ts", "--durability", "os", "fencing"],
    sample: { leftOut: "ten minutes of all processors and 7 GB of disk" },
    minutesMax: 20,
  },
];
