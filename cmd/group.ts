/** `kstream group`: the command line of each subcommand; what they do is in `group/`. */
import { Command } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { brokersOption, jsonOption, timeoutOption } from "./admin-command.ts";

/** The command with its subcommands. */
export function groupCommand(): CommandUnknownOpts {
  const command = new Command("group")
    .description("List, describe and delete consumer groups.")
    .helpCommand(false);
  for (const child of [list(), describe(), remove()]) command.addCommand(child);
  return command;
}

function list(): CommandUnknownOpts {
  return new Command("list")
    .summary("list groups")
    .description("List groups with their state and total lag.")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
Examples:
  kstream group list
  kstream group list --json | jq -r '.[] | select(.lag > 1000).group'`,
    )
    .action(async (options) => (await import("./group/list.ts")).listGroups(options));
}

function describe(): CommandUnknownOpts {
  return new Command("describe")
    .summary("show members and lag of groups")
    .description("Show state, members and lag of groups: per partition, per topic and in total.")
    .argument("<name...>", "the groups")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
LAG is how many records come after the committed offset, up to END. A partition for which nothing is
committed has none; where its reader will start is for the reader to say.

Examples:
  kstream group describe billing
  kstream group describe billing --json | jq '.[0].lag'`,
    )
    .action(async (names, options) =>
      (await import("./group/describe.ts")).describeGroups(names, options)
    );
}

function remove(): CommandUnknownOpts {
  return new Command("delete")
    .summary("delete groups with their committed offsets")
    .description("Delete groups that have no members, with their committed offsets.")
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
