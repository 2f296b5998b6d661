/** JSON in which whole numbers of any size are what they are: those that no number holds are bigints. */

/** What may be more than 2^53 − 1; the rest takes the quicker way. */
const LONG_NUMBER = /\d{16}/;
const WHOLE = /^-?\d+$/;

/** Throws where it is no JSON. */
export function parseExactJson(text: string): unknown {
  return LONG_NUMBER.test(text) ? JSON.parse(text, exact) : JSON.parse(text);
}

/** A reviver: engines give the text of each number as well. */
function exact(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const source = context?.source ?? "";
  return WHOLE.test(source) ? BigInt(source) : value;
}

/** Of what `parseExactJson` gives, and of what is made of it. */
export function exactJsonText(value: unknown): string {
  return JSON.stringify(value, (_name, each: unknown) => {
    return typeof each === "bigint" ? JSON.rawJSON(each.toString()) : each;
  });
}
