/** rpk's `%v{unpack[>iq$]}`: binary fields as text. */
import type { Output } from "../../../core/text/output.ts";
import { FormatSyntaxError } from "./printer.ts";

/** How many bytes a letter takes, and its number. */
interface Field {
  readonly bytes: number;
  read(view: DataView, at: number, little: boolean): number | bigint;
}

const FIELDS: Readonly<Record<string, Field>> = {
  b: { bytes: 1, read: (view, at) => view.getInt8(at) },
  B: { bytes: 1, read: (view, at) => view.getUint8(at) },
  h: { bytes: 2, read: (view, at, little) => view.getInt16(at, little) },
  H: { bytes: 2, read: (view, at, little) => view.getUint16(at, little) },
  i: { bytes: 4, read: (view, at, little) => view.getInt32(at, little) },
  I: { bytes: 4, read: (view, at, little) => view.getUint32(at, little) },
  q: { bytes: 8, read: (view, at, little) => view.getBigInt64(at, little) },
  Q: { bytes: 8, read: (view, at, little) => view.getBigUint64(at, little) },
};

/** Throws `FormatSyntaxError` for a letter that means nothing. */
export function unpacker(letters: string): (output: Output, bytes: Uint8Array) => void {
  for (const letter of letters) {
    if (FIELDS[letter] === undefined && !"<>xcs.$".includes(letter)) {
      throw new FormatSyntaxError(`unpack knows no "${letter}": use b B h H i I q Q x c s . $ < >`);
    }
  }
  return (output, bytes) => unpack(output, bytes, letters);
}

function unpack(output: Output, bytes: Uint8Array, letters: string): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  let little = false;
  for (const letter of letters) {
    const field = FIELDS[letter];
    const needed = field?.bytes ?? (letter === "c" || letter === "." ? 1 : 0);
    if (at + needed > bytes.length) return output.text("(too short)");
    if (field !== undefined) output.text(String(field.read(view, at, little)));
    else if (needed === 1) output.byte(bytes[at]!);
    at += needed;
    if (letter === "<" || letter === ">") little = letter === "<";
    if (letter === "s") {
      output.range(bytes, at, bytes.length);
      at = bytes.length;
    }
    if (letter === "$" && at < bytes.length) output.text(`(${bytes.length - at} bytes left)`);
    if (letter === "x") output.byte(32);
  }
}
