/** The flags of `consume`: what they mean, and which do not go together. */
import { OperatorError } from "../../core/operator-error.ts";
import { clientIo } from "../client.ts";
import type { ExpressionFlags } from "../expression-flags.ts";
import type { SecurityFlags } from "../security.ts";
import { FormatSyntaxError, parseFormat, printValueLine } from "./format.ts";
import type { Printer } from "./format.ts";
import { OffsetSyntaxError, parseOffsetRange } from "./offset-range.ts";
import type { OffsetRange } from "./offset-range.ts";

/** As commander gives them. */
export interface ConsumeFlags extends SecurityFlags, ExpressionFlags {
  readonly brokers: string;
  readonly timeout: number;
  readonly offset: string;
  readonly utc?: true | undefined;
  readonly count?: number | undefined;
  readonly exitAtEnd: boolean;
  /** Milliseconds. */
  readonly idleTimeout?: number | undefined;
  readonly group?: string | undefined;
  readonly share?: string | undefined;
  readonly partition?: string | undefined;
  readonly format: string;
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
export function printerOf(format: string): Printer {
  if (format === "%v\\n" || format === "%s\\n") return printValueLine;
  try {
    return parseFormat(format);
  } catch (error) {
    if (!(error instanceof FormatSyntaxError)) throw error;
    throw new OperatorError(`the format "${format}" cannot be read`, error.message, "", 2);
  }
}

/** Null: all. Throws `OperatorError` (usage). */
export function partitionsOf(text: string | undefined): number[] | null {
  if (text === undefined) return null;
  if (!/^\d{1,9}(,\d{1,9})*$/.test(text)) {
    throw new OperatorError(`"${text}" is no list of partitions`, "", "write 0 or 0,2", 2);
  }
  return [...new Set(text.split(",").map(Number))];
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
    options.idleTimeout === undefined ? null : "--idle-timeout",
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
