/** `kstream inspect`: the command line of each subcommand; what they do is in `inspect/`. */
import { Command, Option } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { jsonOption, wholeNumber } from "./admin-command.ts";
import type { InspectKind } from "./inspect/run.ts";

/** What is decoded, and what a path may be. */
const KINDS: Readonly<Record<InspectKind, string>> = {
  segment: "the batches of a .log, with --records also their records",
  index: "a sparse index by offset (.index)",
  timeindex: "a sparse index by time (.timeindex)",
  txnindex: "the aborted transactions of a segment (.txnindex)",
  keyindex: "which keys are where (.keyindex); with --records also the hashes of keys",
  snapshot: "the state of producers (.snapshot)",
  group: "records of __consumer_offsets: a .log, or the folder of a partition",
  transaction: "records of __transaction_state, likewise",
  share: "records of __share_group_state, likewise",
  metadata: "records of __cluster_metadata, likewise, or one of its snapshots",
  checkpoint: "offsets or leader epochs in a text checkpoint",
};

/** A path for the example of each. */
const EXAMPLES: Readonly<Record<InspectKind, string>> = {
  segment: "data/orders-0/00000000000000000000.log --records",
  index: "data/orders-0/00000000000000000000.index",
  timeindex: "data/orders-0/00000000000000000000.timeindex",
  txnindex: "data/orders-0/00000000000000000000.txnindex",
  keyindex: "data/orders-0/00000000000000000000.keyindex",
  snapshot: "data/orders-0/00000000000000001000.snapshot",
  group: "data/__consumer_offsets-12 --json | jq -c .value",
  transaction: "data/__transaction_state-7",
  share: "data/__share_group_state-3",
  metadata: "data/__cluster_metadata-0",
  checkpoint: "data/recovery-point-offset-checkpoint",
};

/** The command with its subcommands. */
export function inspectCommand(): CommandUnknownOpts {
  const command = new Command("inspect")
    .description(
      "Decode what is in a data directory, ours or Kafka's. This only reads. Damage is named by " +
        "its position in the file, and ends with 1.",
    )
    .helpCommand(false)
    .addHelpText(
      "after",
      `
Examples:
  kstream inspect segment data/orders-0/00000000000000000000.log --records
  kstream inspect group data/__consumer_offsets-12 --json | jq -c .value
  kstream inspect checkpoint data/recovery-point-offset-checkpoint`,
    );
  for (const [kind, summary] of entriesOf(KINDS)) command.addCommand(subcommand(kind, summary));
  return command;
}

function subcommand(kind: InspectKind, summary: string): CommandUnknownOpts {
  return new Command(kind)
    .description(`Decode ${summary}.`)
    .summary(summary)
    .argument("<path>", "what to decode")
    .addOption(
      new Option("-n, --count <number>", "at most so many lines")
        .argParser(wholeNumber(1, Number.MAX_SAFE_INTEGER)),
    )
    .option("--records", "also the records of batches, the keys of runs")
    .addOption(jsonOption())
    .addHelpText("after", `\nExamples:\n  kstream inspect ${kind} ${EXAMPLES[kind]}`)
    .action(async (path, options) =>
      (await import("./inspect/run.ts")).inspect(kind, path, options)
    );
}

function entriesOf<K extends string>(of: Readonly<Record<K, string>>): [K, string][] {
  return Object.entries(of) as [K, string][];
}
