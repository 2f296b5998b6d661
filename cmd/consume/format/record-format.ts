/**
 * From the flags of `consume` to what prints records: a preset or a format, what ends a record, what
 * nulls look like.
 *
 *     value            the value and a newline: the default, and the fast way
 *     raw              the value and nothing else
 *     json, jsonl      the envelope that `produce --format json` takes, one a line
 *     csv              RFC 4180 with "\n" at line ends; `--columns` chooses
 *     table            for people; fits the terminal
 *     hex              a dump of key, headers and value
 */
import type { Output } from "../../../core/text/output.ts";
import { envelopePrinter } from "./envelope-printer.ts";
import { parseFormat } from "./format.ts";
import { framed } from "./frame.ts";
import type { FrameName } from "../../../core/text/framing.ts";
import { hexPrinter } from "./hex-dump.ts";
import { payloadPrinter } from "./payload.ts";
import type { PayloadKind } from "../../../core/text/parse-record.ts";
import { FormatSyntaxError } from "./printer.ts";
import type { Printer } from "./printer.ts";
import { tableFormat } from "./table.ts";

/** What the flags say of the output. */
export interface FormatFlags {
  /** A preset or a format. */
  readonly format: string;
  readonly key: PayloadKind;
  readonly value: PayloadKind;
  /** Null: as the format has it. */
  readonly nullMarker: string | null;
  /** What ends a record instead of a newline; null: as the format has it. */
  readonly delimiter: Uint8Array | null;
  readonly frame: FrameName | null;
  /** Of CSV; null: all. */
  readonly columns: readonly string[] | null;
  /** Of the terminal; Infinity for a pipe. */
  readonly widthMax: number;
  /** Whether records of more than one topic may come. */
  readonly severalTopics: boolean;
}

/** How records are printed. */
export interface RecordFormat {
  /** Stands before the first record. */
  readonly header: string | null;
  readonly print: Printer;
}

const NEWLINE = 10;
const END_OF_LINE = new Uint8Array([NEWLINE]);
const PRESETS = ["value", "raw", "json", "jsonl", "csv", "table", "hex"] as const;
const LINES_ONLY: readonly string[] = ["csv", "table", "hex"];

/** The value and a newline. */
export const printValueLine: Printer = (output, cursor) => {
  if (cursor.valueStart >= 0) output.range(cursor.source, cursor.valueStart, cursor.valueEnd);
  output.byte(NEWLINE);
};

/** Throws `FormatSyntaxError`, and `OperatorError` for an expression in the columns. */
export async function recordFormat(flags: FormatFlags): Promise<RecordFormat> {
  const { format, columns, delimiter, frame, nullMarker } = flags;
  const preset = PRESETS.find((name) => name === format);
  if (columns !== null && preset !== "csv") {
    throw new FormatSyntaxError("--columns is for --format csv");
  }
  if (LINES_ONLY.includes(format) && (delimiter ?? frame) !== null) {
    throw new FormatSyntaxError("--delim, --null and --frame are not for csv, table and hex");
  }
  if (isPlainLines(flags)) return { header: null, print: printValueLine };
  switch (preset) {
    case "csv":
      // It brings the language of expressions with it.
      return (await import("./csv.ts")).csvFormat(columns, flags);
    case "table":
      return tableFormat(flags);
    case "hex":
      return { header: null, print: hexPrinter(nullMarker ?? "null") };
    case "json":
    case "jsonl":
      return ended(envelopePrinter(flags.key, flags.value), flags, END_OF_LINE);
    case "value":
    case "raw": {
      const print = payloadPrinter("value", flags.value, nullMarker ?? "");
      return ended(print, flags, preset === "raw" ? null : END_OF_LINE);
    }
    case undefined:
      if (/^\w+$/.test(format)) {
        throw new FormatSyntaxError(`there is no format of that name: ${PRESETS.join(", ")}`);
      }
      return ended(parseFormat(format, { ...flags, nullMarker: nullMarker ?? "" }), flags, null);
  }
}

function isPlainLines({ format, value, nullMarker, delimiter, frame }: FormatFlags): boolean {
  return ["value", "%v\\n", "%s\\n"].includes(format) && value === "string" &&
    (nullMarker ?? "") === "" && delimiter === null && frame === null;
}

/** `usual` ends a record where nothing else is asked for. */
function ended(print: Printer, flags: FormatFlags, usual: Uint8Array | null): RecordFormat {
  if (flags.frame !== null) return { header: null, print: framed(print, flags.frame) };
  const end = flags.delimiter ?? usual;
  if (end === null) return { header: null, print };
  return {
    header: null,
    print: (output, record, place) => {
      print(output, record, place);
      output.range(end, 0, end.length);
    },
  };
}

/** Prints the header before the first record. */
export function withHeader({ header, print }: RecordFormat): Printer {
  if (header === null) return print;
  let isFirst = true;
  return (output: Output, record, place) => {
    if (isFirst) output.text(header);
    isFirst = false;
    return print(output, record, place);
  };
}
