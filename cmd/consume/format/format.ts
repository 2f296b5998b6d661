/**
 * A format of `consume --format`: text with escapes (`\n`, `\t`, `\xNN`, …) and letters behind a
 * percent sign, those of kcat and of rpk:
 *
 *     %t topic      %p partition   %o offset
 *     %k key        %s or %v value
 *     %T or %d timestamp in ms     %h headers as name=value,…   %H their number
 *     %K length of the key         %S or %V length of the value (−1 if null)
 *     %R length of the value as 4 bytes, big-endian
 *     %e leader epoch   %x producer id   %y producer epoch      %a attributes
 *     %[ log start   %| last stable offset   %] high watermark  %i records so far
 *     %% %{ %}      these signs
 *
 * Behind a letter, in braces, how: keys and values {hex}, {base64}, {base64raw}, {json}, {int},
 * {long}, {unpack[>iq$]}; numbers {ascii}, {hex8} … {hex64}, {big8} … {big64}, {little8} …, {byte},
 * {bool}; timestamps as numbers or {iso}, {strftime[%F %T]}, {go[2006-01-02]}, in UTC; %a{compression},
 * {timestamp-type}, {transactional-bit}, {control-bit}, each also as a number: {compression;byte};
 * %h{ %k=%v{hex}} a format for each header. Sources: kcat's usage, rpk's `topic consume --help`.
 */
import {
  compressionId,
  isControl,
  isLogAppendTime,
  isTransactional,
  partitionLeaderEpoch,
  producerEpoch,
  producerId,
} from "../../../core/records/batch-header.ts";
import { unescape } from "../../escapes.ts";
import type { PrintableRecord } from "../../../core/expression/record-expressions.ts";
import { HeaderRecord } from "./header-record.ts";
import { numberPrinter } from "./numbers.ts";
import { payloadPrinter } from "./payload.ts";
import type { PayloadKind } from "../../../core/text/parse-record.ts";
import { FormatSyntaxError, isoTime, keyLength, valueLength } from "./printer.ts";
import type { Printer, RecordPlace } from "./printer.ts";
import { goLayout, strftime } from "./strftime.ts";

/** What letters without braces mean. */
export interface FormatDefaults {
  readonly key: PayloadKind;
  readonly value: PayloadKind;
  /** Printed for a null key or value. */
  readonly nullMarker: string;
}

const PLAIN: FormatDefaults = { key: "string", value: "string", nullMarker: "" };

/** Compiles a format. Throws `FormatSyntaxError`. */
export function parseFormat(format: string, defaults: FormatDefaults = PLAIN): Printer {
  const steps: Printer[] = [];
  let position = 0;
  while (position < format.length) {
    const percent = format.indexOf("%", position);
    const literal = unescape(format.slice(position, percent < 0 ? format.length : percent));
    if (literal !== "") steps.push((output) => output.text(literal));
    if (percent < 0) break;
    const letter = format[percent + 1];
    if (letter === undefined) throw new FormatSyntaxError("the format ends with a %");
    position = percent + 2;
    if (SIGNS.includes(letter)) {
      steps.push((output) => output.text(letter));
      continue;
    }
    const modifier = format[position] === "{" ? insideBraces(format, position) : null;
    if (modifier !== null) position += modifier.length + 2;
    steps.push(directive(letter, modifier, defaults));
  }
  return (output, cursor, place) => {
    for (const step of steps) step(output, cursor, place);
  };
}

const SIGNS = "%{}";

function insideBraces(format: string, open: number): string {
  let depth = 0;
  for (let at = open; at < format.length; at++) {
    if (format[at] === "%" && SIGNS.includes(format[at + 1] ?? "")) at++;
    else if (format[at] === "{") depth++;
    else if (format[at] === "}" && --depth === 0) return format.slice(open + 1, at);
  }
  throw new FormatSyntaxError("a { has no }: write %{ where a brace is meant");
}

/** A number of a record. */
type NumberOf = (cursor: PrintableRecord, place: RecordPlace) => number;

/** A number of the record's batch; −1 where there is none, as from share groups. */
const ofBatch =
  (read: (bytes: Uint8Array, at: number) => number): NumberOf => (_cursor, { bytes, batchStart }) =>
    bytes === undefined || batchStart === undefined ? -1 : read(bytes, batchStart);

const NUMBERS: Readonly<Record<string, NumberOf>> = {
  p: (_cursor, { partition }) => partition,
  o: (cursor) => cursor.offset,
  H: (cursor) => cursor.headerCount,
  K: keyLength,
  S: valueLength,
  V: valueLength,
  T: (cursor) => cursor.timestamp,
  d: (cursor) => cursor.timestamp,
  e: ofBatch(partitionLeaderEpoch),
  x: ofBatch(producerId),
  y: ofBatch(producerEpoch),
  "[": (_cursor, { logStartOffset }) => logStartOffset ?? -1,
  "|": (_cursor, { lastStableOffset }) => lastStableOffset ?? -1,
  "]": (_cursor, { highWatermark }) => highWatermark ?? -1,
};

