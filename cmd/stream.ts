/** `kstream stream`: the command line of each subcommand; what they do is in `stream/`. */
import { Command, Option } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { brokersOption, jsonOption, timeoutOption, wholeNumber } from "./admin-command.ts";
import { TIMES_HELP, utcOption } from "./time-options.ts";

/** The command with its subcommands. */
export function streamCommand(): CommandUnknownOpts {
  const command = new Command("stream")
    .description("Process streams of records: applications in TypeScript, on any Kafka.")
    .helpCommand(false);
  const children = [
    run(),
    sql(),
    pipe(),
    describe(),
    diff(),
    testCommand(),
    newCommand(),
    reset(),
    settings(),
  ];
  for (const child of children) command.addCommand(child);
  return command;
}

const APP_HELP = `
An application is a module of TypeScript or JavaScript. Nothing has to be installed for it:

  import { string, TopologyBuilder } from "kstream/stream";
  export const config = { "application.id": "shouts" };
  const text = { value: string() }; // JSON otherwise
  const builder = new TopologyBuilder();
  builder.stream("lines", text).mapValues((line) => line.toUpperCase()).to("shouts", text);
  export default builder;

The default export may be a function that makes it of the config; kstream stream settings lists settings.`;

function setOption() {
  return new Option("--set <name=value...>", "a setting of the application, by Kafka's name");
}

const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
const LOG_FORMATS = ["text", "json"] as const;

function run(): CommandUnknownOpts {
  return new Command("run")
    .summary("run an application")
    .description(
      "Run an application as a member of its group until it is stopped: members share the work, by " +
        "topics' partitions. Settings are Kafka's; those of --set go before those of --config, and these " +
        "before what the application exports as `config`.",
    )
    .argument("<file>", "a module")
    .addOption(new Option("--config <file>", "settings: YAML, JSON or Java properties"))
    .addOption(setOption())
    .addOption(
      new Option("--log-level <level>", "log from there on").choices(LOG_LEVELS).default(
        "info" as const,
      ),
    )
    .addOption(
      new Option("--log-format <format>", "how").choices(LOG_FORMATS).default("text" as const),
    )
    .addOption(
      new Option("--queries <host:port>", "answer queries of stores over HTTP; port 0 takes any"),
    )
    .addOption(
      new Option("--queries-token <file>", "who asks has to know what is in it; members too"),
    )
    .addOption(
      new Option("--queries-advertise <host:port>", "where other members ask, if elsewhere"),
    )
    .addOption(
      new Option("--queries-cert <file>", "speak TLS with this certificate (PEM), as all members"),
    )
    .addOption(new Option("--queries-key <file>", "its key (PEM)"))
    .addOption(
      new Option("--queries-ca <file>", "who signs other members' certificates (PEM)"),
    )
    .option("--watch", "begin anew when the module, what it imports or --config changes")
    .addOption(new Option("--watched", "be the process that is begun anew").hideHelp())
    .addOption(brokersOption())
    .addOption(timeoutOption("how long to try to reach the cluster"))
    .addHelpText(
      "after",
      `${APP_HELP}

What is processed counts exactly once, unless processing.guarantee is at_least_once.

With --queries: GET /stores, /stores/NAME?from=&to=&limit=, /stores/NAME/KEY (of windows with from= and
to= as times; of versions asof=). Members ask one another. Beyond this host it needs --queries-token.

Examples:
  kstream stream run app.ts
  kstream stream run app.ts -b kafka:9092 --set application.id=shouts-2
  kstream stream run app.ts --set num.stream.threads=4
  kstream stream run app.ts --watch
  kstream stream run app.ts --set processing.exception.handler=dlq \\
    --set errors.dead.letter.queue.topic.name=shouts-dead
  kstream stream run app.ts --queries 127.0.0.1:8090`,
    )
    .action(async (file, options, command) => {
      if (options.watched === true) (await import("./stream/watch.ts")).endWithWatcher();
      else if (options.watch === true) {
        const { watchApp } = await import("./stream/watch.ts");
        return await watchApp(file, options.config, process.argv.slice(2));
      }
      const isBrokersGiven = command.getOptionValueSource("brokers") !== "default";
      await (await import("./stream/run.ts")).runApp(file, options, isBrokersGiven);
    });
}

