/** The subcommands of `kstream topic` that work on whole topics: files of them, copies, keys. */
import { Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { brokersOption, jsonOption, timeoutOption, wholeNumber } from "./admin-command.ts";
import { throttleOption } from "./cluster/throttle-option.ts";

const REPLICAS_MAX = 32_767;

/** In the order of `kstream topic --help`. */
export function topicOpsCommands(): CommandUnknownOpts[] {
  return [apply(), dump(), load(), clone(), get(), reassign()];
}

function apply(): CommandUnknownOpts {
  return new Command("apply")
    .summary("create and alter topics as files say")
    .description(
      "Bring topics to what YAML files say. The plan is shown and checked by the broker; nothing " +
        "changes without --execute. Nothing is deleted without --prune.",
    )
    .addOption(
      new Option("-f, --file <path>", "a file, a directory of *.yaml, or - ; may be repeated")
        .argParser((path: string, previous: readonly string[] | undefined) => [
          ...previous ?? [],
          path,
        ])
        .makeOptionMandatory(),
    )
    .option("--prune", "delete topics, and configs of topics, that no file has")
    .option("--execute", "do it")
    .option("--yes", "the same")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
A file:
  topics:
    orders:
      partitions: 12
      replication: 3
      configs:
        retention.ms: 86400000
        cleanup.policy: [compact, delete]
    audit:

What is left out stays as it is, or is the broker's default in a new topic. Topics with names that
begin with _ are never pruned.

Examples:
  kstream topic apply -f topics.yaml                  the plan
  kstream topic apply -f topics.yaml --execute
  kstream topic apply -f topics/ --prune --json | jq '.changes[].action'`,
    )
    .action(async (options) => (await import("./topic/apply.ts")).applyTopics(options));
}

function dump(): CommandUnknownOpts {
  return new Command("dump")
    .summary("write a topic into a file")
    .description(
      "Write a topic into a file: its records as they are, with their offsets, and its configs. " +
        "What open and aborted transactions wrote is left out. A dump that was interrupted goes " +
        "on when the command is run again.",
    )
    .argument("<topic>", "the topic")
    .option("-o, --output <file>", "the file, or - for standard output (default: <topic>.dump)")
    .option("--groups", "also where groups are in the topic")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption("how long to wait while nothing comes"))
    .addHelpText(
      "after",
      `
Examples:
  kstream topic dump orders -o orders.dump --groups
  kstream topic dump orders -o - | zstd > orders.dump.zst`,
    )
    .action(async (topic, options) => (await import("./topic/dump.ts")).dumpTopic(topic, options));
}

function load(): CommandUnknownOpts {
  return new Command("load")
    .summary("make a topic from a dump")
    .description(
      "Make a topic from a dump: partitions, configs, records with their keys, headers and " +
        "timestamps. The file is checked as a whole before. Run again after an interruption, it " +
        "goes on where it was.",
    )
    .argument("<file>", "what topic dump has written, or - for standard input")
    .option("--as <name>", "another name for the topic")
    .addOption(replicationOption())
    .option("--groups", "also set the groups to where they were")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
Records get offsets from 0 on, without gaps; groups are set to the same records.

Examples:
  kstream topic load orders.dump --as orders-copy
  zstd -d < orders.dump.zst | kstream topic load - --groups -b other:9092`,
    )
    .action(async (file, options) => (await import("./topic/load.ts")).loadTopic(file, options));
}

function clone(): CommandUnknownOpts {
  return new Command("clone")
    .summary("copy a topic, also to another cluster")
    .description(
      "Copy a topic as it is now, without what open and aborted transactions wrote. Run again " +
        "after an interruption, it goes on where it was.",
    )
    .argument("<topic>", "the topic")
    .argument("<copy>", "the name of the copy")
    .option("--to-brokers <host:port>", "another cluster, by the same TLS and SASL")
    .addOption(replicationOption())
    .option("--groups", "also set groups in the copy to where they are in the topic")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
Examples:
  kstream topic clone orders orders-before-migration --groups
  kstream topic clone orders orders --to-brokers staging:9092`,
    )
    .action(async (topic, copy, options) =>
      (await import("./topic/clone.ts")).cloneTopic(topic, copy, options)
    );
}

function get(): CommandUnknownOpts {
  return new Command("get")
    .summary("show the latest value of a key")
    .description(
      "Show the latest value of a key, found by an index of kstream's or by reading the " +
        "key's partition from its end. Ends with 1 if there is none, or a tombstone.",
    )
    .argument("<topic>", "the topic")
    .argument("<key>", "the key, as text")
    .option("--history", "all records of the key as JSON, one a line")
    .option("--all-partitions", "not only the partition in which Java's partitioner puts the key")
    .option("--base64", "the key is given in base64")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(new Option("--admin <url>", "where the broker's admin API is; off: read instead"))
    .addOption(timeoutOption("how long to wait while nothing comes"))
    .addHelpText(
      "after",
      `
A kstream broker indexes the keys of a topic when the first one is looked for. It is asked if its
admin API is at --admin, or at the usual address of this host where --brokers is on this host.

Examples:
  kstream topic get customers 42
  kstream topic get customers 42 --history | jq .value`,
    )
    .action(async (topic, key, options) =>
      (await import("./topic/get.ts")).getKey(topic, key, options)
    );
}

function replicationOption() {
  return new Option("-r, --replication <number>", "replicas of each partition")
    .argParser(wholeNumber(1, REPLICAS_MAX));
}

function reassign(): CommandUnknownOpts {
  return new Command("reassign")
    .summary("move topics to other brokers, or give them more replicas")
    .description(
      "Show how partitions of topics would move, and with --execute move them while they are used. " +
        "Of any Kafka cluster.",
    )
    .argument("<topic...>", "topics")
    .addOption(
      new Option("-r, --replication <count>", "so many replicas, wherever there is room")
        .argParser(wholeNumber(1, REPLICAS_MAX)),
    )
    .addOption(
      new Option("--to <nodes>", "exactly these brokers, with commas; each leads in turn")
        .argParser(nodeIds),
    )
    .option("--cancel", "leave what is moving where it was")
    .addOption(
      new Option("--partition <number>", "only this partition")
        .argParser(wholeNumber(0, PARTITION_MAX)),
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
A partition stays where it was until all new replicas have what it has. Ctrl-C ends the waiting only; a
rate then stays set until "kstream cluster unthrottle".

Examples:
  kstream topic reassign orders -r 3                   the plan
  kstream topic reassign orders -r 3 --execute --throttle 50MB
  kstream topic reassign orders --to 1,4 --partition 7 --execute
  kstream topic reassign orders --cancel --execute`,
    )
    .action(async (names, options) =>
      (await import("./topic/reassign.ts")).reassign(names, options)
    );
}

const PARTITION_MAX = 2 ** 31 - 1;

/** Different node ids with commas. */
function nodeIds(text: string): number[] {
  const ids = text.split(",").map((each) => each.trim()).map((each) =>
    /^\d{1,9}$/.test(each) ? Number(each) : -1
  );
  if (ids.every((id, at) => id >= 0 && ids.indexOf(id) === at)) return ids;
  throw new InvalidArgumentError("It is no list of different numbers of brokers, as 1,2,3.");
}
