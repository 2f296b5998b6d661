/** `kstream topic`: the command line of each subcommand; what they do is in `topic/`. */
import { Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { adminUrlOption } from "./admin-client.ts";
import { brokersOption, jsonOption, timeoutOption, wholeNumber } from "./admin-command.ts";
import { TIMES_HELP, utcOption } from "./time-options.ts";
import { topicOpsCommands } from "./topic-ops.ts";

const PARTITIONS_MAX = 1_000_000;
const REPLICAS_MAX = 32_767;

/** The command with its subcommands. */
export function topicCommand(): CommandUnknownOpts {
  const command = new Command("topic")
    .description("Create, list, describe, alter, trim, delete and restore topics.")
    .helpCommand(false);
  const own = [create(), list(), describe(), alter(), trim(), purge(), remove(), undo()];
  for (const child of own) {
    command.addCommand(child);
  }
  for (const child of topicOpsCommands()) command.addCommand(child);
  return command;
}

function create(): CommandUnknownOpts {
  return new Command("create")
    .summary("create topics")
    .description("Create topics; done when they can be written to.")
    .argument("<name...>", "the topics")
    .addOption(
      new Option("-p, --partitions <number>", "partitions of each (default: the broker's)")
        .argParser(wholeNumber(1, PARTITIONS_MAX)),
    )
    .addOption(
      new Option("-r, --replication <number>", "replicas of each partition (default: the broker's)")
        .argParser(wholeNumber(1, REPLICAS_MAX)),
    )
    .addOption(configOption("a topic config, as retention.ms=3600000; may be repeated"))
    .option("--if-not-exists", "succeed where a topic is there already")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
Examples:
  kstream topic create orders
  kstream topic create orders audit -p 12 -r 3 -c cleanup.policy=compact
  kstream topic create orders --if-not-exists -c retention.ms=86400000 -c segment.bytes=1000000`,
    )
    .action(async (names, options) =>
      (await import("./topic/create.ts")).createTopics(names, options)
    );
}

function list(): CommandUnknownOpts {
  return new Command("list")
    .summary("list topics")
    .description("List topics with their numbers of partitions and replicas.")
    .option("--internal", "also the cluster's own topics, as __consumer_offsets")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
Examples:
  kstream topic list
  kstream topic list --json | jq -r '.[].topic'`,
    )
    .action(async (options) => (await import("./topic/list.ts")).listTopics(options));
}

function describe(): CommandUnknownOpts {
  return new Command("describe")
    .summary("show topics in full")
    .description(
      "Show partitions, leaders, replicas, offsets, sizes, configs and what an acknowledgement " +
        "means; of all topics if none is named.",
    )
    .argument("[name...]", "the topics")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
ISR are the replicas that are in sync. START is the first offset that is kept, END the next one to
be written as consumers see it. Configs are those that differ from Kafka's defaults.

Examples:
  kstream topic describe orders
  kstream topic describe orders --json | jq '.[0].partitions[] | .endOffset - .startOffset'`,
    )
    .action(async (names, options) =>
      (await import("./topic/describe.ts")).describeTopics(names, options)
    );
}

function alter(): CommandUnknownOpts {
  return new Command("alter")
    .summary("change a topic's configs or add partitions")
    .description("Change configs of a topic or add partitions. All is checked before a change.")
    .argument("<name>", "the topic")
    .addOption(
      new Option("-p, --partitions <number>", "the new total; partitions can only be added")
        .argParser(wholeNumber(1, PARTITIONS_MAX)),
    )
    .addOption(configOption("set a topic config, as retention.ms=3600000; may be repeated"))
    .addOption(
      new Option("--delete-config <name>", "go back to the default; may be repeated")
        .argParser((name: string, previous: readonly string[]) => [...previous, name])
        .default([] as readonly string[], "none"),
    )
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
With more partitions, keys move: new records of a key may go to another partition than older ones.

Examples:
  kstream topic alter orders -c retention.ms=86400000 --delete-config segment.bytes
  kstream topic alter orders -p 12`,
    )
    .action(async (name, options) => (await import("./topic/alter.ts")).alterTopic(name, options));
}

