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
    name: "test",
    proves: "unit and integration tests",
    full: ["make", "test"],
    sample: ["make", "test"],
    minutesMax: 15,
  },
  {
    name: "sim",
    proves: "the log engine keeps what it acknowledged, on a disk that fails",
    full: ["bun", "tests/sim/main.ts", "--seeds", "5000"],
    sample: ["bun", "tests/sim/main.ts", "--seeds", "300"],
    minutesMax: 60,
  },
  {
    name: "sim-cleaner",
    proves: "compacted logs keep the last record of every key, through crashes at any step",
    full: ["bun", "tests/sim/main.ts", "--world", "cleaner", "--seeds", "1500"],
    sample: ["bun", "tests/sim/main.ts", "--world", "cleaner", "--seeds", "100"],
    minutesMax: 60,
  },
  {
    name: "sim-transactions",
    proves: "transactions are all or nothing and chains of them exactly once, through crashes",
    full: ["bun", "tests/sim/main.ts", "--world", "transactions", "--seeds", "2000"],
    sample: ["bun", "tests/sim/main.ts", "--world", "transactions", "--seeds", "100"],
    minutesMax: 60,
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
  {
    name: "sim-groups",
    proves: "committed offsets stay, partitions have one reader, groups become stable, in crashes",
    full: ["bun", "tests/sim/main.ts", "--world", "groups", "--seeds", "1000"],
    sample: ["bun", "tests/sim/main.ts", "--world", "groups", "--seeds", "40"],
    minutesMax: 60,
  },
  {
    name: "sim-share",
    proves: "share groups lose no record, have one owner of each and keep their delivery limit",
    full: ["bun", "tests/sim/main.ts", "--world", "share", "--seeds", "1500"],
    sample: ["bun", "tests/sim/main.ts", "--world", "share", "--seeds", "100"],
    minutesMax: 60,
  },
  {
    name: "sim-replication",
    proves: "a partition of several replicas keeps what it acknowledged, through failovers",
    full: ["bun", "tests/sim/main.ts", "--world", "replication", "--seeds", "60000"],
    sample: ["bun", "tests/sim/main.ts", "--world", "replication", "--seeds", "2000"],
    minutesMax: 60,
  },
  {
    name: "sim-mutants",
    proves: "the simulator notices builds that are broken on purpose",
    full: ["bun", "tests/sim/mutants.ts"],
    sample: ["bun", "tests/sim/mutants.ts", "early-high-watermark"],
    minutesMax: 30,
  },
  {
    name: "sim-metadata",
    proves: "the metadata on etcd is one history under one controller, through lost answers",
    full: ["bun", "tests/sim/main.ts", "--world", "metadata", "--seeds", "3000"],
    sample: ["bun", "tests/sim/main.ts", "--world", "metadata", "--seeds", "60"],
    minutesMax: 60,
  },
  {
    name: "sim-gossip",
    proves: "members agree on who is there after any trouble, and believe nothing that cannot be",
    full: ["bun", "tests/sim/main.ts", "--world", "gossip", "--seeds", "3000"],
    sample: ["bun", "tests/sim/main.ts", "--world", "gossip", "--seeds", "100"],
    minutesMax: 60,
  },
  {
    name: "gossip-scale",
    proves: "news reach a thousand members in seconds, at a traffic that does not grow with them",
    full: [
      ...["env", "KSTREAM_GOSSIP_MEMBERS=1000", "bun", "test", "--timeout", "600000"],
      "tests/sim/gossip-scale.test.ts",
    ],
    sample: { leftOut: "make test runs it with 200 members" },
    minutesMax: 20,
  },
  {
    name: "compat",
    proves: "programs that nobody here wrote work with the binary, and its commands with Kafka",
    full: ["make", "compat"],
    sample: ["bun", "tests/compat/run.ts", "--sample"],
    minutesMax: 120,
  },
  {
    name: "faults",
    proves: "kill -9, a full disk and hostile bytes lose nothing and hurt nobody else",
    full: ["bun", "tests/faults/run.ts", "--rounds", "100"],
    sample: ["bun", "tests/faults/run.ts", "--rounds", "5"],
    minutesMax: 30,
  },
];
