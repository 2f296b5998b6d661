/** `kstream wait`: the command line of each subcommand; what they do is in `wait/`. */
import { Command, Option } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { brokersOption, jsonOption, timeoutOption, wholeNumber } from "./admin-command.ts";
import { EXPRESSIONS_HELP, whereOption } from "./expression-flags.ts";
import { STATES, wordsOf } from "./group.ts";
import { TIMES_HELP, utcOption } from "./time-options.ts";

const COUNT_MAX = Number.MAX_SAFE_INTEGER;

/** The command with its subcommands. */
export function waitCommand(): CommandUnknownOpts {
  const command = new Command("wait")
    .description("Wait until a cluster, a topic, a group or records are as wanted.")
    .helpCommand(false)
    .addHelpText(
      "after",
      `
A broker that does not answer yet is waited for. Exit code: 0 so it is, 1 not in time, 2 usage, 3 no
broker answered.`,
    );
  for (const child of [ready(), topic(), group(), records()]) command.addCommand(child);
  return command;
}

function ready(): CommandUnknownOpts {
  return new Command("ready")
    .summary("wait until a cluster can be written to and read from")
    .description(
      "Wait until all brokers answer where they are advertised and have loaded their groups, and all " +
        "partitions have leaders that answer for them.",
    )
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption("how long to wait, as 30s or 5m"))
    .addHelpText(
      "after",
      `
Examples:
  kstream wait ready --timeout 60s
  HEALTHCHECK CMD ["kstream", "wait", "ready", "--timeout", "2s"]`,
    )
    .action(async (options) => (await import("./wait/ready.ts")).waitReady(options));
}

function topic(): CommandUnknownOpts {
  return new Command("topic")
    .summary("wait for a topic")
    .description("Wait until a topic is there and all its partitions have leaders.")
    .argument("<name>", "the topic")
    .addOption(
      new Option("-p, --partitions <number>", "at least so many")
        .argParser(wholeNumber(1, 1_000_000)),
    )
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption("how long to wait, as 30s or 5m"))
    .addHelpText(
      "after",
      `
Examples:
  kstream wait topic orders --timeout 30s
  kstream wait topic orders -p 3`,
    )
    .action(async (name, options) => (await import("./wait/topic.ts")).waitTopic(name, options));
}

function group(): CommandUnknownOpts {
  return new Command("group")
    .summary("wait for a group")
    .description("Wait until a group is there and all that is asked of it holds at once.")
    .argument("<name>", "the group")
    .addOption(
      new Option("--lag <records>", "it is not more than so many records behind, in all")
        .argParser(wholeNumber(0, COUNT_MAX)),
    )
    .addOption(
      new Option("--state <states>", "it is in one of these states, as Stable or Empty")
        .argParser(wordsOf(STATES)).default([] as readonly string[], "any"),
    )
    .addOption(
      new Option("--members <number>", "it has at least so many")
        .argParser(wholeNumber(1, COUNT_MAX)),
    )
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption("how long to wait, as 30s or 5m"))
    .addHelpText(
      "after",
      `
Where a group has committed nothing in a partition that it reads, all of it counts as lag.

Examples:
  kstream wait group billing --lag 0 --timeout 5m
  kstream wait group billing --state Stable --members 3`,
    )
    .action(async (name, options) => (await import("./wait/group.ts")).waitGroup(name, options));
}

function records(): CommandUnknownOpts {
  return new Command("records")
    .summary("wait for records")
    .description("Wait until a topic has so many records, or so many for which --where holds.")
    .argument("<topic>", "the topic, which may be yet to come")
    .addOption(
      new Option("-n, --count <records>", "so many").argParser(wholeNumber(1, COUNT_MAX))
        .default(1),
    )
    .addOption(whereOption())
    .option("--from <place>", "count from here: start, end, 42, -10 or a time", "start")
    .addOption(utcOption())
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption("how long to wait, as 30s or 5m"))
    .addHelpText(
      "after",
      `${EXPRESSIONS_HELP}${TIMES_HELP}
Records of open and aborted transactions do not count.

Examples:
  kstream wait records orders --count 100
  kstream wait records orders --where 'v.status === "paid"' --from end --timeout 30s`,
    )
    .action(async (name, options) => {
      await (await import("./wait/records.ts")).waitRecords(name, options);
    });
}
