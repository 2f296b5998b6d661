/** The config that sources of lines have in common. */
import { choice, int } from "../index.ts";
import type { ConfigOf } from "../index.ts";
import type { LineSettings } from "./line-reader.ts";

export const streamFields = {
  format: choice("lines", "jsonl").default("lines").group("Format").doc(
    "What a record is: a line as text, or a line of JSON.",
  ),
  encoding: choice("utf-8", "iso-8859-1", "windows-1252", "bytes").default("utf-8").group("Format")
    .doc("How text is encoded. With bytes, lines are not looked into and records are bytes."),
  "bad.rows": choice("fail", "skip").default("fail").group("Format").doc(
    "What becomes of a line that is no JSON or not encoded as said: the task fails, or the line is " +
      "left out and logged.",
  ),
  "line.bytes.max": int({ min: 64, max: 256 * 1024 * 1024 }).default(16 * 1024 * 1024).group(
    "Format",
  )
    .doc("A longer line is no record."),
};

export function streamSettings(config: ConfigOf<typeof streamFields>): LineSettings {
  return {
    format: config.format,
    encoding: config.encoding,
    separator: ",",
    hasHeader: false,
    columns: [],
    lineBytesMax: config["line.bytes.max"],
  };
}
