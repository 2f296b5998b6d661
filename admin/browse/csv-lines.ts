/**
 * Records as CSV, as `consume -f csv` has them: RFC 4180 with "\n", null is nothing and an empty text
 * is `""`. Bytes that are no text, and headers, are written as in the JSON envelope.
 */
import type { StreamFormat } from "./record-lines.ts";

const COLUMNS = ["topic", "partition", "offset", "timestamp", "key", "value", "headers"];

/** The format of one answer. An end before all is sent is a last line of the word and the reason. */
export function csvLines(): StreamFormat {
  let head = COLUMNS.join(",") + "\n";
  return {
    contentType: "text/csv; charset=utf-8",
    record: (json) => {
      const record: Record<string, unknown> = JSON.parse(json);
      const line = COLUMNS.map((name) => cell(record[name])).join(",") + "\n";
      const text = head + line;
      head = "";
      return text;
    },
    note: (name, members) => `${cell(name)},${cell(members)}\n`,
    heartbeat: () => "",
  };
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  if (text === "") return '""';
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
