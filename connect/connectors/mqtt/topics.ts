/** Names of MQTT topics: which filter takes which, and what is made of their levels. */
import { FieldError } from "../../index.ts";

/** Whether a topic is one that the filter asks for; `$share/GROUP/` before it does not count. */
export function filterMatches(filter: string, topic: string): boolean {
  const wanted = withoutShare(filter).split("/");
  const levels = topic.split("/");
  // What brokers say of themselves is no part of what wildcards ask for.
  if (topic.startsWith("$") && /^[+#]/.test(wanted[0] ?? "")) return false;
  for (const [i, level] of wanted.entries()) {
    if (level === "#") return true;
    if (i >= levels.length || (level !== "+" && level !== levels[i])) return false;
  }
  return wanted.length === levels.length;
}

const withoutShare = (filter: string) => filter.replace(/^\$share\/[^/]*\//, "");

/** What is wrong with a filter of topics; null: nothing. */
export function refusalOfFilter(filter: string): string | null {
  const levels = withoutShare(filter).split("/");
  const isWell = filter !== "" &&
    levels.every((level, i) =>
      level === "+" || (level === "#" && i === levels.length - 1) || !/[+#\0]/.test(level)
    );
  return isWell ? null : `has "${filter}": + stands for a whole level, # for all at the end`;
}

export function isTopic(text: string): boolean {
  return text !== "" && Buffer.byteLength(text) <= 65_535 && !/[+#\0]/.test(text);
}

/**
 * A text made of a topic: `{topic}` is all of it, `{2}` the second level, `{-1}` the last, `{1..-2}`
 * all but the last; levels are joined by `joint`. What is not there is nothing. Throws `FieldError`.
 */
export function levelTemplate(source: string, joint: string): (topic: string) => string {
  const pieces = source.split(/\$?\{([^{}]*)\}/);
  if (pieces.some((piece, i) => i % 2 === 0 && /[{}]/.test(piece))) {
    throw new FieldError("has a brace without the other one");
  }
  const parts = pieces.map((piece, i): (levels: readonly string[]) => string => {
    if (i % 2 === 0) return () => piece;
    if (piece === "topic") return (levels) => levels.join(joint);
    const range = /^(-?[1-9]\d*)(?:\.\.(-?[1-9]\d*))?$/.exec(piece);
    if (range === null) throw new FieldError(`may have ${LEVEL_PLACEHOLDERS}, not {${piece}}`);
    const [first, last] = [Number(range[1]), Number(range[2] ?? range[1])];
    return (levels) => {
      const at = (number: number) => number > 0 ? number - 1 : levels.length + number;
      return levels.slice(Math.max(0, at(first)), Math.max(0, at(last) + 1)).join(joint);
    };
  });
  return (topic) => {
    const levels = topic.split("/");
    return parts.map((part) => part(levels)).join("");
  };
}

/** For the reference. */
export const LEVEL_PLACEHOLDERS = "{topic}, {1} for the first level of it, {-1} for the last, " +
  "{1..-2} for all but the last";

/** For a field's `check`. */
export function levelCheck(text: string): string | null {
  try {
    levelTemplate(text, ".");
    return null;
  } catch (error) {
    if (error instanceof FieldError) return error.message;
    throw error;
  }
}
