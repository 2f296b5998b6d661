/** Maps of strings as JSON has them. Keys may be called anything, `__proto__` too. */

/** The entries of an object whose values are all text, or null; null: it is something else. */
export function stringEntries(value: unknown): [key: string, value: string | null][] | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const entries: [string, unknown][] = Object.entries(value);
  return entries.every(isTextOrNull) ? entries : null;
}

function isTextOrNull(entry: [string, unknown]): entry is [string, string | null] {
  return entry[1] === null || typeof entry[1] === "string";
}
