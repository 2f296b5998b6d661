/**
 * Lists in pages: `limit`, `cursor`, `filter` (a part of the name, whatever its case) and `where` (an
 * expression over an item, as `v.partitions > 10`; docs/expressions.md). A cursor is the name of the last
 * item: what comes and goes meanwhile shifts nothing.
 */
import { ExpressionError, RecordScope } from "../core/expression/expression.ts";
import { compileExpression } from "../core/expression/expression.ts";
import { wholeNumber, z } from "./openapi.ts";
import { Problem } from "./problem.ts";

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1000;
/** Together with the other parameters they have to fit into the 16 KiB that a server takes of a URL. */
const FILTER_CHARS_MAX = 250;
const WHERE_CHARS_MAX = 500;
const CURSOR_WRONG = "is none that this server has given";

/** The parameters of every list. */
export const LIST_QUERY = z.strictObject({
  limit: wholeNumber(1, LIMIT_MAX).optional().describe(`at most so many; default ${LIMIT_DEFAULT}`),
  cursor: z.string().regex(/^[\w-]{0,1000}$/, CURSOR_WRONG).optional().describe(
    "nextCursor of the page before",
  ),
  filter: z.string().max(FILTER_CHARS_MAX).optional()
    .describe("only what has this in its name, in upper or lower case"),
  where: z.string().max(WHERE_CHARS_MAX).optional()
    .describe("only what this expression is true for; v is the item: v.partitions > 10"),
});

/** What a list was asked for. */
export interface ListQuery {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
  readonly filter?: string | undefined;
  readonly where?: string | undefined;
}

/** Of lists that are whole unless a limit is given. */
export const WHOLE: ListQuery = { limit: Infinity };

/** Where the next page begins; null: this is the last one. */
export const nextCursor = z.string().nullable()
  .describe("where the next page begins; null: this is the last one");

/** A page of a list. */
export interface Page<T> {
  readonly items: T[];
  readonly nextCursor: string | null;
}

/**
 * The page of those items that are wanted. `names` are sorted by code units, each is there once; `itemOf`
 * is asked for no more of them than needed, and gives null for what is not to be shown.
 */
export function pageOf<T>(
  names: readonly string[],
  query: ListQuery,
  itemOf: (name: string) => T | null,
): Page<T> {
  const { limit = LIMIT_DEFAULT } = query;
  const contains = containsFilter(query.filter);
  const holds = condition<T>(query.where);
  const items: T[] = [];
  let last: string | null = null;
  for (let i = firstAfter(names, query.cursor); i < names.length; i++) {
    const name = names[i] ?? "";
    if (!contains(name)) continue;
    const item = itemOf(name);
    if (item === null || !holds(item)) continue;
    if (items.length === limit) return { items, nextCursor: cursorOf(last ?? "") };
    items.push(item);
    last = name;
  }
  return { items, nextCursor: null };
}

/** As `pageOf`, of items that are at hand. */
export function pageOfItems<T>(
  items: readonly T[],
  query: ListQuery,
  nameOf: (item: T) => string,
): Page<T> {
  const byName = new Map(items.map((item) => [nameOf(item), item]));
  return pageOf([...byName.keys()].sort(), query, (name) => byName.get(name) ?? null);
}

function containsFilter(filter: string | undefined): (name: string) => boolean {
  if (filter === undefined || filter === "") return () => true;
  const wanted = filter.toLowerCase();
  return (name) => name.toLowerCase().includes(wanted);
}

function condition<T>(where: string | undefined): (item: T) => boolean {
  if (where === undefined) return () => true;
  const refused = (error: unknown): never => {
    if (!(error instanceof ExpressionError)) throw error;
    throw new Problem(400, "bad request", `?where: ${error.message}`, {
      errors: [{ path: "?where", message: error.message }],
    });
  };
  const scope = new RecordScope();
  const encoder = new TextEncoder();
  try {
    const expression = compileExpression(where);
    return (item) => {
      const value = encoder.encode(JSON.stringify(item));
      const source = { offset: -1, timestamp: -1, key: () => null, value: () => value };
      scope.set({ ...source, headers: () => [] }, { topic: "", partition: -1 });
      try {
        return expression.test(scope);
      } catch (error) {
        return refused(error);
      }
    };
  } catch (error) {
    return refused(error);
  }
}

/** Index of the first name behind the cursor. */
function firstAfter(names: readonly string[], cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  const after = nameOfCursor(cursor);
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((names[middle] ?? "") <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}

function cursorOf(name: string): string {
  return new TextEncoder().encode(name).toBase64({ alphabet: "base64url", omitPadding: true });
}

function nameOfCursor(cursor: string): string {
  try {
    const bytes = Uint8Array.fromBase64(cursor, { alphabet: "base64url" });
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Problem(400, "bad request", `the request is refused: ?cursor ${CURSOR_WRONG}`, {
      errors: [{ path: "?cursor", message: CURSOR_WRONG }],
    });
  }
}
