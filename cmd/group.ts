/** `kstream group`: the command line of each subcommand; what they do is in `group/`. */
import { Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { didYouMean } from "../core/did-you-mean.ts";
import { brokersOption, jsonOption, timeoutOption, wholeNumber } from "./admin-command.ts";
import { TIMES_HELP, utcOption } from "./time-options.ts";

const TYPES = ["classic", "consumer", "share", "streams"];
/** What a group may be in, of whatever type. */
export const STATES = [
  "Assigning",
  "CompletingRebalance",
  "Dead",
  "Empty",
  "NotReady",
  "PreparingRebalance",
  "Reconciling",
  "Stable",
];

/** The command with its subcommands. */
export function groupCommand(): CommandUnknownOpts {
  const command = new Command("group")
    .description(
      "List, describe, seek and delete groups: classic, consumer, share and streams groups.",
    )
    .helpCommand(false);
  for (const child of [list(), describe(), seek(), forget(), remove()]) command.addCommand(child);
  return command;
}

/** An argument parser for words of a list, in any case, with commas between or one by one. */
export function wordsOf(words: readonly string[]) {
  return (text: string, previous: readonly string[]): readonly string[] => [
    ...previous,
    ...text.split(",").map((part) => {
      const found = words.find((word) => word.toLowerCase() === part.trim().toLowerCase());
      if (found !== undefined) return found;
      const near = didYouMean(part.trim(), words);
      throw new InvalidArgumentError(
        near === null ? `It is one of ${words.join(", ")}.` : `(Did you mean ${near}?)`,
      );
    }),
  ];
}

function list(): CommandUnknownOpts {
  return new Command("list")
    .summary("list groups")
    .description("List groups with their state, type and total lag.")
    .addOption(
      new Option("--type <types>", `only of these types: ${TYPES.join(", ")}`)
        .argParser(wordsOf(TYPES)).default([] as readonly string[], "all"),
    )
    .addOption(
      new Option("--state <states>", "only in these states, as Empty,Stable")
        .argParser(wordsOf(STATES)).default([] as readonly string[], "all"),
    )
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
States: ${STATES.join(", ")}.

Examples:
  kstream group list
  kstream group list --type share,streams --state empty
  kstream group list --json | jq -r '.[] | select(.lag > 1000).group'`,
    )
    .action(async (options) => (await import("./group/list.ts")).listGroups(options));
}

function describe(): CommandUnknownOpts {
  return new Command("describe")
    .summary("show members and lag of groups")
    .description("Show state, members and lag of groups: per partition, per topic and in total.")
    .argument("<name...>", "the groups")
    .option("-m, --members", "every member with its id and what it reads")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
LAG is how many records come after the committed offset, up to END. A partition for which nothing is
committed has none; where its reader will start is for the reader to say. A share group has a START
in its place, before which everything is done with, and LAG is what is not. ACTIVE and STANDBY are
tasks of a streams group: 0_1 is task 1 of subtopology 0.

Examples:
  kstream group describe billing
  kstream group describe billing --json | jq '.[0].lag'`,
    )
    .action(async (names, options) =>
      (await import("./group/describe.ts")).describeGroups(names, options)
    );
}

function seek(): CommandUnknownOpts {
  return new Command("seek")
    .summary("move a group to other offsets")
    .description(
      "Show where a group without members would be moved, and with --execute move it there.",
    )
    .argument("<name>", "the group")
    .option("--to <place>", "start, end, 42, +10 (after the start), -10 (before the end), a time")
    .addOption(utcOption())
    .addOption(
      new Option("--shift <records>", "forth, or with a minus back, from where the group is")
        .argParser(wholeNumber(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)),
    )
    .option("--to-file <file>", "to offsets in a file: lines of topic,partition,offset, or JSON")
    .addOption(
      new Option("-t, --topic <topic[:partitions]>", "only these, as orders:0-2,5; may be repeated")
        // The environment's KSTREAM_TOPIC is what serve creates.
        .env("KSTREAM_SEEK_TOPIC")
        .argParser((text: string, before: readonly string[]) => [...before, ...text.split(";")])
        .default([] as readonly string[], "where the group is"),
    )
    .option("--create", "make the group if it is not there")
    .option("--execute", "do it, and not only show it")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `${TIMES_HELP}
With a time the group goes to the first record at or after it. What lies outside a partition becomes
its start or end. A file may also be the JSON that describe and seek print; "-" is standard input.
The state that an application of Kafka Streams keeps on its own disks stays as it is.

Examples:
  kstream group seek billing --to start
  kstream group seek billing --to -6h -t orders --execute
  kstream group seek billing --to 'yesterday 14:00'
  kstream group seek billing --shift -100 -t orders:0 --execute
  kstream group describe billing --json > before.json
  kstream group seek billing --to-file before.json --execute`,
    )
    .action(async (name, options) => (await import("./group/seek.ts")).seekGroup(name, options));
}

function forget(): CommandUnknownOpts {
  return new Command("forget")
    .summary("delete the offsets of a group in some topics")
    .description("Delete the offsets of a group in topics that none of its members reads.")
    .argument("<name>", "the group")
    .argument("<topic...>", "the topics")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
A share group must not have members at all.

Examples:
  kstream group forget billing old-orders`,
    )
    .action(async (name, topics, options) =>
      (await import("./group/forget.ts")).forgetTopics(name, topics, options)
    );
}

function remove(): CommandUnknownOpts {
  return new Command("delete")
    .summary("delete groups with their committed offsets")
    .description("Delete groups of any type that have no members, with their offsets.")
    .argument("<name...>", "the groups")
    .option("--if-exists", "succeed where a group is not there")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
Examples:
  kstream group delete billing
  kstream group delete billing audit --if-exists`,
    )
    .action(async (names, options) =>
      (await import("./group/delete.ts")).deleteGroups(names, options)
    );
}
