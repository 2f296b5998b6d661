/** The options that commands get from the program: TLS and SASL, the profile, colours. */
import { Option } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { COLOR_MODES } from "./color.ts";
import { PROFILE_OPTION } from "./profile-store.ts";
import { addSecurityOptions } from "./security.ts";

const GROUP = "Everywhere:";

/** Gives a command and all below it what all commands of its kind have. */
export function addSharedOptions(command: CommandUnknownOpts): void {
  addSecurityOptions(command);
  addToLeaves(command);
}

function addToLeaves(command: CommandUnknownOpts): void {
  for (const child of command.commands) addToLeaves(child);
  if (command.commands.length > 0) return;
  if (connects(command)) {
    command.addOption(
      new Option(`--${PROFILE_OPTION} <name>`, "settings of this profile; see kstream profile")
        .helpGroup(GROUP),
    );
  }
  command.addOption(
    new Option("--color <when>", "colours on a terminal, always or never")
      .choices(COLOR_MODES).default("auto").helpGroup(GROUP),
  );
}

/** Whether it needs a cluster: a profile is one, so the command that runs a broker has none. */
function connects(command: CommandUnknownOpts): boolean {
  return command.options.some(({ long, flags }) =>
    long === "--brokers" || (long === "--admin" && flags.includes("<url>"))
  );
}
