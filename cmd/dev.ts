/** `kstream dev`: the command line of each subcommand; what they do is in `dev/`. */
import { Command } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { adminUrlOption } from "./admin-client.ts";
import { jsonOption, timeoutOption, wholeNumber } from "./admin-command.ts";

const FAULTS = `
A fault strikes requests of an API, by its name in Kafka's protocol ("*": of every API):
  error=NAME            the answer has this error, and what it strikes is not executed
  latency=200ms         the answer comes so much later
  drop, drop=after      the connection ends before, or after, the request is executed
Which of them: topic=NAME, partition=N, client=ID. How often: every time, or
  once, times=5         the first, the first five
  nth=3                 the third alone
  p=0.1                 one in ten, by chance`;

/** The command with its subcommands. */
export function devCommand(): CommandUnknownOpts {
  const command = new Command("dev")
    .description("Order faults from a broker of serve --dev, and move its clock.")
    .helpCommand(false);
  const fault = new Command("fault")
    .description("Let requests meet with errors, delays and dropped connections.")
    .helpCommand(false);
  for (const child of [add(), list(), remove(), clear()]) fault.addCommand(child);
  command.addCommand(fault);
  command.addCommand(clock());
  return command;
}

function clock(): CommandUnknownOpts {
  return devOptions("clock")
    .summary("show the broker's time, or move it forward")
    .description("Show the broker's time, or move it forward.")
    .argument("[move]", "+7d, +90s and so on; without it the time is shown", "show")
    .option("--sessions", "let time pass for the sessions of members of groups too")
    .addHelpText(
      "after",
      `
What is kept by age grows older at once: records (by when they were written), compaction lag,
producer ids, committed offsets, open transactions. It is done when the command ends. Requests and
connections do not time out by it. Time never goes back; a restart of the broker ends it.

Examples:
  kstream dev clock
  kstream dev clock +7d                   retention, offsets, transactions
  kstream dev clock +1m --sessions        members that have not been heard of are gone`,
    )
    .action(async (move, options) => (await import("./dev/clock.ts")).devClock(move, options));
}

function devOptions(name: string) {
  return new Command(name)
    .addOption(jsonOption())
    .addOption(adminUrlOption())
    .addOption(timeoutOption());
}

function add(): CommandUnknownOpts {
  return devOptions("add")
    .summary("add a fault")
    .description("Add a fault.")
    .argument("<api>", "whose requests, as Produce or offset-commit")
    .argument("<what...>", "error=NAME, latency=200ms, drop, topic=NAME, once and so on")
    .addHelpText(
      "after",
      `${FAULTS}

Examples:
  kstream dev fault add produce topic=orders error=NOT_LEADER_OR_FOLLOWER once
  kstream dev fault add fetch latency=200ms p=0.1
  kstream dev fault add produce drop=after nth=3 client=billing
  kstream dev fault add heartbeat error=REBALANCE_IN_PROGRESS times=2`,
    )
    .action(async (api, what, options) =>
      (await import("./dev/fault.ts")).addFault(api, what, options)
    );
}

function list(): CommandUnknownOpts {
  return devOptions("list")
    .summary("list faults and how often they struck")
    .description("List the faults and how often each has struck.")
    .addHelpText("after", "\nExamples:\n  kstream dev fault list")
    .action(async (options) => (await import("./dev/fault.ts")).listFaults(options));
}

function remove(): CommandUnknownOpts {
  return devOptions("remove")
    .summary("remove a fault")
    .description("Remove a fault.")
    .argument("<id>", "as listed", wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .addHelpText("after", "\nExamples:\n  kstream dev fault remove 1")
    .action(async (id, options) => (await import("./dev/fault.ts")).removeFault(id, options));
}

function clear(): CommandUnknownOpts {
  return devOptions("clear")
    .summary("remove all faults")
    .description("Remove all faults.")
    .addHelpText("after", "\nExamples:\n  kstream dev fault clear")
    .action(async (options) => (await import("./dev/fault.ts")).clearFaults(options));
}
