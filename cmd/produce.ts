/** `kstream produce TOPIC [FILE…]`: standard input or files into a topic, a record per line. */
import { Command, Option } from "@commander-js/extra-typings";
import { COMPRESSION_NAMES } from "../core/compression/codec.ts";
import type { CompressionName } from "../core/compression/codec.ts";
import { OperatorError } from "../core/operator-error.ts";
import { brokersOption, jsonOption, timeoutOption, wholeNumber } from "./admin-command.ts";
import { clientIo, clientOptions } from "./client.ts";
import type { HeaderEntry } from "../core/text/envelope.ts";
import type { ExpressionFlags } from "./expression-flags.ts";
import {
  EXPRESSIONS_HELP,
  keyByOption,
  mapOption,
  transformRecords,
  whereOption,
} from "./expression-flags.ts";
import { printJson } from "./output.ts";
import { checkResume, inputSettings, onErrorOf } from "./produce/flags.ts";
import type { InputFlags } from "./produce/flags.ts";
import { FRAMES } from "../core/text/framing.ts";
import { inputsOf, totalBytes } from "./produce/inputs.ts";
import { PAYLOADS } from "../core/text/parse-record.ts";
import { runProduce } from "./produce/run.ts";
import type { ProduceCounts, ProduceSettings } from "./produce/run.ts";
import { onInterrupt, progressOnTerminal, say } from "./terminal.ts";

