/** `kstream connect`: the command line of each subcommand; what they do is in `connect/`. */
import { Command, Option } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { jsonOption, timeoutOption } from "./admin-command.ts";
import { workerOption } from "./connect/rest-client.ts";

/** The command with its subcommands. */
export function connectCommand(): CommandUnknownOpts {
  const command = new Command("connect")
    .description(
      "Move data between topics and other systems: run connectors, and look after those of workers. " +
        "The commands that ask a worker work with any that has Kafka Connect's REST API.",
    )
    .helpCommand(false);
  const parts = [list(), status(), create(), apply()];
  const states = [state("pause"), state("resume"), state("stop"), restart(), remove(), offsets()];
  for (const child of [...parts, ...states]) command.addCommand(child);
  return command;
}

function list(): CommandUnknownOpts {
  return new Command("list")
    .summary("list the connectors of a worker's group")
    .description("List connectors with their state, which is that of the task that is worst off.")
    .addOption(jsonOption())
    .addOption(workerOption())
    .addOption(timeoutOption())
    .addHelpText("after", "\nExamples:\n  kstream connect list")
    .action(async (options) => (await import("./connect/show.ts")).listConnectors(options));
}

function status(): CommandUnknownOpts {
  return new Command("status")
    .summary("show what a connector and its tasks do")
    .description("Show connector and tasks, and why they have failed. Exit code 1 if any has.")
    .argument("<name>", "which connector")
    .addOption(jsonOption())
    .addOption(workerOption())
    .addOption(timeoutOption())
    .addHelpText("after", "\nExamples:\n  kstream connect status orders-to-lake")
    .action(async (name, options) =>
      (await import("./connect/show.ts")).connectorStatus(name, options)
    );
}

const CONFIG_HELP = `
A config is YAML, JSON or Java properties; maps become keys with dots, lists values with commas:

  name: orders-to-files
  connector: file-sink
  topics: [orders]
  file: /data/orders.jsonl`;

function create(): CommandUnknownOpts {
  return new Command("create")
    .summary("make connectors of files")
    .description("Make connectors that are not there yet.")
    .argument("<file...>", "configs, or folders of them; - is standard input")
    .addOption(
      new Option("--state <state>", "what they do at first").choices(
        ["running", "paused", "stopped"] as const,
      ),
    )
    .addOption(workerOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `${CONFIG_HELP}\n\nExamples:\n  kstream connect create orders.yaml --state stopped`,
    )
    .action(async (files, options) =>
      (await import("./connect/apply.ts")).createConnectors(files, options)
    );
}

function apply(): CommandUnknownOpts {
  return new Command("apply")
    .summary("make connectors as files say; touch only what differs")
    .description("Make or change connectors so that they are as the files say.")
    .argument("<path...>", "configs, or folders of them; - is standard input")
    .addOption(new Option("--dry-run", "only say what would be done"))
    .addOption(workerOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `${CONFIG_HELP}\n\nExamples:\n  kstream connect apply connectors/ --dry-run`,
    )
    .action(async (paths, options) =>
      (await import("./connect/apply.ts")).applyConfigs(paths, options)
    );
}

const STATES = {
  pause: "keep connectors from working; their tasks stay",
  resume: "have connectors go on",
  stop: "end the tasks of connectors, so that offsets can be set",
} as const;

function state(verb: keyof typeof STATES): CommandUnknownOpts {
  const summary = STATES[verb];
  return new Command(verb)
    .summary(summary)
    .description(`${summary[0]!.toUpperCase()}${summary.slice(1)}.`)
    .argument("<name...>", "which connectors")
    .addOption(workerOption())
    .addOption(timeoutOption())
    .addHelpText("after", `\nExamples:\n  kstream connect ${verb} orders-to-lake`)
    .action(async (names, options) =>
      (await import("./connect/act.ts")).setState(verb, names, options)
    );
}

function restart(): CommandUnknownOpts {
  return new Command("restart")
    .summary("begin connectors and their tasks again")
    .description(
      "Begin connectors again. Failed tasks begin again by themselves, too, for a while.",
    )
    .argument("<name...>", "which connectors")
    .addOption(new Option("--tasks", "their tasks, too"))
    .addOption(new Option("--only-failed", "only what has failed"))
    .addOption(workerOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      "\nExamples:\n  kstream connect restart orders-to-lake --tasks --only-failed",
    )
    .action(async (names, options) =>
      (await import("./connect/act.ts")).restartConnectors(names, options)
    );
}

function remove(): CommandUnknownOpts {
  return new Command("delete")
    .summary("delete connectors")
    .description(
      "Delete connectors. Their offsets stay: one of the same name goes on there, unless they are " +
        "reset before.",
    )
    .argument("<name...>", "which connectors")
    .addOption(workerOption())
    .addOption(timeoutOption())
    .addHelpText("after", "\nExamples:\n  kstream connect delete orders-to-lake")
    .action(async (names, options) =>
      (await import("./connect/act.ts")).deleteConnectors(names, options)
    );
}

function offsets(): CommandUnknownOpts {
  const command = new Command("offsets")
    .summary("show, set and forget where connectors have come to")
    .description("Show, set and forget where a connector has come to.")
    .helpCommand(false);
  const get = new Command("get")
    .summary("print where a connector has come to")
    .description("Print where a connector has come to, as JSON that `set` takes.")
    .argument("<name>", "which connector")
    .addOption(workerOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      "\nExamples:\n  kstream connect offsets get orders-to-lake > offsets.json",
    )
    .action(async (name, options) => (await import("./connect/act.ts")).getOffsets(name, options));
  const set = new Command("set")
    .summary("set where a connector goes on")
    .description("Set where a stopped connector goes on; an offset of null forgets one.")
    .argument("<name>", "which connector")
    .argument("<file>", "JSON as `get` prints it; - is standard input")
    .addOption(workerOption())
    .addOption(timeoutOption())
    .addHelpText("after", "\nExamples:\n  kstream connect offsets set orders-to-lake offsets.json")
    .action(async (name, file, options) =>
      (await import("./connect/act.ts")).setOffsets(name, file, options)
    );
  const reset = new Command("reset")
    .summary("have a connector begin anew")
    .description("Forget where a stopped connector has come to: it begins anew.")
    .argument("<name>", "which connector")
    .addOption(workerOption())
    .addOption(timeoutOption())
    .addHelpText("after", "\nExamples:\n  kstream connect offsets reset orders-to-lake")
    .action(async (name, options) =>
      (await import("./connect/act.ts")).resetOffsets(name, options)
    );
  for (const child of [get, set, reset]) command.addCommand(child);
  return command;
}
