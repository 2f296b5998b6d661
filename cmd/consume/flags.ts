/** The flags of `consume`: what they mean, and which do not go together. */
import { OperatorError } from "../../core/operator-error.ts";
import { clientIo } from "../client.ts";
import type { ExpressionFlags } from "../expression-flags.ts";
import { parseNumbers } from "../group/numbers.ts";
import type { SecurityFlags } from "../security.ts";
import { unescape } from "../escapes.ts";
import type { FrameName } from "../../core/text/framing.ts";
import type { PayloadKind } from "../../core/text/parse-record.ts";
import { FormatSyntaxError } from "./format/printer.ts";
import { recordFormat } from "./format/record-format.ts";
import type { RecordFormat } from "./format/record-format.ts";
import type { GroupFlags } from "./group.ts";
import { OffsetSyntaxError, parseOffsetRange } from "../../core/text/offset-range.ts";
import type { OffsetRange } from "../../core/text/offset-range.ts";
import type { TopicChoice } from "./topics.ts";

/** As commander gives them. */
export interface ConsumeFlags extends SecurityFlags, ExpressionFlags, GroupFlags {
  readonly brokers: string;
  readonly timeout: number;
  readonly offset: string;
  readonly utc?: true | undefined;
  readonly count?: number | undefined;
  readonly exitAtEnd: boolean;
  /** Milliseconds. */
  readonly idleTimeout?: number | undefined;
  readonly share?: string | undefined;
  readonly partition?: string | undefined;
  readonly topics?: string | undefined;
  readonly waitTopic?: true | undefined;
  readonly format: string;
  readonly key: PayloadKind;
  readonly value: PayloadKind;
  readonly nullMarker?: string | undefined;
  readonly delim?: string | undefined;
  readonly null?: true | undefined;
  readonly frame?: FrameName | undefined;
  readonly columns?: string | undefined;
  readonly latestByKey?: true | undefined;
  readonly onError: "stop" | "skip";
  readonly isolation: "read_uncommitted" | "read_committed";
}

/** Throws `OperatorError` (usage). */
export function rangeOf(text: string, utc: boolean): OffsetRange {
  try {
    return parseOffsetRange(text, clientIo.clock.wallMs(), utc);
  } catch (error) {
    if (!(error instanceof OffsetSyntaxError)) throw error;
    throw new OperatorError(error.message, "", "", 2);
  }
}

/** Throws `OperatorError` (usage). */
export async function formatOf(flags: ConsumeFlags, topics: TopicChoice): Promise<RecordFormat> {
  const { format, key, value, nullMarker, delim, frame, columns } = flags;
  if ([delim, flags.null, frame].filter((flag) => flag !== undefined).length > 1) {
    throw new OperatorError("--delim, --null and --frame exclude each other", "", "give one", 2);
  }
  const delimiter = flags.null ? "\0" : delim === undefined ? null : unescape(delim);
  try {
    return await recordFormat({
      ...{ format, key, value },
      nullMarker: nullMarker ?? null,
      delimiter: delimiter === null ? null : new TextEncoder().encode(delimiter),
      frame: frame ?? null,
      columns: columns === undefined ? null : splitColumns(columns),
      widthMax: process.stdout.isTTY ? process.stdout.columns || 80 : Infinity,
      severalTopics: "pattern" in topics || topics.length > 1,
    });
  } catch (error) {
    if (!(error instanceof FormatSyntaxError)) throw error;
    throw new OperatorError(`the format "${format}" cannot be read`, error.message, "", 2);
  }
}

/** At commas, but not at those inside of brackets and quotes of an expression. */
export function splitColumns(text: string): string[] {
  const columns: string[] = [];
  let column = "";
  let depth = 0;
  for (const [part] of text.matchAll(/"[^"]*"|'[^']*'|`[^`]*`|[^]/g)) {
    if ("([{".includes(part)) depth++;
    if (")]}".includes(part)) depth--;
    if (part === "," && depth === 0) {
      columns.push(column.trim());
      column = "";
    } else column += part;
  }
  return [...columns, column.trim()].filter((name) => name !== "");
}

/** Throws `OperatorError` (usage). */
export function topicsOf(names: readonly string[], pattern: string | undefined): TopicChoice {
  if (pattern === undefined && names.length > 0) return names;
  if (pattern !== undefined && names.length === 0) return { pattern };
  const what = names.length === 0
    ? "it is not said which topic"
    : "--topics stands in place of names";
  throw new OperatorError(what, "", "name topics, or give --topics with an expression", 2);
}

/** Null: all. Throws `OperatorError` (usage). */
export function partitionsOf(text: string | undefined): number[] | null {
  if (text === undefined) return null;
  const partitions = parseNumbers(text);
  if (partitions !== null) return partitions;
  throw new OperatorError(`"${text}" is no list of partitions`, "", "write 0 or 0-2,5", 2);
}

/** A share group says itself where to begin, what counts, and who gets what. */
export function refuseWithShare(
  options: ConsumeFlags,
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
export function refuseContradictions(
  options: ConsumeFlags,
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

/** The latest of a key is known at an end only, and of all records. */
export function refuseWithLatest(options: ConsumeFlags): void {
  if (options.latestByKey === undefined) return;
  const other = [
    options.group === undefined ? null : "--group",
    options.share === undefined ? null : "--share",
    options.count === undefined ? null : "--count",
  ].find((flag) => flag !== null);
  if (other === undefined) return;
  throw new OperatorError(`${other} does not go with --latest-by-key`, "", "leave one out", 2);
}
