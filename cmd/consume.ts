/** `kstream consume TOPIC`: the records of a topic to standard output. */
import { Command, Option } from "@commander-js/extra-typings";
import { OperatorError } from "../core/operator-error.ts";
import { brokersOption, timeoutOption, wholeNumber } from "./admin-command.ts";
import { clientIo, clientOptions } from "./client.ts";
import { EXPRESSIONS_HELP, mapOption, selectRecords, whereOption } from "./expression-flags.ts";
import { FormatSyntaxError, parseFormat, printValueLine } from "./consume/format.ts";
import type { Printer } from "./consume/format.ts";
import { OffsetSyntaxError, parseOffsetRange } from "./consume/offset-range.ts";
import type { OffsetRange } from "./consume/offset-range.ts";
import { runConsume } from "./consume/run.ts";
import { stdoutReaderGone, writeStdout } from "./stdout.ts";
import { onInterrupt, say } from "./terminal.ts";

const HELP = `
Without a group it reads from the start, with one from the group's committed offset, else from
the start; it commits only what standard output has taken. It goes on until it is interrupted,
unless --count, --exit-at-end or a range says where to end.

Offsets: start, end, 42, +10 (ten after the start), -10 (ten before the end), @TIME, or a range
of two of them: 42:50, :end, @-1h:end, @2026-01-31:1d. TIME is milliseconds or seconds since
1970, a day, an RFC 3339 time, or a duration ago such as -90s or -2d12h.

Formats: text with \\n \\t \\xNN and: %t topic, %p partition, %o offset, %k key, %s or %v value,
%T or %d timestamp (ms), %h headers, %H how many, %K %S %V lengths of key and value (-1: null),
%R length of the value in 4 bytes, %% a percent sign; %v{hex}, %k{base64}, %T{iso}. "json" prints
an envelope a line, which "produce --format json" takes; null and "" differ in it.

Exit code: 0 done, 1 failed (no such topic), 2 usage, 3 no broker answers in time, 4 the range was
not complete.

Examples:
  kstream consume logs | grep ERROR
  kstream consume logs --offset -10 --exit-at-end
  kstream consume orders --group billing --format '%p:%o %T{iso} %k %v\\n'
  kstream consume orders --offset @-1h:end --format json > last-hour.json
  kstream consume jobs --share workers --count 100 | xargs -n1 do-it
  kstream consume orders --where 'v.total > 100 && h.trace === "x"' --map v.customer
`;

/** The command, to be added to the tree. */
export function consumeCommand() {
  return new Command("consume")
    .description("Print the records of a topic.")
    .argument("<topic>", "the topic")
    .addOption(brokersOption())
    .addOption(
      new Option("-o, --offset <offset>", "where to begin, or a range; see below")
        .default("start"),
    )
    .addOption(
      new Option("-n, --count <records>", "end after so many")
        .argParser(wholeNumber(1, Number.MAX_SAFE_INTEGER)),
    )
    .option("-e, --exit-at-end", "end at what is the end now", false)
    .option("-g, --group <group>", "share the partitions with the group, and commit")
    .option("--share <group>", "take records from a share group, each accepted once written")
    .option("-p, --partition <list>", "only these, with commas between")
    .option("-f, --format <format>", "how to print a record; see below", "%v\\n")
    .addOption(
      new Option("--isolation <level>", "whether records of open transactions count")
        .choices(["read_uncommitted", "read_committed"]).default("read_uncommitted"),
    )
    .addOption(whereOption())
    .addOption(mapOption())
    .addOption(timeoutOption("how long no broker may answer", 60))
    .addHelpText("after", EXPRESSIONS_HELP + HELP)
    .action(async (topic, options) => {
      const range = rangeOf(options.offset);
      refuseContradictions(options, range);
      refuseWithShare(options);
      const print = printerOf(options.format);
      const partitions = partitionsOf(options.partition);
      const select = await selectRecords(options);
      const { bunCodecs } = await import("../core/compression/bun.ts");
      const client = clientOptions(options);
      const common = {
        topic,
        client,
        codecs: bunCodecs,
        count: options.count ?? null,
        select,
        print,
      };
      const io = {
        client: clientIo,
        write: writeStdout,
        readerGone: stdoutReaderGone,
        say,
        signal: onInterrupt(),
      };
      if (options.share !== undefined) {
        const { runShare } = await import("./consume/share.ts");
        process.exit(await runShare({ ...common, group: options.share }, io));
      }
      process.exit(
        await runConsume({
          ...common,
          partitions,
          range,
          exitAtEnd: options.exitAtEnd,
          group: options.group ?? null,
          isolationLevel: options.isolation === "read_committed"
            ? "read_committed"
            : "read_uncommitted",
        }, io),
      );
    });
}

function rangeOf(text: string): OffsetRange {
  try {
    return parseOffsetRange(text, clientIo.clock.wallMs());
  } catch (error) {
    if (!(error instanceof OffsetSyntaxError)) throw error;
    throw new OperatorError(error.message, "", "", 2);
  }
}

function printerOf(format: string): Printer {
  if (format === "%v\\n" || format === "%s\\n") return printValueLine;
  try {
    return parseFormat(format);
  } catch (error) {
    if (!(error instanceof FormatSyntaxError)) throw error;
    throw new OperatorError(`the format "${format}" cannot be read`, error.message, "", 2);
  }
}

function partitionsOf(text: string | undefined): number[] | null {
  if (text === undefined) return null;
  if (!/^\d{1,9}(,\d{1,9})*$/.test(text)) {
    throw new OperatorError(`"${text}" is no list of partitions`, "", "write 0 or 0,2", 2);
  }
  return [...new Set(text.split(",").map(Number))];
}

/** A share group says itself where to begin, what counts, and who gets what. */
function refuseWithShare(
  options: {
    share?: string | undefined;
    group?: string | undefined;
    partition?: string | undefined;
    offset: string;
    exitAtEnd: boolean;
    isolation: string;
  },
): void {
  if (options.share === undefined) return;
  const other = [
    options.group === undefined ? null : "--group",
    options.partition === undefined ? null : "--partition",
    options.offset === "start" ? null : "--offset",
    options.exitAtEnd ? "--exit-at-end" : null,
    options.isolation === "read_uncommitted" ? null : "--isolation",
  ].find((flag) => flag !== null);
  if (other === undefined) return;
  throw new OperatorError(
    `${other} does not go with --share`,
    "a share group begins and reads as its configs say (share.auto.offset.reset, " +
      "share.isolation.level)",
    `leave out ${other}, or set the config with "kstream config set group"`,
    2,
  );
}

/** A group says itself where to begin and which partitions to read. */
function refuseContradictions(
  options: { group?: string | undefined; partition?: string | undefined; offset: string },
  range: OffsetRange,
): void {
  if (options.group === undefined) return;
  if (options.partition !== undefined) {
    throw new OperatorError("--group and --partition exclude each other", "", "leave one out", 2);
  }
  const plain = (range.from.kind === "start" && range.from.plus === 0n) ||
    (range.from.kind === "end" && range.from.minus === 0n);
  if (plain && range.until === null) return;
  throw new OperatorError(
    `--offset ${options.offset} does not go with --group`,
    "a group begins where it has committed, else at the start or the end",
    "use --offset start or end, or leave out --group",
    2,
  );
}
