/** Keys and values as cells of a table or of CSV. */
import type { PrintableRecord } from "../../../core/expression/record-expressions.ts";
import { payloadText } from "../../../core/text/payload.ts";
import type { Part } from "../../../core/text/payload.ts";
import type { PayloadKind } from "../../../core/text/parse-record.ts";
import type { RecordPlace } from "./printer.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Its text; bytes that are no UTF-8 as 0x…; null for null. */
export function payloadCell(part: Part, kind: PayloadKind) {
  const textOf = kind === "string" ? null : payloadText(part, kind);
  return (record: PrintableRecord, place: RecordPlace): string | null => {
    const bytes = part === "key" ? record.key() : record.value();
    if (bytes === null) return null;
    if (textOf !== null) return textOf(bytes, record, place);
    try {
      return utf8.decode(bytes);
    } catch {
      return `0x${bytes.toHex()}`;
    }
  };
}
