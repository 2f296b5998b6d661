/** Names made of other names: `orders-{stream}`; `${stream}` is taken as well, as in others' configs. */
import { FieldError } from "../index.ts";

/** Throws `FieldError` for a name that is none of `names`. */
export function nameTemplate<N extends string>(
  source: string,
  names: readonly N[],
): (values: Readonly<Record<N, string>>) => string {
  const pieces = source.split(/\$?\{([^{}]*)\}/);
  if (pieces.some((piece, i) => i % 2 === 0 && /[{}]/.test(piece))) {
    throw new FieldError("has a brace without the other one");
  }
  const parts = pieces.map((piece, i) => {
    if (i % 2 === 0) return () => piece;
    const name = names.find((known) => known === piece);
    if (name !== undefined) return (values: Readonly<Record<N, string>>) => values[name];
    const known = names.map((one) => `{${one}}`).join(", ");
    throw new FieldError(`may have ${known}, but not {${piece}}`);
  });
  return (values) => parts.map((part) => part(values)).join("");
}

/** For a field's `check`. */
export function templateCheck(names: readonly string[]): (text: string) => string | null {
  return (text) => {
    try {
      nameTemplate(text, names);
      return null;
    } catch (error) {
      if (error instanceof FieldError) return error.message;
      throw error;
    }
  };
}

const TOPIC_CHARACTERS_MAX = 249;

/** A text as a topic may be called: other characters than those of topics become `_`. */
export function topicName(text: string): string {
  const name = text.slice(0, TOPIC_CHARACTERS_MAX).replaceAll(/[^a-zA-Z0-9._-]/g, "_");
  return name === "" || name === "." || name === ".." ? name.padStart(2, "_") : name;
}
