/** `kstream cluster`: the command line of each subcommand; what they do is in `cluster/`. */
import { Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { adminUrlOption } from "./admin-client.ts";
import { brokersOption, jsonOption, timeoutOption, wholeNumber } from "./admin-command.ts";
import { throttleOption } from "./cluster/throttle-option.ts";

const LOCAL_NODES = 3;
const LOCAL_NODES_MAX = 9;
const LOCAL_PORT = 9092;
const PORT_MAX = 65_535;

/** The command with its subcommands. */
export function clusterCommand(): CommandUnknownOpts {
  const command = new Command("cluster")
    .description("See how a cluster is, start one on this machine, add brokers and take them out.")
    .helpCommand(false);
  command.addCommand(statusCommand());
  command.addCommand(membersCommand());
  command.addCommand(startLocalCommand());
  command.addCommand(migrateCommand());
  command.addCommand(drainCommand());
  command.addCommand(rebalanceCommand());
  command.addCommand(unthrottleCommand());
  command.addCommand(removeCommand());
  command.addCommand(upgradeCommand());
  return command;
}

function statusCommand() {
  return new Command("status")
    .description(
      "Show the brokers, who is controller, what each leads and keeps, and the partitions that lack " +
        "replicas in sync. Of any Kafka cluster.",
    )
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
BEHIND is by how many bytes the replica's files are smaller than the leader's.

Examples:
  kstream cluster status -b kafka:9092
  kstream cluster status --json | jq '.underReplicated | length'`,
    )
    .action(async (options) => (await import("./cluster/status.ts")).showStatus(options));
}

function membersCommand() {
  return new Command("members")
    .description(
      "List who a broker believes to be in its cluster, by what the members tell one another. It asks " +
        "the broker's admin API, which only kstream has.",
    )
    .addOption(jsonOption())
    .addOption(adminUrlOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
What counts is the metadata, which "kstream cluster status" shows.

Examples:
  kstream cluster members
  kstream cluster members --admin http://127.0.0.1:8081 --json`,
    )
    .action(async (options) => (await import("./cluster/members.ts")).listMembers(options));
}

function startLocalCommand() {
  return new Command("start-local")
    .description(
      "Start a cluster on this machine, to try things out: brokers on neighbouring ports, each with a " +
        "directory of its own. Ctrl-C stops all; the data stays.",
    )
    .addOption(
      new Option("-n, --nodes <count>", "how many brokers")
        .argParser(wholeNumber(1, LOCAL_NODES_MAX)).default(LOCAL_NODES),
    )
    .option("--etcd", "start etcd, too: etcd-server has to be installed")
    .option("--metadata <etcd://host:2379>", "an etcd that runs already")
    .addOption(
      new Option("--port <port>", "of the first broker")
        .argParser(wholeNumber(1, PORT_MAX - LOCAL_NODES_MAX)).default(LOCAL_PORT),
    )
    .option("-d, --data <dir>", "where all data is kept", "data-local")
    .addOption(
      new Option("-s, --set <name=value>", "set a config of all brokers (repeatable)")
        .argParser(gatherConfig).default([] as readonly string[]),
    )
    .addOption(new Option("--json", "print the addresses as JSON once all can serve"))
    .addHelpText(
      "after",
      `
Examples:
  kstream cluster start-local -n 3 --etcd
  kstream cluster start-local -n 5 --metadata etcd://127.0.0.1:2379 --data /tmp/five`,
    )
    .action(async (options) => (await import("./cluster/start-local.ts")).startLocal(options));
}

function gatherConfig(value: string, before: readonly string[]): readonly string[] {
  if (value.indexOf("=") < 1) throw new InvalidArgumentError("It is no name=value.");
  return [...before, value];
}

