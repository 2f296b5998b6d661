/** `kstream connect`: the command line of each subcommand; what they do is in `connect/`. */
import { Command, Option } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { brokersOption, jsonOption, timeoutOption, wholeNumber } from "./admin-command.ts";
import {
  pluginMemoryOption,
  pluginsOption,
  threadsOption,
} from "./connect/hosts/plugin-options.ts";
import { workerOption } from "./connect/rest-client.ts";

const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

/** The command with its subcommands. */
export function connectCommand(): CommandUnknownOpts {
  const command = new Command("connect")
    .description(
      "Move data between topics and other systems: run connectors, and look after those of workers. " +
        "The commands that ask a worker work with any that has Kafka Connect's REST API.",
    )
    .helpCommand(false);
  const parts = [
    run(),
    workerCommand(),
    validate(),
    testRun(),
    plugins(),
    newCommand(),
    list(),
    status(),
    create(),
    apply(),
  ];
  const states = [state("pause"), state("resume"), state("stop"), restart(), remove(), offsets()];
  for (const child of [...parts, ...states]) command.addCommand(child);
  return command;
}

/** The command with its group and what is said of its REST API. */
function workerWithRest() {
  return new Command("worker")
    .requiredOption("--group <name>", "which group; those of Java workers are refused")
    .addOption(
      new Option("--rest <host:port>", "where the REST API listens; port 0 takes any")
        .default("127.0.0.1:8083"),
    )
    .addOption(
      new Option("--rest-users <file>", "whom the REST API lets in: lines NAME:PASSWORD"),
    )
    .addOption(
      new Option("--rest-cert <file>", "have it speak TLS with this certificate (PEM)"),
    )
    .addOption(new Option("--rest-key <file>", "the key of the certificate (PEM)"))
    .addOption(
      new Option("--rest-ca <file>", "who signs the certificates of other workers (PEM)"),
    )
    .addOption(
      new Option("--advertise <host:port>", "where other workers find the REST API, if elsewhere"),
    );
}

