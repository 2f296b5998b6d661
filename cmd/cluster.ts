/** `kstream cluster`: the command line of each subcommand; what they do is in `cluster/`. */
import { Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { adminUrlOption } from "./admin-client.ts";
import { brokersOption, jsonOption, timeoutOption, wholeNumber } from "./admin-command.ts";

const LOCAL_NODES = 3;
const LOCAL_NODES_MAX = 9;
const LOCAL_PORT = 9092;
const PORT_MAX = 65_535;

/** The command with its subcommands. */
export function clusterCommand(): CommandUnknownOpts {
  const command = new Command("cluster")
    .description("See how a cluster is, start one on this machine, move a node into one.")
    .helpCommand(false);
  command.addCommand(statusCommand());
  command.addCommand(membersCommand());
  command.addCommand(startLocalCommand());
  command.addCommand(migrateCommand());
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
