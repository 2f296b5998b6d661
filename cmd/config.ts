/** `kstream config`: the command line of each subcommand; what they do is in `config/`. */
import { Argument, Command } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { brokersOption, jsonOption, timeoutOption } from "./admin-command.ts";

const TYPES = ["broker", "topic", "group", "client"] as const;

/** What a name means for each type. */
const NAMES = `
A broker is named by its id, or "default" for all of them; "client" is a subscription to metrics
of clients (KIP-714), by its name.`;

/** The command with its subcommands. */
export function configCommand(): CommandUnknownOpts {
  const command = new Command("config")
    .description("Get, set and unset configs of brokers, topics, groups and client metrics.")
    .helpCommand(false);
  for (const child of [get(), set(), unset()]) command.addCommand(child);
  return command;
}

function typeArgument() {
  return new Argument("<type>", "whose configs").choices(TYPES);
}

function get(): CommandUnknownOpts {
  return new Command("get")
    .summary("show configs")
    .description("Show the configs that differ from the defaults, or those that are named.")
    .addArgument(typeArgument())
    .argument("<name>", "its name")
    .argument("[config...]", "only these")
    .option("-a, --all", "also those at their default")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `${NAMES}

Examples:
  kstream config get topic orders
  kstream config get broker 1 --all
  kstream config get group billing consumer.session.timeout.ms`,
    )
    .action(async (type, name, configs, options) =>
      (await import("./config/get.ts")).getConfigs({ type, name }, configs, options)
    );
}

function set(): CommandUnknownOpts {
  return new Command("set")
    .summary("set configs")
    .description("Set configs and leave the others as they are: all of them or none.")
    .addArgument(typeArgument())
    .argument("<name>", "its name")
    .argument("<config=value...>", "what to set")
    .option("--validate-only", "only check whether it could be done")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `${NAMES}

Examples:
  kstream config set topic orders retention.ms=3600000
  kstream config set broker default log.retention.ms=86400000
  kstream config set client latency metrics=org.apache.kafka.producer interval.ms=60000`,
    )
    .action(async (type, name, configs, options) =>
      (await import("./config/alter.ts")).setConfigs({ type, name }, configs, options)
    );
}

function unset(): CommandUnknownOpts {
  return new Command("unset")
    .summary("put configs back to their defaults")
    .description("Put configs back to what holds where nothing is set: all of them or none.")
    .addArgument(typeArgument())
    .argument("<name>", "its name")
    .argument("<config...>", "which")
    .option("--validate-only", "only check whether it could be done")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `${NAMES}

Examples:
  kstream config unset topic orders retention.ms
  kstream config unset group billing consumer.session.timeout.ms`,
    )
    .action(async (type, name, configs, options) =>
      (await import("./config/alter.ts")).unsetConfigs({ type, name }, configs, options)
    );
}
