const ESCAPE = /\\(?:([ntr0\\])|x([0-9a-fA-F]{2})|([^]|$))/g;
const NAMED: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  "0": "\0",
  "\\": "\\",
};

/**
 * Replaces `\n`, `\t`, `\r`, `\0`, `\\` and `\xNN` (a byte below 128), which a shell passes on as they
 * are; another letter stays with its backslash.
 */
export function unescape(text: string): string {
  return text.replace(ESCAPE, (whole, name: string | undefined, hex: string | undefined) => {
    if (name !== undefined) return NAMED[name] ?? whole;
    if (hex !== undefined && parseInt(hex, 16) < 128) return String.fromCharCode(parseInt(hex, 16));
    return whole;
  });
}
