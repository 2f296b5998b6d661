/** `kstream quota`: the command line of each subcommand; what they do is in `quota/`. */
import { Command } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { brokersOption, jsonOption, timeoutOption } from "./admin-command.ts";

const KEYS = `
Quotas: producer_byte_rate and consumer_byte_rate (bytes a second), request_percentage (of the time
of one thread) and controller_mutation_rate (changes of topics a second) for users and client ids;
connection_creation_rate (a second) for addresses. A quota of a user and a client id together wins
over one of the user, that over one of the client id, and each over the defaults.`;

/** The command with its subcommands. */
export function quotaCommand(): CommandUnknownOpts {
  const command = new Command("quota")
    .description("List, set and unset quotas of users, client ids and addresses.")
    .helpCommand(false);
  for (const child of [list(), set(), unset()]) command.addCommand(child);
  return command;
}

function entityCommand(name: string) {
  return new Command(name)
    .option("-u, --user <name>", "a user")
    .option("--default-user", "every user without a quota of its own")
    .option("-i, --client-id <id>", "a client id")
    .option("--default-client-id", "every client id without a quota of its own")
    .option("--ip <address>", "an address")
    .option("--default-ip", "every address without a quota of its own")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption());
}

function list(): CommandUnknownOpts {
  return entityCommand("list")
    .summary("list quotas")
    .description("List quotas: all of them, or those of a user, client id or address.")
    .addHelpText(
      "after",
      `${KEYS}

Examples:
  kstream quota list
  kstream quota list --user alice --json`,
    )
    .action(async (options) => (await import("./quota/list.ts")).listQuotas(options));
}

function set(): CommandUnknownOpts {
  return entityCommand("set")
    .summary("set quotas")
    .description("Set quotas and leave the others as they are.")
    .argument("<quota=number...>", "what to set")
    .addHelpText(
      "after",
      `${KEYS}

Examples:
  kstream quota set --user alice producer_byte_rate=1000000
  kstream quota set --default-user --client-id batch consumer_byte_rate=500000
  kstream quota set --default-ip connection_creation_rate=20`,
    )
    .action(async (quotas, options) =>
      (await import("./quota/alter.ts")).setQuotas(quotas, options)
    );
}

function unset(): CommandUnknownOpts {
  return entityCommand("unset")
    .summary("remove quotas")
    .description("Remove quotas: those that are named, or all of the entity.")
    .argument("[quota...]", "which")
    .addHelpText(
      "after",
      `${KEYS}

Examples:
  kstream quota unset --user alice producer_byte_rate
  kstream quota unset --user alice`,
    )
    .action(async (quotas, options) =>
      (await import("./quota/alter.ts")).unsetQuotas(quotas, options)
    );
}