/** Of applications that are written on the command line. */
function oneLiner(name: string) {
  return new Command(name)
    .option("--name <id>", "the application's id: what is run again under it goes on")
    .addOption(
      new Option("--limit <rows>", "end after so many rows that are printed").argParser(
        wholeNumber(1, Number.MAX_SAFE_INTEGER),
      ),
    )
    .option("-e, --exit-at-end", "end, of what is printed, at what is the end now")
    .addOption(new Option("--config <file>", "settings: YAML, JSON or Java properties"))
    .addOption(setOption())
    .addOption(
      new Option("--log-level <level>", "log from there on").choices(LOG_LEVELS).default(
        "warn" as const,
      ),
    )
    .addOption(
      new Option("--log-format <format>", "how").choices(LOG_FORMATS).default("text" as const),
    )
    .addOption(brokersOption())
    .addOption(timeoutOption("how long to try to reach the cluster"));
}

function sql(): CommandUnknownOpts {
  return oneLiner("sql")
    .summary("run a query over topics of JSON")
    .description(
      "Run a query over topics of JSON until it is stopped. With INTO it is an application: rows are " +
        "written exactly once, members that run the same query share the work, and it goes on where it " +
        "was. Without, rows are printed from the beginning of the topics on, and nothing stays behind. " +
        "EXPLAIN SELECT … says what a query does.",
    )
    .argument("<query>", "the query, or - for standard input")
    .option("--keys", "print keys and times of rows too, and rows that are no more")
    .addHelpText(
      "after",
      `
Examples:
  kstream stream sql "SELECT * FROM orders WHERE amount > 100"
  kstream stream sql "SELECT country, count(*) AS n FROM orders GROUP BY country" --exit-at-end
  kstream stream sql "SELECT country, count(*) AS n FROM orders GROUP BY country INTO by_country"
  kstream stream sql "SELECT count(*) AS n, windowstart FROM clicks WINDOW TUMBLING (1 minute)"
  kstream stream sql "SELECT o.id, c.name FROM orders o JOIN TABLE(users) c ON o.by = c.rowkey"
  kstream stream sql "EXPLAIN SELECT sum(amount) AS total FROM orders"`,
    )
    .action(async (query, options) => (await import("./stream/sql.ts")).runSql(query, options));
}

function pipe(): CommandUnknownOpts {
  return oneLiner("pipe")
    .summary("filter, map and key records of topics into another one")
    .description(
      "Take records of topics through expressions into another topic, exactly once, until it is stopped. " +
        "Members that run the same share the work, and it goes on where it was. Without --to values are " +
        "printed, and nothing stays behind.",
    )
    .argument("<topic...>", "what to read")
    .option("--where <expression>", "only records for which this holds")
    .option("--map <expression>", "the value to write")
    .option("--key-by <expression>", "the key to write")
    .option("--to <topic>", "what to write")
    .addHelpText(
      "after",
      `
Expressions are those of consume and produce.

Examples:
  kstream stream pipe orders --where 'v.total > 100' --to big
  kstream stream pipe orders returns --map '({ id: v.id })' --key-by v.customer --to ids`,
    )
    .action(async (topics, options) => (await import("./stream/pipe.ts")).runPipe(topics, options));
}

function describe(): CommandUnknownOpts {
  return new Command("describe")
    .summary("show what an application is made of")
    .description(
      "Show the steps, stores and topics of an application: in the form of Kafka's " +
        "TopologyDescription, as a flowchart of Mermaid, or as JSON that `diff` takes. With --live: an " +
        "application as it runs, with what went through each step, lag and stores; of all its members, " +
        "whichever is asked.",
    )
    .argument("[file]", "a module, or JSON that was printed before")
    .addOption(
      new Option("--live <url>", "in place of a file: where a member has its --queries"),
    )
    .addOption(new Option("--queries-token <file>", "what the members ask for, with --live"))
    .addOption(new Option("--queries-ca <file>", "who signs their certificates (PEM), with --live"))
    .addOption(
      new Option("--format <format>", "how").choices(["text", "mermaid", "json"] as const)
        .default("text" as const),
    )
    .addOption(setOption())
    .addOption(timeoutOption("how long to wait for the member of --live"))
    .addHelpText(
      "after",
      `${APP_HELP}

Examples:
  kstream stream describe app.ts
  kstream stream describe app.ts --format mermaid > app.mmd
  kstream stream describe app.ts --format json > before.json
  kstream stream describe --live 127.0.0.1:8090`,
    )
    .action(async (file, options) =>
      (await import("./stream/describe.ts")).describeApp(file, options)
    );
}