const HELP = `
Each line is the value of a record; its bytes are never altered. An empty line is an empty
value, and a last line without newline counts. --delim, -0 and --frame cut the input otherwise.
With --format json each line is an envelope as "consume --format json" prints it:
  {"key":"k","value":"v","headers":[["name","value"]],"timestamp":1700000000000,"partition":0}
where null is null, "" is empty, and {"base64":"…"} holds what is no UTF-8; only value must be there.
With --format csv the first row names the columns; a row becomes a JSON object of texts, or the
text of --value-column.

--resume NAME keeps how far it is in the cluster (topic kstream-ingest), in the transactions of the
records: killed and started again it goes on there, and readers of committed records
see every record once. A second run under the name ends the first.

Exit code: 0 everything is acknowledged, 1 failed, 2 usage, 3 no broker answers, 4 partly
delivered. The last line on standard error counts records sent, acknowledged and failed.

Examples:
  kstream produce logs < access.log
  kstream produce logs --follow --resume app /var/log/app.log --compression zstd
  printf 'k1\\tv1\\n' | kstream produce table --key-delimiter '\\t' --value int
  kstream consume orders --exit-at-end --format json | kstream produce copy --format json
  kstream produce customers --format csv --key-column id customers.csv
  kstream produce orders --key-by v.customer.id --where 'v.total > 0' < orders.ndjson
  kstream produce orders --format json --on-error dlq:orders-rejected < orders.envelopes
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
    .addOption(formatOption())
    .option("-d, --delim <text>", "what ends a record, instead of a newline (\\t, \\x1e, …)")
    .option("-0, --null", "records end at a NUL byte")
    .addOption(frameOption())
    .addOption(payloadOption("--key <kind>", "how keys are written; int, long: 4 and 8 bytes"))
    .addOption(payloadOption("--value <kind>", "the same of values; json is checked"))
    .option("--null-marker <text>", "a key or value (of CSV: a field) like this is null")
    .option("--key-column <name>", "of CSV: its text is the key")
    .option("--value-column <name>", "of CSV: its text is the value")
    .option("--separator <character>", "of CSV columns, instead of a comma")
    .option("--repartition", "of envelopes: choose partitions anew")
    .option(
      "--on-error <what>",
      "what is no record, or fails in an expression: stop, skip, or dlq:TOPIC",
      "stop",
    )
    .option("--resume <name>", "go on where the last run under this name was")
    .option(
      "--commit-ms <ms>",
      "with --resume: commit at least as often",
      wholeNumber(1, 20_000),
      500,
    )
    .option("--from-start", "with --resume: forget where it was")
    .option("-F, --follow", "go on with what is added to the file, as tail -F")
    .option("--no-create", "fail if the topic is missing")
    .option("--wait-topic", "wait until the topic is there")
    .addOption(timeoutOption("until a record counts as failed", 60))
    .option(
      "--batch-bytes <bytes>",
      "send a batch of a partition when it has this size",
      wholeNumber(1, MAX_INT32),
    )
    .option("--linger-ms <ms>", "or this age", wholeNumber(0, 60_000))
    .addOption(jsonOption())
    .addOption(whereOption())
    .addOption(mapOption())
    .addOption(keyByOption())
    .addHelpText("after", EXPRESSIONS_HELP + HELP)
    .action(run);
}

const formatOption = () =>
  new Option("-f, --format <format>", "of the input").choices(["lines", "json", "csv"] as const)
    .default("lines" as const);

const frameOption = () =>
  new Option("--frame <length>", "what stands before each record: 4 bytes, a varint, a netstring")
    .choices(FRAMES);

const payloadOption = <F extends string>(flags: F, description: string) =>
  new Option(flags, description).choices(PAYLOADS).default("string" as const);

/** All flags as commander gives them. */
type ProduceFlags =
  & InputFlags
  & DeliveryFlags
  & ExpressionFlags
  & Parameters<typeof clientOptions>[0];

interface DeliveryFlags {
  readonly header: readonly string[];
  readonly compression: CompressionName;
  readonly partition?: number | undefined;
  readonly repartition?: true | undefined;
  readonly create: boolean;
  readonly waitTopic?: true | undefined;
  readonly batchBytes?: number | undefined;
  readonly lingerMs?: number | undefined;
  readonly commitMs: number;
  readonly json?: true | undefined;
}

async function run(topic: string, files: string[], flags: ProduceFlags): Promise<void> {
  const names = files.length === 0 ? ["-"] : files;
  checkResume(flags, names);
  const settings = await settingsOf(topic, flags);
  const typed = names.includes("-") && process.stdin.isTTY;
  if (typed) say("kstream: every line is a record; Ctrl-D ends");
  const signal = onInterrupt();
  const progress = progressOnTerminal(typed);
  const follow = flags.follow ?? false;
  const inputs = follow ? await followed(names[0]!, signal) : inputsOf(names);
  const known = progress === null || follow ? null : await totalBytes(names);
  let counts: ProduceCounts | null = null;
  const counted = (all: ProduceCounts) => void (counts = all);
  const io = { client: clientIo, inputs, totalBytes: known, say, counted, progress, signal };
  let exitCode: number;
  try {
    exitCode = await runProduce(settings, io);
  } finally {
    if (flags.json && counts !== null) await printJson(counts);
  }
  // A read of standard input that still waits must not keep the process.
  process.exit(exitCode);
}

async function settingsOf(topic: string, flags: ProduceFlags): Promise<ProduceSettings> {
  const { acks, compression, resume, batchBytes, lingerMs } = flags;
  const needsCodecs = compression !== "none" || resume !== undefined;
  return {
    ...inputSettings(flags),
    topic,
    client: clientOptions(flags),
    partition: flags.partition ?? -1,
    repartition: flags.repartition ?? false,
    repartitionName: "--repartition",
    headers: flags.header.map(parseHeader),
    transform: await transformRecords(flags),
    acks: acks === "0" ? 0 : acks === "1" ? 1 : "all",
    compression,
    codecs: needsCodecs ? (await import("../core/compression/bun.ts")).bunCodecs : {},
    create: flags.create,
    waitTopic: flags.waitTopic ?? false,
    timeoutMs: flags.timeout * 1000,
    onError: onErrorOf(flags, topic),
    resume: resume ?? null,
    commitMs: flags.commitMs,
    fromStart: flags.fromStart ?? false,
    ...(batchBytes === undefined ? {} : { batchBytes }),
    ...(lingerMs === undefined ? {} : { lingerMs }),
  };
}

async function followed(path: string, signal: AbortSignal) {
  const { followedInputs } = await import("./produce/follow.ts");
  return followedInputs(path, { clock: clientIo.clock, say, signal });
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
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
