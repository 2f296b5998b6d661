/**
 * What keys and values mean, for `--key` and `--value`: the kinds of `produce`, in the other
 * direction. `int` and `long` are Java's serializers: 4 and 8 bytes, big-endian.
 */
import type { PrintableRecord } from "../../../core/expression/record-expressions.ts";
import { decodePayload, type Part } from "../../../core/text/payload.ts";
import { PAYLOADS } from "../../../core/text/parse-record.ts";
import { FormatSyntaxError } from "./printer.ts";
import type { Printer } from "./printer.ts";
import { unpacker } from "./unpack.ts";

/** Prints the key or the value, or `nullMarker`. */
export function payloadPrinter(part: Part, modifier: string, nullMarker: string): Printer {
  const isNull = (record: PrintableRecord) =>
    (part === "key" ? record.keyStart : record.valueStart) < 0;
  const print = bytesPrinter(part, modifier);
  if (nullMarker === "") {
    return (output, record, place) => {
      if (!isNull(record)) print(output, record, place);
    };
  }
  return (output, record, place) => {
    if (isNull(record)) output.text(nullMarker);
    else print(output, record, place);
  };
}

/** For what is not null. */
function bytesPrinter(part: Part, modifier: string): Printer {
  if (modifier === "string") {
    return part === "key"
      ? (output, { source, keyStart, keyEnd }) => output.range(source, keyStart, keyEnd)
      : (output, { source, valueStart, valueEnd }) => output.range(source, valueStart, valueEnd);
  }
  const bytesOf = (record: PrintableRecord) =>
    (part === "key" ? record.key() : record.value()) ?? new Uint8Array();
  const unpacked = /^unpack\[([^]*)\]$/.exec(modifier);
  if (unpacked !== null) {
    const unpack = unpacker(unpacked[1] ?? "");
    return (output, record) => unpack(output, bytesOf(record));
  }
  if (modifier === "base64raw") {
    return (output, record) => output.text(bytesOf(record).toBase64({ omitPadding: true }));
  }
  const kind = PAYLOADS.find((each) => each === modifier);
  if (kind === undefined || kind === "string") {
    throw new FormatSyntaxError(
      `{${modifier}} means nothing for a ${part}: use {hex}, {base64}, {base64raw}, {json}, {int}, ` +
        "{long} or {unpack[…]}",
    );
  }
  return (output, record, place) => {
    output.text(decodePayload(kind, bytesOf(record), part, record, place));
  };
}
