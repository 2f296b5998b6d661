/** `kstream top`: its command line; what it shows is in `top/`. */
import { Command, Option } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { brokersOption, jsonOption, timeoutOption, wholeNumber } from "./admin-command.ts";

const EVERY_SECONDS = 2;
const EVERY_SECONDS_MAX = 3600;

/** The command. */
export function topCommand(): CommandUnknownOpts {
  return new Command("top")
    .description("Watch topics with their rates, and groups with their lag; q ends it.")
    .helpCommand(false)
    .option("--once", "print one frame, with rates over one interval")
    .addOption(
      new Option("-i, --interval <seconds>", "how often to ask")
        .argParser(wholeNumber(1, EVERY_SECONDS_MAX))
        .default(EVERY_SECONDS),
    )
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
Examples:
  kstream top
  kstream top --once --json | jq '.[0].groups[] | select(.lag > 1000)'`,
    )
    .action(async (options) => (await import("./top/run.ts")).runTop(options));
}
