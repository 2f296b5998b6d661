/** The part of records that a converter is for, and its bytes as text. */
import { DataError } from "../data/data-error.ts";

/** What messages say of it. */
export interface ConvertedPart {
  readonly what: "key" | "value" | "header";
  /** The setting that chose the converter: `key.converter`. */
  readonly config: string;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The text of bytes. Throws `DataError` for what is no UTF-8, with the way out. */
export function utf8Text(bytes: Uint8Array, { what, config }: ConvertedPart): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new DataError(`${what} is no text in UTF-8; to have its bytes, set ${config} to bytes`);
  }
}
