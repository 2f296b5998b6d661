/** `kstream doctor`: its command line; the checks are in `doctor/`. */
import { Argument, Command, Option } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { brokersOption, jsonOption, timeoutOption, wholeNumber } from "./admin-command.ts";

const WATCH_SECONDS = 5;
const WATCH_SECONDS_MAX = 3600;

/** The command. */
export function doctorCommand(): CommandUnknownOpts {
  return new Command("doctor")
    .description(
      "Say what is wrong with a cluster, or with one group, and what to do: advertised addresses " +
        "that cannot be reached, partitions without leader or replicas, full disks, records from " +
        "the future, transactions that hang, groups that are blocked and the record that blocks " +
        "them, skewed partitions. Nothing is written. Ends with 1 if something is wrong.",
    )
    .helpCommand(false)
    .addArgument(new Argument("[what]", '"group" for one group').choices(["group"] as const))
    .argument("[name]", "the group")
    .addOption(
      new Option("--watch <seconds>", "how long groups are watched for progress")
        .argParser(wholeNumber(1, WATCH_SECONDS_MAX))
        .default(WATCH_SECONDS),
    )
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
Examples:
  kstream doctor -b kafka:9093
  kstream doctor group billing --watch 30
  kstream doctor --json | jq -r '.findings[].fix'`,
    )
    .action(async (what, name, options) =>
      (await import("./doctor/run.ts")).runDoctor(what, name, options)
    );
}
