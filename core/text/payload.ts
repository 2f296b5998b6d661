/** What keys and values mean where they are no texts: `int` and `long` are Java's serializers. */
import { OperatorError } from "../operator-error.ts";
import type { PrintableRecord } from "../expression/record-expressions.ts";
import type { RecordPlace } from "../expression/expression.ts";
import { findJsonFault } from "./json-fault.ts";
import type { PayloadKind } from "./parse-record.ts";

/** Which of the two. */
export type Part = "key" | "value";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of a key or value of this kind. Throws `OperatorError` where the bytes are no such thing. */
export function payloadText(part: Part, kind: Exclude<PayloadKind, "string">) {
  return (bytes: Uint8Array, record: PrintableRecord, place: RecordPlace): string =>
    decodePayload(kind, bytes, part, record, place);
}

/** The key or the value as a piece of JSON: numbers and JSON as they are, all else as a string. */
export function payloadJson(part: Part, kind: Exclude<PayloadKind, "string">) {
  return (record: PrintableRecord, place: RecordPlace): string => {
    const bytes = part === "key" ? record.key() : record.value();
    if (bytes === null) return "null";
    const text = decodePayload(kind, bytes, part, record, place);
    return kind === "base64" || kind === "hex" ? `"${text}"` : text;
  };
}

/** The text of the bytes. Throws `OperatorError` where they are no such thing. */
export function decodePayload(
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
