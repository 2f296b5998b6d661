/** What a search looks for, from the body of its request. */
import {
  type CompiledExpression,
  compileExpression,
  ExpressionError,
} from "../../core/expression/expression.ts";
import { badValue, z } from "../openapi.ts";
import { type BrowseRange, browseRange, expression, RANGE } from "./browse-query.ts";
import { type TextFinder, textFinder } from "./text-finder.ts";

/** The parts of a record that a text is looked for in. */
export const SEARCH_PARTS = ["key", "value", "headers"] as const;
export type SearchPart = (typeof SEARCH_PARTS)[number];

/** See the head of the file. */
export interface SearchQuery extends BrowseRange {
  /** Null: any. */
  readonly text: TextFinder | null;
  readonly parts: ReadonlySet<SearchPart>;
  /** Null: any. */
  readonly where: CompiledExpression | null;
  /** After so many it ends. */
  readonly limit: number;
}

const LIMIT_DEFAULT = 1000;
const LIMIT_MAX = 1_000_000;

const place = z.union([z.string().max(100), z.int()]).transform(String);

/** The body of a search. */
export const SEARCH_BODY = z.strictObject({
  text: z.string().min(1).optional().describe("looked for as its bytes in UTF-8"),
  ignoreCase: z.boolean().default(false).describe(
    "of a text of ASCII: A to Z, byte by byte; of others: in upper case as Unicode maps it",
  ),
  in: z.array(z.enum(SEARCH_PARTS)).min(1).max(SEARCH_PARTS.length).optional()
    .describe("the parts that the text is looked for in; default: all"),
  where: expression.optional().describe("only records that this expression is true for"),
  limit: z.int().min(1).max(LIMIT_MAX).default(LIMIT_DEFAULT),
  ...RANGE,
  from: place.default("start").describe("as of GET …/records"),
  to: place.optional(),
  follow: z.boolean().default(false),
  utc: z.boolean().default(false),
}).openapi("Search");

/** Reads the body. Throws a `Problem`. */
export function searchQuery(given: z.output<typeof SEARCH_BODY>, nowMs: number): SearchQuery {
  const { text, where } = given;
  if (text === undefined && where === undefined) {
    throw badValue("json", "text", "name a text to look for, or where");
  }
  return {
    ...browseRange("json", given, nowMs),
    text: text === undefined ? null : textFinder(text, given.ignoreCase),
    where: where === undefined ? null : whereOf(where),
    parts: new Set(given.in ?? SEARCH_PARTS),
    limit: given.limit,
  };
}

function whereOf(where: string): CompiledExpression {
  try {
    return compileExpression(where);
  } catch (error) {
    if (error instanceof ExpressionError) throw badValue("json", "where", error.message);
    throw error;
  }
}
