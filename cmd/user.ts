/** `kstream user`: the command line of each subcommand; what they do is in `user/`. */
import { Command, Option } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { brokersOption, jsonOption, timeoutOption, wholeNumber } from "./admin-command.ts";

const MECHANISMS = ["SCRAM-SHA-256", "SCRAM-SHA-512"] as const;

/** The command with its subcommands. */
export function userCommand(): CommandUnknownOpts {
  const command = new Command("user")
    .description("List users, set their passwords and delete them (SCRAM).")
    .helpCommand(false);
  for (const child of [list(), set(), remove()]) command.addCommand(child);
  return command;
}

function list(): CommandUnknownOpts {
  return new Command("list")
    .summary("list users")
    .description("List users and how their passwords are hashed; nobody can read a password.")
    .argument("[name...]", "which (default: all)")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText("after", "\nExamples:\n  kstream user list")
    .action(async (names, options) => (await import("./user/list.ts")).listUsers(names, options));
}

function set(): CommandUnknownOpts {
  return new Command("set")
    .summary("add a user, or change a password")
    .description("Add a user with a password, or change that of one. The cluster keeps a hash.")
    .argument("<name>", "who")
    .addOption(
      new Option("--password-file <file>", "file with the password; - for standard input"),
    )
    .addOption(
      new Option("--mechanism <name>", "how it is hashed").choices(MECHANISMS)
        .default("SCRAM-SHA-256" as const),
    )
    .addOption(
      new Option("--iterations <number>", "how often").argParser(wholeNumber(4096, 16384))
        .default(8192),
    )
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
The password is in a file, or in KSTREAM_USER_PASSWORD: the command line is for all to see.

Examples:
  kstream user set alice --password-file alice.secret
  pass show kafka/alice | kstream user set alice --password-file -`,
    )
    .action(async (name, options) => (await import("./user/alter.ts")).setUser(name, options));
}

function remove(): CommandUnknownOpts {
  return new Command("delete")
    .summary("delete users")
    .description("Delete users: nobody can log in as one of them from then on.")
    .argument("<name...>", "who")
    .addOption(
      new Option("--mechanism <name>", "leave the passwords of the other one").choices(MECHANISMS),
    )
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText("after", "\nExamples:\n  kstream user delete alice")
    .action(async (names, options) =>
      (await import("./user/alter.ts")).deleteUsers(names, options)
    );
}
