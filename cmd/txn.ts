/** `kstream txn`: the command line of each subcommand; what they do is in `txn/`. */
import { Command, Option } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { brokersOption, jsonOption, timeoutOption, wholeNumber } from "./admin-command.ts";
import { wordsOf } from "./group.ts";
import { parseDuration } from "./txn/duration.ts";

const STATES = [
  "CompleteAbort",
  "CompleteCommit",
  "Dead",
  "Empty",
  "Ongoing",
  "PrepareAbort",
  "PrepareCommit",
  "PrepareEpochFence",
];

/** The command with its subcommands. */
export function txnCommand(): CommandUnknownOpts {
  const command = new Command("txn")
    .description("List, describe and abort transactions, and find those that hang.")
    .helpCommand(false);
  for (const child of [list(), describe(), hanging(), abort()]) command.addCommand(child);
  return command;
}

function list(): CommandUnknownOpts {
  return new Command("list")
    .summary("list transactional ids")
    .description("List transactional ids with their state, producer and coordinator.")
    .addOption(
      new Option("--state <states>", "only in these states, as Ongoing")
        .argParser(wordsOf(STATES)).default([] as readonly string[], "all"),
    )
    .addOption(
      new Option("--producer-id <number>", "only of this producer")
        .argParser(wholeNumber(0, Number.MAX_SAFE_INTEGER)),
    )
    .option("--id <expression>", "only ids that match this regular expression (RE2) as a whole")
    .addOption(
      new Option("--longer <duration>", "only those that run for longer, as 90s, 10m or 2h")
        .argParser(parseDuration),
    )
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
States: ${STATES.join(", ")}.

Examples:
  kstream txn list
  kstream txn list --state ongoing --longer 10m
  kstream txn list --id 'billing-.*' --json`,
    )
    .action(async (options) => (await import("./txn/list.ts")).listTransactions(options));
}

function describe(): CommandUnknownOpts {
  return new Command("describe")
    .summary("show transactions of transactional ids")
    .description("Show state, producer and partitions of the transactions of transactional ids.")
    .argument("<id...>", "the transactional ids")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
FIRST is where the open transaction begins in a partition, and HELD how many records consumers with
read_committed do not get until it ends.

Examples:
  kstream txn describe billing-1
  kstream txn describe billing-1 --json | jq '.[0].startTimeMs'`,
    )
    .action(async (ids, options) =>
      (await import("./txn/describe.ts")).describeTransactions(ids, options)
    );
}

function hanging(): CommandUnknownOpts {
  return new Command("hanging")
    .summary("find transactions that nobody will end")
    .description(
      "Find open transactions in partitions that no coordinator knows of: nothing ends them, and " +
        "they hold back consumers with read_committed.",
    )
    .argument("[topic[:partitions]...]", "look only here, as orders:0-2,5; all topics if left out")
    .addOption(
      new Option("--longer <duration>", "only those whose producer wrote nothing for so long")
        .argParser(parseDuration).default(900_000, "15m"),
    )
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
Examples:
  kstream txn hanging
  kstream txn hanging orders --longer 1m`,
    )
    .action(async (topics, options) =>
      (await import("./txn/hanging.ts")).findHanging(topics, options)
    );
}

function abort(): CommandUnknownOpts {
  return new Command("abort")
    .summary("abort a transaction")
    .description(
      "Show which open transactions would be aborted, and with --execute abort them: what a " +
        "transactional id has open, through its coordinator, which fences the producer; or one " +
        "that hangs in a partition, by an abort marker past the coordinator.",
    )
    .argument("[id]", "the transactional id")
    .addOption(
      new Option("-p, --partition <topic:partition>", "a transaction that hangs here, as orders:0")
        // The environment's KSTREAM_PARTITION is where produce writes.
        .env("KSTREAM_TXN_PARTITION"),
    )
    .addOption(
      new Option("--start-offset <offset>", "the one that begins there, where several are open")
        .argParser(wholeNumber(0, Number.MAX_SAFE_INTEGER)),
    )
    .option("--force", "also one that its coordinator knows of, or an id without open transaction")
    .option("--execute", "do it, and not only show it")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
Examples:
  kstream txn abort billing-1 --execute
  kstream txn abort --partition orders:0 --start-offset 1042 --execute`,
    )
    .action(async (id, options) => (await import("./txn/abort.ts")).abortTransaction(id, options));
}
