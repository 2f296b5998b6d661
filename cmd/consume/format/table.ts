import type { PrintableRecord } from "../../../core/expression/record-expressions.ts";
import { cutToWidth } from "../../output.ts";
import { payloadCell } from "./cells.ts";
import { isoTime } from "./printer.ts";
import type { RecordPlace } from "./printer.ts";
import type { FormatFlags, RecordFormat } from "./record-format.ts";

/** A column; what does not fit is cut, but for the last one of a pipe. */
interface TableColumn {
  readonly title: string;
  readonly width: number;
  readonly right: boolean;
  cell(record: PrintableRecord, place: RecordPlace): string;
}

const GAP = "  ";
/** Narrower terminals do without the time, and then without the partition: values need room. */
const WIDE_ENOUGH_FOR_TIME = 96;
const WIDE_ENOUGH_FOR_LONG_NAMES = 72;
const WIDE_ENOUGH_FOR_PARTITION = 48;
const WIDE_ENOUGH_FOR_TOPIC_AND_PARTITION = 60;
const VALUE_WIDTH_MIN = 8;

/** Lines come as records come, so widths are fixed and only the value takes what is left. */
export function tableFormat(flags: FormatFlags): RecordFormat {
  const { widthMax } = flags;
  const nullText = flags.nullMarker ?? "NULL";
  const key = payloadCell("key", flags.key);
  const value = payloadCell("value", flags.value);
  const enoughForPartition = flags.severalTopics
    ? WIDE_ENOUGH_FOR_TOPIC_AND_PARTITION
    : WIDE_ENOUGH_FOR_PARTITION;
  const nameWidth = widthMax < WIDE_ENOUGH_FOR_LONG_NAMES ? 10 : 16;
  const columns: TableColumn[] = [
    { title: "TOPIC", width: nameWidth, right: false, cell: (_record, { topic }) => topic },
    {
      ...{ title: "PARTITION", width: 9, right: true },
      cell: (_record, { partition }) => String(partition),
    },
    { title: "OFFSET", width: 9, right: true, cell: ({ offset }) => String(offset) },
    { title: "TIME", width: 24, right: false, cell: ({ timestamp }) => isoTime(timestamp) || "-" },
    {
      ...{ title: "KEY", width: nameWidth, right: false },
      cell: (record, place) => key(record, place) ?? nullText,
    },
  ];
  const shown = columns.filter(({ title }) =>
    (title !== "TOPIC" || flags.severalTopics) &&
    (title !== "TIME" || widthMax >= WIDE_ENOUGH_FOR_TIME) &&
    (title !== "PARTITION" || widthMax >= enoughForPartition)
  );
  const used = shown.reduce((sum, { width }) => sum + width + GAP.length, 0);
  const valueWidth = Math.max(VALUE_WIDTH_MIN, widthMax - used);
  const line = (cells: readonly string[], last: string) =>
    [...cells.map((cell, i) => fit(cell, shown[i]!)), cutToWidth(visible(last), valueWidth)]
      .join(GAP).trimEnd() + "\n";
  return {
    header: line(shown.map(({ title }) => title), "VALUE"),
    print: (output, record, place) => {
      const cells = shown.map((column) => visible(column.cell(record, place)));
      output.text(line(cells, value(record, place) ?? nullText));
    },
  };
}

function fit(text: string, { width, right }: TableColumn): string {
  // A number is never cut: it would be another one.
  const shown = right ? text : cutToWidth(text, width);
  const blanks = " ".repeat(Math.max(0, width - Bun.stringWidth(shown)));
  return right ? blanks + shown : shown + blanks;
}

/** What comes from the network must not move the cursor of a terminal. */
function visible(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "·");
}
