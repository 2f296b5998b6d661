/** Any value as JSON for people: in dead letters, in messages, at a terminal. It is not read back. */

/** Whole numbers beyond JSON's become text, bytes base64, maps lists of pairs. Null for undefined. */
export function plainJson(value: unknown, indent = 0): string {
  const plain = (_key: string, part: unknown): unknown => {
    if (typeof part === "bigint") return part.toString();
    if (part instanceof Uint8Array) return part.toBase64();
    if (part instanceof Map) return [...part];
    return part;
  };
  return JSON.stringify(value, plain, indent) ?? "null";
}
