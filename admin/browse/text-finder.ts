/** How a text is looked for in bytes: as it is, or whatever its case. */

/** See the head of the file. */
export interface TextFinder {
  /**
   * For a look at many records at once: the bytes of `view(bytes)` stand where those of `bytes` do, and
   * hold the needle wherever the text is. Null: parts have to be looked at one by one.
   */
  readonly raw: { readonly needle: Buffer; view(bytes: Uint8Array): Buffer } | null;
  /** Whether the text is in a part of a record. */
  isIn(part: Uint8Array): boolean;
}

/**
 * The finder of a text, which is not empty. With `ignoreCase` a text of ASCII is found whatever the case
 * of A to Z, byte by byte: bytes that are no text, or in another encoding, stay what they are. Other
 * texts are compared by characters, in upper case as Unicode maps it (`ß` is `SS`, `ς` and `σ` are `Σ`),
 * which does not depend on what stands beside them, nor on a language; parts are decoded as UTF-8 for it.
 */
export function textFinder(text: string, ignoreCase: boolean): TextFinder {
  if (!ignoreCase) return exact(Buffer.from(text));
  return /^[\0-\x7f]*$/.test(text) ? ignoringAsciiCase(text) : ignoringCase(text);
}

function exact(needle: Buffer): TextFinder {
  return {
    raw: { needle, view: asBuffer },
    isIn: (part) => part.length >= needle.length && asBuffer(part).includes(needle),
  };
}

function ignoringAsciiCase(text: string): TextFinder {
  const needle = Buffer.from(text.toLowerCase());
  return {
    raw: { needle, view: lowered },
    isIn: (part) => part.length >= needle.length && lowered(part).includes(needle),
  };
}

function ignoringCase(text: string): TextFinder {
  const needle = text.toUpperCase();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return { raw: null, isIn: (part) => decoder.decode(part).toUpperCase().includes(needle) };
}

/** A copy with a to z for A to Z; other bytes stay, those of UTF-8's longer characters, too. */
function lowered(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafe(bytes.length);
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    copy[i] = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
  }
  return copy;
}

function asBuffer({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}
