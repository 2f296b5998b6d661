/** What a search looks for, from the body of its request. */
import {
  type CompiledExpression,
  compileExpression,
  ExpressionError,
} from "../../core/expression/expression.ts";
import { Problem } from "../problem.ts";
import { type BrowseParameters, type BrowseRange, browseRange } from "./browse-query.ts";

/** The parts of a record that a text is looked for in. */
export const SEARCH_PARTS = ["key", "value", "headers"] as const;
export type SearchPart = (typeof SEARCH_PARTS)[number];

/** See the head of the file. */
export interface SearchQuery extends BrowseRange {
  /** In UTF-8; null: any. */
  readonly text: Uint8Array | null;
  readonly parts: ReadonlySet<SearchPart>;
  /** Null: any. */
  readonly where: CompiledExpression | null;
  /** After so many it ends. */
  readonly limit: number;
}

const NAMES = ["text", "in", "where", "limit"];
const RANGE_NAMES = ["from", "to", "follow", "partitions", "isolation", "utc"];
const LIMIT_DEFAULT = 1000;
const LIMIT_MAX = 1_000_000;

/** Throws a `Problem`. */
export function searchQuery(body: Readonly<Record<string, unknown>>, nowMs: number): SearchQuery {
  const range: Record<string, string> = {};
  for (const [name, value] of Object.entries(body)) {
    if (RANGE_NAMES.includes(name)) range[name] = String(value);
    else if (!NAMES.includes(name)) {
      const known = [...NAMES, ...RANGE_NAMES].join(", ");
      throw bad(`"${name.slice(0, 40)}" is not known; known are ${known}`);
    }
  }
  const text = textOf(body["text"]);
  const where = whereOf(body["where"]);
  if (text === null && where === null) throw bad("it says neither text nor where");
  return {
    ...browseRange(range satisfies BrowseParameters, nowMs),
    text,
    where,
    parts: partsOf(body["in"]),
    limit: limitOf(body["limit"]),
  };
}

function textOf(text: unknown): Uint8Array | null {
  if (text === undefined) return null;
  if (typeof text === "string" && text !== "") return new TextEncoder().encode(text);
  throw bad("text is a string that is not empty");
}

function whereOf(where: unknown): CompiledExpression | null {
  if (where === undefined) return null;
  if (typeof where !== "string") throw bad("where is an expression as a string");
  try {
    return compileExpression(where);
  } catch (error) {
    if (error instanceof ExpressionError) throw bad(`where cannot be read: ${error.message}`);
    throw error;
  }
}

function partsOf(parts: unknown): ReadonlySet<SearchPart> {
  if (parts === undefined) return new Set(SEARCH_PARTS);
  const named = Array.isArray(parts) ? parts : [];
  const found = SEARCH_PARTS.filter((part) => named.includes(part));
  if (found.length > 0 && found.length === named.length) return new Set(found);
  throw bad(`in is a list of ${SEARCH_PARTS.join(", ")}`);
}

function limitOf(limit: unknown): number {
  if (limit === undefined) return LIMIT_DEFAULT;
  if (typeof limit === "number" && Number.isInteger(limit) && limit >= 1 && limit <= LIMIT_MAX) {
    return limit;
  }
  throw bad(`limit is a whole number from 1 to ${LIMIT_MAX}`);
}

function bad(why: string): Problem {
  return new Problem(400, "bad request body", `the request body is refused: ${why}`);
}
