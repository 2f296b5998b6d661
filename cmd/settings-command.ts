/** `kstream settings`: the command line; what it does is in `settings/explain.ts`. */
import { Command } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { jsonOption } from "./admin-command.ts";

/** The command with its subcommand. */
export function settingsCommand(): CommandUnknownOpts {
  const command = new Command("settings")
    .description("Explain where options have their values from.")
    .helpCommand(false)
    // What stands behind the words of a command is that command's.
    .enablePositionalOptions();
  command.addCommand(explain());
  return command;
}

function explain(): CommandUnknownOpts {
  return new Command("explain")
    .summary("say where each option of a command has its value from")
    .description(
      "Say for each option of a command its value and whether flag, environment, file, profile or " +
        "default won; of all commands only what is set, if none is named.",
    )
    .argument("[command...]", "the command, with its flags if any")
    .addOption(jsonOption())
    .passThroughOptions()
    .addHelpText(
      "after",
      `
Nothing is done but to explain. Flags before the command are of "explain" itself.

Examples:
  kstream settings explain
  kstream settings explain topic list
  kstream settings explain --json consume orders --profile staging -e`,
    )
    .action(async (words, options) =>
      (await import("./settings/explain.ts")).explainSettings(words, options)
    );
}