function directive(letter: string, modifier: string | null, defaults: FormatDefaults): Printer {
  switch (letter) {
    case "k":
      return payloadPrinter("key", modifier ?? defaults.key, defaults.nullMarker);
    case "s":
    case "v":
      return payloadPrinter("value", modifier ?? defaults.value, defaults.nullMarker);
    case "t":
      return topic(modifier);
    case "h":
      return headers(modifier);
    case "a":
      return attribute(modifier);
    case "R":
      if (modifier !== null) throw badModifier(letter, modifier);
      return number(letter, valueLength, "big32");
    case "i": {
      let count = 0;
      return number(letter, () => ++count, modifier);
    }
    default: {
      const numberOf = NUMBERS[letter];
      if (numberOf !== undefined) return number(letter, numberOf, modifier);
      throw new FormatSyntaxError(`%${letter} means nothing: see "kstream consume --help"`);
    }
  }
}

function number(letter: string, numberOf: NumberOf, modifier: string | null): Printer {
  if (modifier === null) {
    return (output, cursor, place) => output.text(String(numberOf(cursor, place)));
  }
  const formatTime = letter === "T" || letter === "d" ? timeFormat(modifier) : null;
  if (formatTime !== null) {
    return (output, cursor, place) => output.text(formatTime(numberOf(cursor, place)));
  }
  const print = numberPrinter(modifier);
  if (print === null) throw badModifier(letter, modifier);
  return (output, cursor, place) => print(output, numberOf(cursor, place));
}

/** `iso`, `strftime[…]`, `go[…]`; null if it is none. Any brackets, braces or #s may be used. */
function timeFormat(modifier: string): ((timestampMs: number) => string) | null {
  if (modifier === "iso") return isoTime;
  const [, kind, rest = ""] = /^(strftime|go)([^]*)$/.exec(modifier) ?? [];
  if (kind === undefined) return null;
  const [, open = ""] = /^([[{(#]+)/.exec(rest) ?? [];
  const text = rest.slice(open.length, rest.length - open.length);
  const format = open === "" ? null : kind === "go" ? goLayout(text) : strftime(text);
  if (format === null) throw new FormatSyntaxError(`{${modifier}} is no format of times`);
  return (timestampMs) => isoTime(timestampMs) === "" ? "" : format(new Date(timestampMs));
}

function topic(modifier: string | null): Printer {
  switch (modifier) {
    case null:
      return (output, _cursor, place) => output.text(place.topic);
    case "hex":
      return (output, _cursor, place) => output.text(Buffer.from(place.topic).toString("hex"));
    case "base64":
      return (output, _cursor, place) => output.text(btoa(place.topic));
    default:
      throw badModifier("t", modifier);
  }
}

/** `name=value,…` as in kcat, where a name alone has a null value; or each by a format of its own. */
function headers(modifier: string | null): Printer {
  const record = new HeaderRecord();
  if (modifier !== null) {
    const print = parseFormat(modifier);
    return (output, cursor, place) => {
      for (const [name, value] of cursor.headers()) print(output, record.set(name, value), place);
    };
  }
  return (output, cursor) => {
    cursor.headers().forEach(([name, value], i) => {
      output.text(`${i === 0 ? "" : ","}${name}`);
      if (value === null) return;
      output.text("=");
      output.range(value, 0, value.length);
    });
  };
}

const COMPRESSIONS = ["none", "gzip", "snappy", "lz4", "zstd"];

const ATTRIBUTES: Readonly<Record<string, NumberOf>> = {
  compression: ofBatch(compressionId),
  "timestamp-type": ofBatch((bytes, at) => Number(isLogAppendTime(bytes, at))),
  "transactional-bit": ofBatch((bytes, at) => Number(isTransactional(bytes, at))),
  "control-bit": ofBatch((bytes, at) => Number(isControl(bytes, at))),
};

function attribute(modifier: string | null): Printer {
  const [name = "", how = null] = (modifier ?? "").split(";");
  const numberOf = ATTRIBUTES[name];
  if (numberOf === undefined) {
    throw new FormatSyntaxError(`%a goes with ${Object.keys(ATTRIBUTES).join(", ")} in braces`);
  }
  if (name === "compression" && how === null) {
    return (output, cursor, place) =>
      output.text(COMPRESSIONS[numberOf(cursor, place)] ?? "unknown");
  }
  return number("a", numberOf, how === "number" ? null : how);
}

function badModifier(letter: string, modifier: string): FormatSyntaxError {
  return new FormatSyntaxError(
    `%${letter}{${modifier}} means nothing: see "kstream consume --help"`,
  );
}
