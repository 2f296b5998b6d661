/** `kstream profile`: the command line of each subcommand; what they do is in `profile/`. */
import { Command } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { jsonOption } from "./admin-command.ts";

const gather = (text: string, before: readonly string[]): readonly string[] => [...before, text];

/** The command with its subcommands. */
export function profileCommand(): CommandUnknownOpts {
  const command = new Command("profile")
    .description("Keep clusters by name: where they are, how to get in, defaults of commands.")
    .helpCommand(false);
  for (const child of [list(), show(), set(), use(), remove()]) command.addCommand(child);
  return command;
}

function list(): CommandUnknownOpts {
  return new Command("list")
    .summary("list profiles")
    .description("List profiles; the one that commands use here is marked.")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Examples:
  kstream profile list
  kstream profile list --json | jq -r '.[].profile'`,
    )
    .action(async (options) => (await import("./profile/show.ts")).listProfiles(options));
}

function show(): CommandUnknownOpts {
  return new Command("show")
    .summary("show the settings of a profile")
    .description("Show the settings of a profile; secrets are not shown.")
    .argument("[name]", "the profile (default: the one in use)")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Examples:
  kstream profile show
  kstream profile show staging --json`,
    )
    .action(async (name, options) =>
      (await import("./profile/show.ts")).showProfile(name ?? null, options)
    );
}

function set(): CommandUnknownOpts {
  return new Command("set")
    .summary("make a profile, or change its settings")
    .description("Make a profile, or change its settings.")
    .argument("<name>", "the profile")
    .argument("[setting=value...]", "long names of options, as brokers=kafka:9093 or tls=true")
    .option("--unset <setting>", "remove a setting; may be repeated", gather, [])
    .option("--use", "also use it from now on")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
brokers, admin, timeout, color and the options of TLS and SASL are for all commands; an option of
one command has its name before: consume.format=json. "description" is free text. A value "-" is
read from standard input, which keeps a password out of the shell's history. The file is
~/.config/kstream/config.toml (XDG_CONFIG_HOME moves it), readable by you alone; comments that
somebody wrote into it are lost.

Examples:
  kstream profile set local brokers=127.0.0.1:9092 admin=http://127.0.0.1:8080
  kstream profile set prod brokers=kafka-1:9093,kafka-2:9093 tls-ca=/etc/ca.pem sasl-user=me --use
  pass show kafka | kstream profile set prod sasl-password=-
  kstream profile set prod consume.format=json --unset description`,
    )
    .action(async (name, settings, options) =>
      (await import("./profile/change.ts")).setProfile(name, settings, options)
    );
}

function use(): CommandUnknownOpts {
  return new Command("use")
    .summary("choose the profile that commands use")
    .description(
      "Choose the profile that commands use where neither flag nor environment names one.",
    )
    .argument("[name]", "the profile")
    .option("--none", "use none")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
--profile NAME chooses for one command, KSTREAM_PROFILE for a shell, profile = "NAME" in
kstream.toml for a directory.

Examples:
  kstream profile use staging
  kstream profile use --none`,
    )
    .action(async (name, options) =>
      (await import("./profile/change.ts")).useProfile(name ?? null, options)
    );
}

function remove(): CommandUnknownOpts {
  return new Command("delete")
    .summary("delete profiles")
    .description("Delete profiles with their settings.")
    .argument("<name...>", "the profiles")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Examples:
  kstream profile delete staging`,
    )
    .action(async (names, options) =>
      (await import("./profile/change.ts")).deleteProfiles(names, options)
    );
}
