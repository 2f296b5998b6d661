/** `kstream produce TOPIC [FILE…]`: standard input or files into a topic, a record per line. */
import { Command, Option } from "@commander-js/extra-typings";
import { COMPRESSION_NAMES } from "../core/compression/codec.ts";
import type { CompressionName } from "../core/compression/codec.ts";
import { OperatorError } from "../core/operator-error.ts";
import { brokersOption, timeoutOption, wholeNumber } from "./admin-command.ts";
import { clientIo, clientOptions } from "./client.ts";
import type { HeaderEntry } from "./envelope.ts";
import { unescape } from "./escapes.ts";
import {
  EXPRESSIONS_HELP,
  keyByOption,
  mapOption,
  transformRecords,
  whereOption,
} from "./expression-flags.ts";
import { fileInput, standardInput } from "./produce/inputs.ts";
import { runProduce } from "./produce/run.ts";
import type { ProduceSettings } from "./produce/run.ts";
import { onInterrupt, progressOnTerminal, say } from "./terminal.ts";

const HELP = `
Each line is the value of a record; its bytes are never altered. An empty line is an empty
value, and a last line without newline counts. With --format json each line is an envelope as
"consume --format json" prints it:
  {"key":"k","value":"v","headers":[["name","value"]],"timestamp":1700000000000,"partition":0}
where null is null, "" is empty, and {"base64":"…"} holds what is no UTF-8; only value must be there.

Exit code: 0 everything is acknowledged, 1 failed, 2 usage, 3 no broker answers, 4 partly
delivered. The last line on standard error counts records sent, acknowledged and failed.

Examples:
  kstream produce logs < access.log
  tail -F app.log | kstream produce logs --compression zstd
  printf 'k1\\tv1\\n' | kstream produce table --key-delimiter '\\t'
  kstream consume orders --exit-at-end --format json | kstream produce copy --format json
  kstream produce orders --key-by v.customer.id --where 'v.total > 0' < orders.ndjson
`;

const MAX_INT32 = 0x7fff_ffff;

/** The command, to be added to the tree. */
export function produceCommand() {
  return new Command("produce")
    .description("Write records to a topic, one per line of the input.")
    .argument("<topic>", "created if it is missing and the broker allows it")
    .argument("[file...]", "read instead of standard input, - for that")
    .addOption(brokersOption())
    .option(
      "-K, --key-delimiter <text>",
      "what stands before it in a line is the key (\\t, \\n, …)",
    )
    .option("-H, --header <name=value>", "set on every record; repeatable", collect, [])
    .addOption(
      new Option("-z, --compression <codec>", "of batches").choices(COMPRESSION_NAMES)
        .default("none" as CompressionName),
    )
    .option(
      "-p, --partition <number>",
      "instead of choosing by key or in turn",
      wholeNumber(0, MAX_INT32),
    )
    .addOption(
      new Option("--acks <who>", "must have a record: 0 nobody, 1 the leader, all in sync")
        .choices(["0", "1", "all"]).default("all"),
    )
    .addOption(
      new Option("-f, --format <format>", "of the input").choices(["lines", "json"])
        .default("lines"),
    )
    .option("--no-create", "fail if the topic is missing")
    .addOption(timeoutOption("until a record counts as failed", 60))
    .option(
      "--batch-bytes <bytes>",
      "send a batch of a partition when it has this size",
      wholeNumber(1, MAX_INT32),
    )
    .option("--linger-ms <ms>", "or this age", wholeNumber(0, 60_000))
    .addOption(whereOption())
    .addOption(mapOption())
    .addOption(keyByOption())
    .addHelpText("after", EXPRESSIONS_HELP + HELP)
    .action(async (topic, files, options) => {
      const codecs = options.compression === "none"
        ? {}
        : (await import("../core/compression/bun.ts")).bunCodecs;
      const settings: ProduceSettings = {
        topic,
        client: clientOptions(options),
        format: options.format === "json" ? "json" : "lines",
        partition: options.partition ?? -1,
        keyDelimiter: delimiter(options.keyDelimiter),
        headers: options.header.map(parseHeader),
        transform: await transformRecords(options),
        acks: options.acks === "0" ? 0 : options.acks === "1" ? 1 : "all",
        compression: options.compression,
        codecs,
        create: options.create,
        timeoutMs: options.timeout * 1000,
        ...(options.batchBytes === undefined ? {} : { batchBytes: options.batchBytes }),
        ...(options.lingerMs === undefined ? {} : { lingerMs: options.lingerMs }),
      };
      const names = files.length === 0 ? ["-"] : files;
      const typed = names.includes("-") && process.stdin.isTTY;
      if (typed) say("kstream: every line is a record; Ctrl-D ends");
      const inputs = names.map((file) => file === "-" ? standardInput : () => fileInput(file));
      const signal = onInterrupt();
      const progress = progressOnTerminal(typed);
      // A read of standard input that still waits must not keep the process.
      process.exit(await runProduce(settings, { client: clientIo, inputs, say, progress, signal }));
    });
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

function delimiter(text: string | undefined): Uint8Array | null {
  if (text === undefined) return null;
  if (text === "") throw new OperatorError("the key delimiter is empty", "", "", 2);
  return new TextEncoder().encode(unescape(text));
}

/** `name=value`; a name alone has a null value. */
function parseHeader(text: string): HeaderEntry {
  const equals = text.indexOf("=");
  if (text === "" || equals === 0) {
    throw new OperatorError(`"${text}" is no header`, "", "write name=value", 2);
  }
  if (equals < 0) return [text, null];
  return [text.slice(0, equals), new TextEncoder().encode(text.slice(equals + 1))];
}