function diff(): CommandUnknownOpts {
  return new Command("diff")
    .summary("say what it means to go on with a changed application")
    .description(
      "Say what it means to go on with a changed application: what has to be reset, what is left over " +
        "in the cluster (orphan), what begins empty (begin), and what goes on otherwise (note). Exit " +
        "code 1 if something has to be reset.",
    )
    .argument("<old-file>", "a module, or JSON of `describe`")
    .argument("<new-file>", "the same")
    .addOption(setOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Examples:
  git show main:app.ts > before.ts && kstream stream diff before.ts app.ts
  kstream stream diff before.json app.ts --json`,
    )
    .action(async (before, after, options) =>
      (await import("./stream/describe.ts")).diffApps(before, after, options)
    );
}

function testCommand(): CommandUnknownOpts {
  return new Command("test")
    .summary("run tests of applications, without a broker")
    .description(
      "Run tests of applications: files that import `kstream/stream/testing`, in which an application " +
        "runs on a clock that the test moves, without a broker. The runner is Bun's, which is in this " +
        "program: `test` of node:test and of bun:test, `expect`, snapshots.",
    )
    .argument("[file...]", "files of tests; default: all below this folder")
    .addOption(new Option("-t, --name <regex>", "only tests whose names match"))
    .addOption(new Option("--watch", "again, whenever a file changes"))
    .addOption(
      new Option("--timeout <seconds>", "of each test").argParser(wholeNumber(1, 86_400)).default(
        30,
      ),
    )
    .addHelpText(
      "after",
      `
Examples:
  kstream stream test app.test.ts
  kstream stream test --watch -t counts`,
    )
    .action(async (files, options) => {
      const exitCode = await (await import("./stream/test.ts")).testApps(files, options);
      if (exitCode !== 0) process.exit(exitCode);
    });
}

function newCommand(): CommandUnknownOpts {
  return new Command("new")
    .summary("begin an application of your own")
    .description("Make a folder with an application that runs, a test and types for editors.")
    .argument("<dir>", "which folder; its name is that of the application")
    .addHelpText("after", "\nExamples:\n  kstream stream new word-counts")
    .action(async (folder, _options, command) => {
      const version = command.parent?.parent?.version() ?? "";
      await (await import("./stream/new.ts")).newApp(folder, version);
    });
}

function reset(): CommandUnknownOpts {
  return new Command("reset")
    .summary("have an application begin anew")
    .description(
      "Show what has to be done for an application to begin anew, and with --execute do it: its inputs " +
        "are read again from a place, topics that it both writes and reads from their ends, topics that " +
        "it has made for itself are deleted, and so is its state on this machine. It must not run.",
    )
    .argument("[file]", "its module; without one give --application-id and --topic")
    .option("--application-id <id>", "in place of that in its config")
    .addOption(
      new Option("--to <place>", "where to read inputs from: as group seek has it").default(
        "start",
      ),
    )
    .addOption(utcOption())
    .addOption(
      new Option("-t, --topic <topic...>", "only these inputs, as orders:0-2,5; default: all")
        // The environment's KSTREAM_TOPIC is what serve creates.
        .env("KSTREAM_RESET_TOPIC"),
    )
    .option("--intermediate <topic...>", "more topics to be read from their ends")
    .option("--orphans", "delete what earlier versions of it have left, too")
    .option("--state-dir <dir>", "where members keep their state; default: that of the config")
    .addOption(setOption())
    .option("--execute", "do it, and not only show it")
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `${TIMES_HELP}
With the id alone, topics named ID-…-changelog and ID-…-repartition are taken for its own, also those of
an application in Java; those of another application whose id begins so are left alone. State on other
machines has to be deleted there.

Examples:
  kstream stream reset app.ts
  kstream stream reset app.ts --execute
  kstream stream reset app.ts --to 'yesterday 14:00' --orphans
  kstream stream reset --application-id billing -t orders payments --execute`,
    )
    .action(async (file, options, command) => {
      const isDefault = command.getOptionValueSource("brokers") === "default";
      await (await import("./stream/reset.ts")).resetApp(file, options, isDefault);
    });
}

function settings(): CommandUnknownOpts {
  return new Command("settings")
    .summary("list what applications can be set to")
    .description(
      "List the settings of applications, with their defaults: those of Kafka Streams by Kafka's names. " +
        "They are given by --set, --config, or the `config` that an application exports.",
    )
    .argument("[name...]", "only these")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Examples:
  kstream stream settings
  kstream stream settings commit.interval.ms num.standby.replicas`,
    )
    .action(async (names, options) =>
      (await import("./stream/settings.ts")).listSettings(names, options)
    );
}
