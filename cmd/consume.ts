/** `kstream consume TOPIC`: the records of a topic to standard output. */
import { Command, Option } from "@commander-js/extra-typings";
import { brokersOption, timeoutOption, wholeNumber } from "./admin-command.ts";
import { clientIo, clientOptions } from "./client.ts";
import { EXPRESSIONS_HELP, mapOption, selectRecords, whereOption } from "./expression-flags.ts";
import {
  formatOf,
  partitionsOf,
  rangeOf,
  refuseContradictions,
  refuseWithLatest,
  refuseWithShare,
  topicsOf,
} from "./consume/flags.ts";
import type { ConsumeFlags } from "./consume/flags.ts";
import { GROUP_PROTOCOLS, groupOptions } from "./consume/group.ts";
import { FRAMES } from "../core/text/framing.ts";
import { PAYLOADS } from "../core/text/parse-record.ts";
import type { PayloadKind } from "../core/text/parse-record.ts";
import { withHeader } from "./consume/format/record-format.ts";
import { SkippedRecords } from "./consume/bad-records.ts";
import { LatestByKey } from "./consume/latest-by-key.ts";
import { stdoutReaderGone, writeStdout } from "./stdout.ts";
import { onInterrupt, say } from "./terminal.ts";
import { TIMES_HELP, utcOption } from "./time-options.ts";
import { parseDuration } from "./txn/duration.ts";

const HELP = `
Without a group it reads from the start, with one from the group's committed offset, else from
the start; it commits only what standard output has taken. It goes on until it is interrupted,
unless --count, --exit-at-end or a range says where to end.

Offsets: start, end, 42, +10 (ten after the start), -10 (ten before the end), a time, or a range
of two of them with a colon or two dots between: 42:50, :end, -1h:end, "yesterday..today". After
a time, a duration counts from there: 2026-01-31:1d.

Members of a group read on through a rebalance and give up only partitions that move, after what is
printed of them is committed. The assignor is cooperative-sticky; --assignor range,roundrobin joins a
group of others, as kcat's, in which all stop. --group-protocol consumer is that of KIP-848.

Formats: value (and a newline), raw (nothing between), json (an envelope a line, which
"produce --format json" takes; null and "" differ in it), csv (--columns chooses: topic, partition,
offset, timestamp, time, key, value, headers or expressions), table, hex; or text with \\n \\t \\xNN and
  %t topic  %p partition  %o offset  %k key  %s %v value  %T %d timestamp (ms)  %h headers
  %H how many  %K %S %V lengths of key and value (-1: null)  %R length of the value in 4 bytes
  %e leader epoch  %x producer id  %y its epoch  %a attributes  %[ log start  %| last stable offset
  %] high watermark  %i records so far  %% %{ %} these signs
and behind a letter: %v{hex} {base64} {base64raw} {json} {int} {long} {unpack[>iq$]}, %T{iso}
{strftime[%F %T]} {go[2006-01-02]} in UTC, %o{big64} {little32} {hex16} {byte} {bool} of numbers,
%a{compression} {timestamp-type} {transactional-bit}, %h{%k=%v{hex} } a format for each header.

Exit code: 0 done, 1 failed (no such topic), 2 usage, 3 no broker answers in time, 4 not all that was
asked for: --count or the range was cut short by --idle-timeout or an interrupt, its start is deleted
already, with --exit-at-end its end is not written yet, or --on-error has skipped records.

Examples:
  kstream consume logs | grep ERROR
  kstream consume logs --offset -10 --exit-at-end
  kstream consume orders --group billing --format '%p:%o %T{iso} %k %v\\n'
  kstream consume orders --offset -1h:end --format json > last-hour.json
  kstream consume orders --offset 'yesterday 14:00..yesterday 15:00'
  kstream consume users --latest-by-key --format csv --columns key,v.name,time
  kstream consume orders --group billing --group-protocol consumer | ./bill.sh
  kstream consume --topics 'orders-.*' --format '%t %v\\n'
  kstream consume orders --count 3 --idle-timeout 10s || echo "not three in time"
  kstream consume jobs --share workers --count 100 | xargs -n1 do-it
  kstream consume orders --where 'v.total > 100 && h.trace === "x"' --map v.customer
`;

