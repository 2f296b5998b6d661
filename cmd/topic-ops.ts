/** The subcommands of `kstream topic` that work on whole topics: files of them, copies, keys. */
import { Command, Option } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { brokersOption, jsonOption, timeoutOption } from "./admin-command.ts";

/** In the order of `kstream topic --help`. */
export function topicOpsCommands(): CommandUnknownOpts[] {
  return [apply()];
}

function apply(): CommandUnknownOpts {
  return new Command("apply")
    .summary("create and alter topics as files say")
    .description(
      "Bring topics to what YAML files say. The plan is shown and checked by the broker; nothing " +
        "changes without --execute. Nothing is deleted without --prune.",
    )
    .addOption(
      new Option("-f, --file <path>", "a file, a directory of *.yaml, or - ; may be repeated")
        .argParser((path: string, previous: readonly string[] | undefined) => [
          ...previous ?? [],
          path,
        ])
        .makeOptionMandatory(),
    )
    .option("--prune", "delete topics, and configs of topics, that no file has")
    .option("--execute", "do it")
    .option("--yes", "the same")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
A file:
  topics:
    orders:
      partitions: 12
      replication: 3
      configs:
        retention.ms: 86400000
        cleanup.policy: [compact, delete]
    audit:

What is left out stays as it is, or is the broker's default in a new topic. Topics with names that
begin with _ are never pruned.

Examples:
  kstream topic apply -f topics.yaml                  the plan
  kstream topic apply -f topics.yaml --execute
  kstream topic apply -f topics/ --prune --json | jq '.changes[].action'`,
    )
    .action(async (options) => (await import("./topic/apply.ts")).applyTopics(options));
}
