import type { Output } from "../../../core/text/output.ts";
import { isoTime } from "./printer.ts";
import type { Printer } from "./printer.ts";

const BYTES_A_LINE = 16;

/** A record as lines for somebody who looks for a byte: where it was, then key, headers and value. */
export function hexPrinter(nullText: string): Printer {
  return (output, record, { topic, partition }) => {
    const time = record.timestamp < 0 ? "no time" : isoTime(record.timestamp);
    output.text(`${topic}-${partition}@${record.offset}  ${time}\n`);
    dump(output, "key", record.key(), nullText);
    for (const [name, value] of record.headers()) {
      dump(output, `header ${JSON.stringify(name)}`, value, nullText);
    }
    dump(output, "value", record.value(), nullText);
    output.text("\n");
  };
}

function dump(output: Output, what: string, bytes: Uint8Array | null, nullText: string): void {
  if (bytes === null) return output.text(`  ${what}: ${nullText}\n`);
  output.text(`  ${what}: ${bytes.length} ${bytes.length === 1 ? "byte" : "bytes"}\n`);
  for (let at = 0; at < bytes.length; at += BYTES_A_LINE) {
    const line = bytes.subarray(at, at + BYTES_A_LINE);
    const hex = Array.from(line, (byte, i) => (i === 8 ? " " : "") + hexOf(byte)).join(" ");
    const text = Array.from(line, (byte) => {
      return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".";
    }).join("");
    output.text(`    ${at.toString(16).padStart(8, "0")}  ${hex.padEnd(48)}  |${text}|\n`);
  }
}

function hexOf(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}