function workerCommand(): CommandUnknownOpts {
  return workerWithRest()
    .summary("run a worker of a group, which shares connectors with the others")
    .description(
      "Run a worker of a group: its workers share connectors and tasks, and when one is gone the others " +
        "take over what it had. What connectors there are is kept in topics of the group, in Kafka " +
        "Connect's own form, and changed by the REST API of any of its workers.",
    )
    .addOption(new Option("--config-topic <name>", "default: GROUP-configs"))
    .addOption(new Option("--status-topic <name>", "default: GROUP-status"))
    .addOption(new Option("--offset-topic <name>", "default: GROUP-offsets"))
    .addOption(
      new Option(
        "--replication-factor <n>",
        "of these topics, where they are made; -1: the brokers'",
      )
        .argParser(wholeNumber(-1, 32_767)).default(-1),
    )
    .addOption(
      new Option("--exactly-once", "the leader writes in transactions: one of before is fenced"),
    )
    .addOption(new Option("--allow-exec", "have connectors that run commands, as this user"))
    .addOption(pluginsOption())
    .addOption(pluginMemoryOption("--plugin-memory <size>"))
    .addOption(threadsOption())
    .addOption(
      new Option("--session-timeout <seconds>", "who is not heard of for so long is gone")
        .argParser(wholeNumber(3, 1800)).default(10),
    )
    .addOption(
      new Option("--rebalance-delay <seconds>", "how long its work waits for it to come back")
        .argParser(wholeNumber(0, 3600)).default(5),
    )
    .addOption(
      new Option("--offset-flush-interval <seconds>", "how often it is stored how far tasks are")
        .argParser(wholeNumber(1, 3600)).default(60),
    )
    .addOption(
      new Option(
        "--shutdown-timeout <seconds>",
        "how long tasks may take to end; 2 s later it ends",
      )
        .argParser(wholeNumber(1, 600)).default(5),
    )
    .addOption(
      new Option("--log-level <level>", "least urgent lines to log; the REST API changes it")
        .choices(LOG_LEVELS).default("info" as const),
    )
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
Beyond this host the REST API is open only to --rest-users. kstream connect list, create, apply and the
others ask it, as does any tool for Kafka Connect.

Examples:
  kstream connect worker --group lake -b kafka:9092
  kstream connect worker --group lake -b kafka:9092 --rest 10.0.0.1:8083 --rest-users users`,
    )
    .action(async (options, command) => {
      const version = command.parent?.parent?.version() ?? "";
      await (await import("./connect/worker.ts")).runWorker(options, version);
    });
}

const CONFIG_HELP = `
A config is YAML, JSON or Java properties; maps become keys with dots, lists values with commas:

  name: orders-to-files
  connector: file-sink
  topics: [orders]
  file: /data/orders.jsonl`;

const LOG_FORMATS = ["text", "json"] as const;
const MAX_INT32 = 0x7fff_ffff;

function restartsOption() {
  return new Option("--restarts <number>", "how often in a row a task that fails begins again")
    .argParser(wholeNumber(0, MAX_INT32)).default(10);
}

function run(): CommandUnknownOpts {
  return new Command("run")
    .summary("run connectors of files, in this process")
    .description(
      "Run connectors, alone, until it is stopped, or until all sources have come to their end " +
        "where there is nothing else.",
    )
    .argument("<file...>", "configs, or folders of them; - is standard input")
    .addOption(
      new Option("--offsets-topic <name>", "keep what sources have read in this topic")
        .default("kstream-connect-offsets"),
    )
    .addOption(new Option("--offsets-file <file>", "keep it in a file instead"))
    .addOption(restartsOption())
    .addOption(new Option("--allow-exec", "have connectors that run commands, as this user"))
    .addOption(pluginsOption())
    .addOption(pluginMemoryOption("--plugin-memory <size>"))
    .addOption(threadsOption())
    .addOption(
      new Option("--log-level <level>", "log from there on").choices(LOG_LEVELS).default(
        "info" as const,
      ),
    )
    .addOption(
      new Option("--log-format <format>", "how").choices(LOG_FORMATS).default("text" as const),
    )
    .addOption(brokersOption())
    .addOption(timeoutOption("how long to try to reach the cluster"))
    .addHelpText(
      "after",
      `${CONFIG_HELP}

Secrets stay out of configs: \${env:NAME}, \${file:PATH} or \${file:PATH:KEY}.

Examples:
  kstream connect run orders-to-files.yaml
  kstream connect run connectors/ --offsets-file offsets.json`,
    )
    .action(async (files, options) =>
      (await import("./connect/run.ts")).runConnectors(files, options)
    );
}

function validate(): CommandUnknownOpts {
  return new Command("validate")
    .summary("check configs without running them")
    .description(
      "Check configs: print each problem with its file and line. Targets are asked whether they are " +
        "there and let us in.",
    )
    .argument("<path...>", "configs, or folders of them; - is standard input")
    .addOption(new Option("--offline", "do not ask targets"))
    .addOption(pluginsOption())
    .addHelpText("after", `${CONFIG_HELP}\n\nExamples:\n  kstream connect validate connectors/`)
    .action(async (paths, options) =>
      (await import("./connect/validate.ts")).validateConfigs(paths, options)
    );
}

function testRun(): CommandUnknownOpts {
  return new Command("test")
    .summary("show what a connector makes of real records")
    .description(
      "Show records before (<) and after (>) transforms and converters: what a source reads first, or " +
        "the latest of a sink's topics. Nothing is written, no offset moves.",
    )
    .argument("<file>", "a config; - is standard input")
    .addOption(
      new Option("-n, --records <number>", "how many").argParser(wholeNumber(1, 10_000)).default(
        10,
      ),
    )
    .addOption(pluginsOption())
    .addOption(brokersOption())
    .addOption(timeoutOption("how long to wait for them", 10))
    .addHelpText("after", `${CONFIG_HELP}\n\nExamples:\n  kstream connect test orders.yaml -n 3`)
    .action(async (file, options) =>
      (await import("./connect/test.ts")).testConnector(file, options)
    );
}

function plugins(): CommandUnknownOpts {
  return new Command("plugins")
    .summary("list connectors that there are; explain one")
    .description(
      "List connectors that there are, or explain one with all its settings; also a converter, a " +
        "transform or a predicate.",
    )
    .argument("[name]", "which one")
    .addOption(new Option("--all", "list converters, transforms and predicates, too"))
    .addOption(pluginsOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nExamples:\n  kstream connect plugins --all\n  kstream connect plugins file-sink",
    )
    .action(async (name, options) => {
      const { listPlugins, showPlugin } = await import("./connect/plugins.ts");
      await (name === undefined ? listPlugins(options) : showPlugin(name, options));
    });
}

function newCommand(): CommandUnknownOpts {
  return new Command("new")
    .summary("begin a connector of your own")
    .description(
      "Make a folder with a connector that runs, its config, a test and types for editors.",
    )
    .argument("<dir>", "which folder; its name is that of the connector")
    .addOption(new Option("--sink", "a sink, in place of a source"))
    .addHelpText(
      "after",
      "\nExamples:\n  kstream connect new my-source\n  kstream connect new my-sink --sink",
    )
    .action(async (folder, options, command) => {
      const version = command.parent?.parent?.version() ?? "";
      await (await import("./connect/new.ts")).newConnector(folder, options, version);
    });
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
