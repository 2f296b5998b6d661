/**
 * CSV by RFC 4180, but with "\n" at line ends, as tools of Unix have them. Null is nothing and an
 * empty text is `""`, as in PostgreSQL's; with a marker, null is that.
 */
import { bytesToJson } from "../../../core/text/envelope.ts";
import { compileColumn } from "../../../core/expression/record-expressions.ts";
import type { PrintableRecord } from "../../../core/expression/record-expressions.ts";
import type { Output } from "../../../core/text/output.ts";
import { payloadCell } from "./cells.ts";
import { FormatSyntaxError, isoTime } from "./printer.ts";
import type { RecordPlace } from "./printer.ts";
import type { FormatFlags, RecordFormat } from "./record-format.ts";

/** A cell's text; null for null. */
type Cell = (record: PrintableRecord, place: RecordPlace) => string | null;

const ALL = ["topic", "partition", "offset", "timestamp", "key", "value", "headers"];
const COMMA = 44;
const NEWLINE = 10;

/** Columns by name (also `time`: ISO 8601), or expressions over the record. */
export function csvFormat(columns: readonly string[] | null, flags: FormatFlags): RecordFormat {
  const names = columns ?? ALL;
  if (names.length === 0) throw new FormatSyntaxError("--columns names no column");
  const cells = names.map((name) => cellOf(name, flags));
  const { nullMarker } = flags;
  return {
    header: names.map(quoted).join(",") + "\n",
    print: (output: Output, record, place) => {
      cells.forEach((cell, i) => {
        if (i > 0) output.byte(COMMA);
        const text = cell(record, place);
        if (text === null) output.text(nullMarker ?? "");
        else output.text(text === "" || text === nullMarker ? `"${text}"` : quoted(text));
      });
      output.byte(NEWLINE);
    },
  };
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function cellOf(name: string, flags: FormatFlags): Cell {
  switch (name) {
    case "topic":
      return (_record, { topic }) => topic;
    case "partition":
      return (_record, { partition }) => String(partition);
    case "offset":
      return (record) => String(record.offset);
    case "timestamp":
      return (record) => String(record.timestamp);
    case "time":
      return (record) => isoTime(record.timestamp) || null;
    case "key":
      return payloadCell("key", flags.key);
    case "value":
      return payloadCell("value", flags.value);
    case "headers":
      return headersCell;
    default:
      return compileColumn(name);
  }
}

/** As in the envelope. */
function headersCell(record: PrintableRecord): string {
  const headers = record.headers();
  return `[${headers.map(([name, value]) => `[${JSON.stringify(name)},${bytesToJson(value)}]`)}]`;
}
