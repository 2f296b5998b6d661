/**
 * The format of `consume --format`: text with escapes (`\n`, `\t`, `\xNN`, …) and letters behind a
 * percent sign, those of kcat and of rpk:
 *
 *     %t topic      %p partition   %o offset
 *     %k key        %s or %v value
 *     %T or %d timestamp in ms     %h headers as name=value,…   %H their number
 *     %K length of the key         %S or %V length of the value (−1 if null)
 *     %R length of the value as 4 bytes, big-endian             %% a percent sign
 *
 * Keys and values may be followed by {hex} or {base64}, timestamps by {iso}. `json` alone is the
 * envelope.
 */
import { formatEnvelope } from "../envelope.ts";
import { unescape } from "../escapes.ts";
import type { PrintableRecord } from "../expressions.ts";
import type { Output } from "./output.ts";

/** Prints the record that the cursor stands on. */
export type Printer = (output: Output, cursor: PrintableRecord, place: RecordPlace) => void;

/** What the cursor does not know. */
export interface RecordPlace {
  readonly topic: string;
  readonly partition: number;
}

/** A format that cannot be read. */
export class FormatSyntaxError extends Error {
  override readonly name = "FormatSyntaxError";
}

const NEWLINE = 10;
const DIRECTIVE = /%([^])(?:\{([a-z0-9]*)\})?/g;

/** The value and a newline: the default, and the fast way. */
export const printValueLine: Printer = (output, cursor) => {
  if (cursor.valueStart >= 0) output.range(cursor.source, cursor.valueStart, cursor.valueEnd);
  output.byte(NEWLINE);
};

/** The JSON envelope, one a line. */
export const printEnvelope: Printer = (output, cursor, { topic, partition }) => {
  output.text(formatEnvelope({
    topic,
    partition,
    offset: BigInt(cursor.offset),
    timestampMs: cursor.timestamp,
    key: cursor.key(),
    value: cursor.value(),
    headers: cursor.headers(),
  }));
  output.byte(NEWLINE);
};

/** Compiles a format. Throws `FormatSyntaxError`. */
export function parseFormat(format: string): Printer {
  if (format === "json") return printEnvelope;
  const steps: Printer[] = [];
  let position = 0;
  const literal = (until: number) => {
    const text = unescape(format.slice(position, until));
    if (text !== "") steps.push((output) => output.text(text));
  };
  for (const match of format.matchAll(DIRECTIVE)) {
    if (match.index < position) continue;
    literal(match.index);
    position = match.index + match[0].length;
    steps.push(directive(match[1] ?? "", match[2]));
  }
  if (format.indexOf("%", position) >= 0) throw new FormatSyntaxError("the format ends with a %");
  literal(format.length);
  return (output, cursor, place) => {
    for (const step of steps) step(output, cursor, place);
  };
}

function directive(letter: string, modifier: string | undefined): Printer {
  const plain = PLAIN[letter];
  if (plain !== undefined) {
    if (modifier !== undefined) throw badModifier(letter, modifier);
    return plain;
  }
  switch (letter) {
    case "k":
      return payload("key", letter, modifier);
    case "s":
    case "v":
      return payload("value", letter, modifier);
    case "T":
    case "d":
      if (modifier === undefined) return (output, cursor) => output.text(String(cursor.timestamp));
      if (modifier !== "iso") throw badModifier(letter, modifier);
      return (output, cursor) => output.text(isoTime(cursor.timestamp));
    default:
      throw new FormatSyntaxError(
        `%${letter} means nothing: use %t %p %o %k %v %s %T %d %h %H %K %S %V %R or %%`,
      );
  }
}

const PLAIN: Readonly<Record<string, Printer>> = {
  "%": (output) => output.text("%"),
  t: (output, _cursor, { topic }) => output.text(topic),
  p: (output, _cursor, { partition }) => output.text(String(partition)),
  o: (output, cursor) => output.text(String(cursor.offset)),
  h: (output, cursor) => printHeaders(output, cursor),
  H: (output, cursor) => output.text(String(cursor.headerCount)),
  K: (output, cursor) => output.text(String(keyLength(cursor))),
  S: (output, cursor) => output.text(String(valueLength(cursor))),
  V: (output, cursor) => output.text(String(valueLength(cursor))),
  R: (output, cursor) => {
    const length = valueLength(cursor);
    for (const shift of [24, 16, 8, 0]) output.byte((length >> shift) & 0xff);
  },
};

function payload(part: "key" | "value", letter: string, modifier: string | undefined): Printer {
  if (modifier === undefined) {
    return part === "key"
      ? (output, { source, keyStart, keyEnd }) => {
        if (keyStart >= 0) output.range(source, keyStart, keyEnd);
      }
      : (output, { source, valueStart, valueEnd }) => {
        if (valueStart >= 0) output.range(source, valueStart, valueEnd);
      };
  }
  const bytes = (cursor: PrintableRecord) => part === "key" ? cursor.key() : cursor.value();
  switch (modifier) {
    case "hex":
      return (output, cursor) => output.text(bytes(cursor)?.toHex() ?? "");
    case "base64":
      return (output, cursor) => output.text(bytes(cursor)?.toBase64() ?? "");
    default:
      throw badModifier(letter, modifier);
  }
}

/** `name=value,…` as in kcat; a name alone has a null value. */
function printHeaders(output: Output, cursor: PrintableRecord): void {
  cursor.headers().forEach(([name, value], i) => {
    output.text(`${i === 0 ? "" : ","}${name}`);
    if (value === null) return;
    output.text("=");
    output.range(value, 0, value.length);
  });
}

function keyLength({ keyStart, keyEnd }: PrintableRecord): number {
  return keyStart < 0 ? -1 : keyEnd - keyStart;
}

function valueLength({ valueStart, valueEnd }: PrintableRecord): number {
  return valueStart < 0 ? -1 : valueEnd - valueStart;
}

function isoTime(timestampMs: number): string {
  const date = new Date(timestampMs);
  return timestampMs < 0 || Number.isNaN(date.getTime()) ? "" : date.toISOString();
}

function badModifier(letter: string, modifier: string): FormatSyntaxError {
  return new FormatSyntaxError(
    `%${letter}{${modifier}} means nothing: {hex} and {base64} go with keys and values, {iso} ` +
      "with timestamps",
  );
}
