/**
 * What keys and values mean, for `--key` and `--value`: the kinds of `produce`, in the other
 * direction. `int` and `long` are Java's serializers: 4 and 8 bytes, big-endian.
 */
import { OperatorError } from "../../../core/operator-error.ts";
import type { PrintableRecord } from "../../../core/expression/record-expressions.ts";
import { findJsonFault } from "../../../core/text/json-fault.ts";
import { PAYLOADS } from "../../../core/text/parse-record.ts";
import type { PayloadKind } from "../../../core/text/parse-record.ts";
import { FormatSyntaxError } from "./printer.ts";
import type { Printer, RecordPlace } from "./printer.ts";
import { unpacker } from "./unpack.ts";

/** Which of the two. */
export type Part = "key" | "value";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

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
    output.text(decode(kind, bytesOf(record), part, record, place));
  };
}

/** The text of a key or value of this kind. Throws `OperatorError` where the bytes are no such thing. */
export function payloadText(part: Part, kind: Exclude<PayloadKind, "string">) {
  return (bytes: Uint8Array, record: PrintableRecord, place: RecordPlace): string =>
    decode(kind, bytes, part, record, place);
}

/** The key or the value as a piece of JSON: numbers and JSON as they are, all else as a string. */
export function payloadJson(part: Part, kind: Exclude<PayloadKind, "string">) {
  return (record: PrintableRecord, place: RecordPlace): string => {
    const bytes = part === "key" ? record.key() : record.value();
    if (bytes === null) return "null";
    const text = decode(kind, bytes, part, record, place);
    return kind === "base64" || kind === "hex" ? `"${text}"` : text;
  };
}

/** Throws `OperatorError` where the bytes are no such thing. */
function decode(
  kind: Exclude<PayloadKind, "string">,
  bytes: Uint8Array,
  part: Part,
  { offset }: PrintableRecord,
  { topic, partition }: RecordPlace,
): string {
  const wrong = (why: string) =>
    new OperatorError(
      `the ${part} of ${topic}-${partition}@${offset} is no ${kind}`,
      why,
      `leave out --${part} ${kind}, or pass over it with --where`,
    );
  switch (kind) {
    case "hex":
      return bytes.toHex();
    case "base64":
      return bytes.toBase64();
    case "int":
    case "long": {
      const wanted = kind === "int" ? 4 : 8;
      if (bytes.length !== wanted) throw wrong(`it has ${bytes.length} bytes, not ${wanted}`);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      return String(kind === "int" ? view.getInt32(0) : view.getBigInt64(0));
    }
    case "json": {
      try {
        const text = utf8.decode(bytes);
        JSON.parse(text);
        // Line ends are only between its parts, so this changes nothing of what it says.
        return text.trim().replaceAll(/[\r\n]/g, " ");
      } catch {
        throw wrong(findJsonFault(bytes).message);
      }
    }
  }
}