function trim(): CommandUnknownOpts {
  return new Command("trim")
    .summary("delete the oldest records")
    .description("Show which records before a place would go, and with --execute delete them.")
    .argument("<topic[:partitions]...>", "the topics, as orders or orders:0-2,5")
    .addOption(
      new Option(
        "--before <place>",
        "a time, 42, +10 (after the start), -10 (the last ten stay) or end (all goes)",
      ).makeOptionMandatory(),
    )
    .addOption(utcOption())
    .option("--execute", "do it, and not only show it")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `${TIMES_HELP}
Before a time means: before the first record with that timestamp or a later one. Exit code 4 if it
worked for some partitions only.

Examples:
  kstream topic trim orders --before -7d
  kstream topic trim orders:0 --before 4711 --execute
  kstream topic trim orders audit --before 'yesterday 06:00' --execute`,
    )
    .action(async (specs, options) => (await import("./topic/trim.ts")).trimTopics(specs, options));
}

function purge(): CommandUnknownOpts {
  return new Command("purge")
    .summary("delete all records of topics")
    .description(
      "Show how many records topics have, and with --execute delete all of them. The topics stay, " +
        "with their configs; their offsets go on. On kstream topic undo brings the records back.",
    )
    .argument("<topic[:partitions]...>", "the topics, as orders or orders:0-2,5")
    .option("--execute", "do it, and not only show it")
    .option("--yes", "the same")
    .option("--for-good", "do not keep the records, so that the disk has the space at once")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(adminUrlOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
A kstream broker keeps what is purged as it keeps deleted topics (kstream.trash.ms); that takes its
admin API. Apache Kafka deletes it for good. Exit code 4 if it worked for some partitions only.

Examples:
  kstream topic purge orders
  kstream topic purge orders:0-2,5 --execute
  kstream topic purge orders --for-good --execute`,
    )
    .action(async (specs, options) =>
      (await import("./topic/purge.ts")).purgeTopics(specs, options)
    );
}

function undo(): CommandUnknownOpts {
  return new Command("undo")
    .summary("bring back a deleted topic or purged records")
    .description(
      "List deleted topics and purged records that can come back, or bring one back.",
    )
    .argument("[topic]", "its name (the last thing done to it), or an id; none lists them")
    .option("--as <name>", "give a deleted topic another name")
    .addOption(jsonOption())
    .addOption(adminUrlOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
A kstream broker keeps deleted topics for a day (kstream.trash.ms), up to 10 GB (kstream.trash.bytes)
and while the disk has room. A topic comes back with its id, records, offsets and configs, without
what groups had committed. What topic purge deleted comes back below what was written since, the
last purge first, if nothing of that has been deleted. What was trimmed does not come back.

Examples:
  kstream topic undo
  kstream topic undo orders
  kstream topic undo orders --as orders-old`,
    )
    .action(async (name, options) => (await import("./topic/undo.ts")).undoTopic(name, options));
}

function remove(): CommandUnknownOpts {
  return new Command("delete")
    .summary("delete topics with all their records")
    .description("Delete topics with all their records, without asking back.")
    .argument("<name...>", "the topics")
    .option("--if-exists", "succeed where a topic is not there")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
Examples:
  kstream topic delete orders
  kstream topic delete orders audit --if-exists`,
    )
    .action(async (names, options) =>
      (await import("./topic/delete.ts")).deleteTopics(names, options)
    );
}

/** `-c, --config`; in the environment it has a name of its own, as `serve --config` is a file. */
function configOption(description: string) {
  return new Option("-c, --config <name=value>", description)
    .env("KSTREAM_TOPIC_CONFIG")
    .argParser((text: string, previous: Readonly<Record<string, string>>) => {
      const at = text.indexOf("=");
      if (at < 1) throw new InvalidArgumentError("Write it as name=value.");
      const name = text.slice(0, at).trim();
      if (Object.hasOwn(previous, name)) {
        throw new InvalidArgumentError(`"${name}" is given twice.`);
      }
      return { ...previous, [name]: text.slice(at + 1).trim() };
    })
    .default({} as Readonly<Record<string, string>>, "none");
}
