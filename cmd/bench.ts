/** `kstream bench`: the command line of each subcommand; what they do is in `bench/`. */
import { Command, Option } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { brokersOption, jsonOption, timeoutOption, wholeNumber } from "./admin-command.ts";

const RECORDS_MAX = 1_000_000_000;
const RATE_MAX = 10_000_000;
const SIZE_MAX = 1_000_000;

/** The command with its subcommands. */
export function benchCommand(): CommandUnknownOpts {
  const command = new Command("bench")
    .description("Measure a cluster: throughput, and latency as somebody sees who does not wait.")
    .helpCommand(false);
  for (const child of [produce(), consume(), latency()]) command.addCommand(child);
  return command;
}

function produce(): CommandUnknownOpts {
  return new Command("produce")
    .summary("how many records a second can be written")
    .description(
      "Write records as fast as acknowledgements allow, or at a rate. Latency is counted from when " +
        "a record was due, not from when it could be sent.",
    )
    .argument("<topic>", "where to write; it has to be there")
    .addOption(recordsOption(1_000_000))
    .addOption(sizeOption(100))
    .addOption(rateOption())
    .addOption(acksOption())
    .addOption(
      new Option("-z, --compression <codec>", "of batches")
        .choices(["none", "gzip", "snappy", "lz4", "zstd"] as const)
        .default("none" as const),
    )
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      `
Examples:
  kstream bench produce load
  kstream bench produce load --size 1000 --rate 5000 --records 50000 --acks all`,
    )
    .action(async (topic, options) =>
      (await import("./bench/produce.ts")).benchProduce(topic, options)
    );
}

function consume(): CommandUnknownOpts {
  return new Command("consume")
    .summary("how many records a second can be read")
    .description("Read what a topic has, from its start.")
    .argument("<topic>", "what to read")
    .addOption(recordsOption(RECORDS_MAX, "at most so many records"))
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText("after", "\nExamples:\n  kstream bench consume load --json | jq .recordsPerSecond")
    .action(async (topic, options) =>
      (await import("./bench/consume.ts")).benchConsume(topic, options)
    );
}

function latency(): CommandUnknownOpts {
  return new Command("latency")
    .summary("how long records take from producer to consumer")
    .description(
      "Write records at a rate and read them at the same time: how long each took from when it was " +
        "due until it was read.",
    )
    .argument("<topic>", "where to write; it has to be there")
    .addOption(recordsOption(10_000))
    .addOption(sizeOption(100))
    .addOption(rateOption(1000))
    .addOption(acksOption())
    .addOption(jsonOption())
    .addOption(brokersOption())
    .addOption(timeoutOption())
    .addHelpText("after", "\nExamples:\n  kstream bench latency load --rate 2000 --records 20000")
    .action(async (topic, options) =>
      (await import("./bench/latency.ts")).benchLatency(topic, options)
    );
}

function recordsOption(records: number, description = "how many records") {
  return new Option("-n, --records <number>", description)
    .argParser(wholeNumber(1, RECORDS_MAX))
    .default(records);
}

function sizeOption(bytes: number) {
  return new Option("-s, --size <bytes>", "of each value")
    .argParser(wholeNumber(8, SIZE_MAX))
    .default(bytes);
}

function rateOption(rate = 0) {
  const unbounded = rate === 0 ? "; 0 for as fast as it goes" : "";
  return new Option("-r, --rate <number>", `records a second${unbounded}`)
    .argParser(wholeNumber(rate === 0 ? 0 : 1, RATE_MAX))
    .default(rate);
}

function acksOption() {
  return new Option("--acks <acks>", "who has to have it").choices(["0", "1", "all"] as const)
    .default("all" as const);
}