/** The command, to be added to the tree. */
export function consumeCommand() {
  return inputOptions()
    .option("-f, --format <format>", "value, raw, json, csv, table, hex, or as below", "value")
    .addOption(
      new Option("--key <kind>", "what keys are; int and long have 4 and 8 bytes")
        .choices(PAYLOADS).default("string" as PayloadKind),
    )
    .addOption(
      new Option("--value <kind>", "the same of values").choices(PAYLOADS)
        .default("string" as PayloadKind),
    )
    .option("--null-marker <text>", "what a null key or value is printed as")
    .option("-d, --delim <text>", "what ends a record, instead of a newline (\\t, \\x1e, …)")
    .option("-0, --null", "records end at a NUL byte")
    .addOption(
      new Option("--frame <length>", "put before each record: 4 bytes, varint, netstring")
        .choices(FRAMES),
    )
    .option("--columns <list>", "of CSV: key, value, time, … or expressions: v.id")
    .option("--latest-by-key", "of each key only the last record, without those that are deleted")
    .addOption(whereOption())
    .addOption(mapOption())
    .addOption(
      new Option("--on-error <what>", "a record that an expression or the format cannot take")
        .choices(["stop", "skip"] as const).default("stop" as const),
    )
    .addOption(timeoutOption("how long no broker may answer", 60))
    .addHelpText("after", TIMES_HELP + EXPRESSIONS_HELP + HELP)
    .action(async (names, options) => {
      const skipped = options.onError === "skip" ? new SkippedRecords(say) : null;
      const exitCode = await consume(names, options, skipped);
      process.exit(skipped?.report(exitCode) ?? exitCode);
    });
}

function inputOptions() {
  return new Command("consume")
    .description("Print the records of topics.")
    .argument("[topic...]", "the topics")
    .option("--topics <regex>", "all topics whose whole name matches, also those that come")
    .option("--wait-topic", "wait until the topics are there")
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
    .addOption(
      new Option("--idle-timeout <duration>", "end when nothing came for so long: 10s, 5m")
        .argParser(parseDuration),
    )
    .addOption(utcOption())
    .option("-g, --group <group>", "share the partitions with the group, and commit")
    .addOption(
      new Option(
        "--group-protocol <protocol>",
        "who assigns them: members or (Kafka 4.0) the broker",
      )
        .choices(GROUP_PROTOCOLS),
    )
    .option(
      "--assignor <names>",
      "how: range, roundrobin, sticky, …; the broker has uniform, range",
    )
    .addOption(
      new Option("--session-timeout <duration>", "how long the group waits for a lost member")
        .argParser(parseDuration),
    )
    .option(
      "--group-instance-id <id>",
      "who is started again with it soon has its partitions back, and none move",
    )
    .option("--share <group>", "take records from a share group, each accepted once written")
    .option("-p, --partition <list>", "only these: 0 or 0-2,5")
    .addOption(
      new Option("--isolation <level>", "whether records of open transactions count")
        .choices(["read_uncommitted", "read_committed"] as const)
        .default("read_uncommitted" as const),
    );
}

/** Resolves to the exit code. */
async function consume(
  names: readonly string[],
  options: ConsumeFlags,
  skipped: SkippedRecords | null,
): Promise<number> {
  const topics = topicsOf(names, options.topics);
  const range = rangeOf(options.offset, options.utc ?? false);
  refuseContradictions(options, range);
  const group = groupOptions(options);
  refuseWithShare(options);
  refuseWithLatest(options);
  const wanted = await formatOf(options, topics);
  const format = skipped?.format(wanted) ?? wanted;
  const partitions = partitionsOf(options.partition);
  const chosen = await selectRecords(options);
  const select = chosen === null ? null : skipped?.select(chosen) ?? chosen;
  const { bunCodecs } = await import("../core/compression/bun.ts");
  const common = {
    topics,
    waitTopic: options.waitTopic ?? false,
    client: clientOptions(options),
    codecs: bunCodecs,
    count: options.count ?? null,
    idleTimeoutMs: options.idleTimeout ?? null,
    select,
    print: withHeader(format),
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
    return await runShare({ ...common, group: options.share }, io);
  }
  const latest = options.latestByKey ? new LatestByKey(format) : null;
  const { runConsume } = await import("./consume/run.ts");
  return await runConsume({
    ...common,
    print: latest?.keep ?? common.print,
    latest,
    partitions,
    range,
    exitAtEnd: options.exitAtEnd || (latest !== null && range.until === null),
    group,
    isolationLevel: options.isolation,
  }, io);
}
