/** What the parser gives, read with care: JSON whose shape is that of sqlparser-rs's enums and structs. */
import type { Span } from "../../core/expression/expression-error.ts";

/** An object of the tree. */
export type Tree = Readonly<Record<string, unknown>>;

export function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An enum's variant and what is in it: `{"Like": {…}}`, or `"Wildcard"` alone. */
export function variantOf(value: unknown): readonly [name: string, body: unknown] {
  if (typeof value === "string") return [value, null];
  const [entry] = isTree(value) ? Object.entries(value) : [];
  return entry ?? ["", null];
}

/** A field of a struct. */
export function fieldOf(value: unknown, name: string): unknown {
  return isTree(value) && name in value ? value[name] : undefined;
}

/**
 * The first field of a struct that says something and is none of these: what is not understood must not be
 * passed over. Null: there is none.
 */
export function otherField(value: unknown, known: readonly string[]): string | null {
  if (!isTree(value)) return null;
  const found = Object.entries(value).find(([name, field]) => {
    const isNothing = field == null || field === false ||
      (Array.isArray(field) && field.length === 0);
    return !isNothing && !known.includes(name) && !/(?:^span|_token)$/.test(name);
  });
  return found?.[0] ?? null;
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Offsets in a text of the parser's lines and columns, which count from 1, columns in code points. */
export class Places {
  readonly #lines: readonly { readonly start: number; readonly text: string }[];

  constructor(text: string) {
    let start = 0;
    this.#lines = text.split("\n").map((line) => {
      const entry = { start, text: line };
      start += line.length + 1;
      return entry;
    });
  }

  offset(line: number, column: number): number {
    const entry = this.#lines[line - 1];
    if (entry === undefined) return 0;
    return entry.start + Array.from(entry.text).slice(0, column - 1).join("").length;
  }

  /** The span that a node carries, or the one around those of its parts. Null: none has one. */
  spanOf(value: unknown): Span | null {
    const own = isTree(value) ? this.#read(value["span"]) : null;
    if (own !== null) return own;
    const parts = Array.isArray(value) ? value : isTree(value) ? Object.values(value) : [];
    let all: Span | null = null;
    for (const part of parts) {
      if (typeof part !== "object" || part === null) continue;
      const span = this.spanOf(part);
      if (span === null) continue;
      all = all === null ? span : {
        start: Math.min(all.start, span.start),
        end: Math.max(all.end, span.end),
      };
    }
    return all;
  }

  #read(span: unknown): Span | null {
    const start = this.#place(fieldOf(span, "start"));
    const end = this.#place(fieldOf(span, "end"));
    return start === null || end === null ? null : { start, end };
  }

  /** Line 0 is how the parser says that it does not know. */
  #place(place: unknown): number | null {
    const [line, column] = [fieldOf(place, "line"), fieldOf(place, "column")];
    if (typeof line !== "number" || typeof column !== "number" || line === 0) return null;
    return this.offset(line, column);
  }
}