function migrateCommand() {
  return new Command("migrate")
    .description(
      "Move the metadata of a broker that is a cluster of its own into etcd, so that it can become " +
        "the first member of a cluster of several. The broker must not run.",
    )
    .requiredOption("--cluster <name>", "the name of the new cluster")
    .requiredOption("--metadata <etcd://host:2379>", "where its metadata is to be")
    .option("-d, --data <dir>", "the broker's data directories, with commas", "data")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Nothing is lost: topics, configs, ACLs and offsets of groups stay as they are, and so does the broker's
number. Afterwards the broker starts with serve --cluster, and no longer without it.

Examples:
  kstream cluster migrate --data /var/lib/kstream --cluster shop --metadata etcd://10.0.0.2:2379
  kstream serve --data /var/lib/kstream --cluster shop --metadata etcd://10.0.0.2:2379`,
    )
    .action(async (options) => (await import("./cluster/migrate.ts")).migrate(options));
}

const NODE_ID_MAX = 2 ** 31 - 1;

function drainCommand() {
  return new Command("drain")
    .summary("move everything off a broker")
    .description(
      "Move all partitions of a broker to others, and keep new ones off it. Of any Kafka cluster. " +
        "Nothing moves without --execute.",
    )
    .argument("<node>", "the broker's number", wholeNumber(0, NODE_ID_MAX))
    .option("--execute", "do it, and not only show it")
    .option("--no-wait", "do not wait until all is moved")
    .addOption(throttleOption())
    .option("--undo", "let new partitions go to it again")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
No two replicas of a partition are put on one host, and racks are kept. The broker goes on until it is
stopped; "kstream cluster rebalance" fills it again after --undo.

Examples:
  kstream cluster drain 3                  the plan
  kstream cluster drain 3 --execute --throttle 50MB
  kstream cluster drain 3 --undo`,
    )
    .action(async (node, options) => (await import("./cluster/drain.ts")).drain(node, options));
}

function rebalanceCommand() {
  return new Command("rebalance")
    .summary("give all brokers as much as each other")
    .description(
      "Move partitions, as few as need be, until all brokers keep and lead as much as each other. Of " +
        "any Kafka cluster. Nothing moves without --execute.",
    )
    .option("--execute", "do it, and not only show it")
    .option("--no-wait", "do not wait until all is moved")
    .addOption(throttleOption())
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
Examples:
  kstream cluster rebalance                the plan
  kstream cluster rebalance --execute`,
    )
    .action(async (options) => (await import("./cluster/drain.ts")).rebalance(options));
}

function unthrottleCommand() {
  return new Command("unthrottle")
    .summary("let moves go at full speed again")
    .description(
      "Wait until no partition moves, then take away all rates and lists of throttled replicas, as " +
        "--throttle of an interrupted command has left them. Of any Kafka cluster.",
    )
    .option("--no-wait", "take them away at once")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
Examples:
  kstream cluster unthrottle
  kstream cluster unthrottle --no-wait`,
    )
    .action(async (options) => (await import("./cluster/unthrottle.ts")).unthrottle(options));
}

function removeCommand() {
  return new Command("remove")
    .summary("take a broker out that was stopped for good")
    .description(
      "Let the cluster forget a broker that was drained and stopped. Of any Kafka cluster.",
    )
    .argument("<node>", "the broker's number", wholeNumber(0, NODE_ID_MAX))
    .option("--force", "also if partitions have replicas on it")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
Examples:
  kstream cluster remove 3`,
    )
    .action(async (node, options) => (await import("./cluster/drain.ts")).remove(node, options));
}

function upgradeCommand() {
  return new Command("upgrade")
    .summary("raise features to what all brokers can run")
    .description(
      "Raise the features of the cluster to the levels that all its brokers can run, once all are of " +
        "the new version. Nothing changes without --execute.",
    )
    .option("--execute", "do it, and not only show it")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
Examples:
  kstream cluster upgrade
  kstream cluster upgrade --execute`,
    )
    .action(async (options) => (await import("./cluster/upgrade.ts")).upgrade(options));
}
