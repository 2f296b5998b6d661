/** What a request to read records asks for. */
import { PARAMETERS, type SelectRecord } from "../../core/expression/record-expressions.ts";
import { recordSelector } from "../../core/expression/record-expressions.ts";
import {
  type OffsetPoint,
  OffsetSyntaxError,
  parseOffsetPoint,
} from "../../core/text/offset-range.ts";
import { type PayloadKind, PAYLOADS } from "../../core/text/parse-record.ts";
import { badValue, flag, wholeNumber, z } from "../openapi.ts";

/** Where to read, of which partitions, until when. */
export interface BrowseRange {
  readonly from: OffsetPoint;
  /** Null: the end as it is now, or with `follow` none. */
  readonly to: OffsetPoint | null;
  readonly follow: boolean;
  /** Null: all. */
  readonly partitions: readonly number[] | null;
  readonly isolationLevel: "read_uncommitted" | "read_committed";
  /** Where to go on by partition, before `from`; null: nowhere. */
  readonly resume: ReadonlyMap<number, number> | null;
}

/** See the head of the file. */
export interface BrowseQuery extends BrowseRange {
  readonly keyAs: PayloadKind;
  readonly valueAs: PayloadKind;
  readonly select: SelectRecord | null;
  /** What becomes of a record that an expression or a kind cannot take. */
  readonly onError: "stop" | "skip";
  readonly format: "json" | "csv";
  /** Records that are sent; null: all. */
  readonly limit: number | null;
}

const PARTITIONS_MAX = 100_000;
const POINT_CHARS_MAX = 100;
/** Three of them fit into what a server takes of a URL, 16 KiB. */
const EXPRESSION_CHARS_MAX = 2000;
/** Of lists of partitions. */
const LIST_CHARS_MAX = 100_000;
const POINT = "start, end, 42, -10, -1h, a time as 2026-01-31T12:00Z";

/** An expression over records. */
export const expression = z.string().max(EXPRESSION_CHARS_MAX);
const point = z.string().max(POINT_CHARS_MAX);
const partitions = z.string().transform((text, context) => {
  const numbers = numbersOf(text);
  if (numbers === null) context.addIssue("is a list of partitions as 0-2,5");
  return numbers ?? z.NEVER;
}).openapi({ type: "string", example: "0-2,5" });
const positions = z.string().transform((text, context) => {
  const found = parsePositions(text);
  if (found === null) context.addIssue("is no list of PARTITION:OFFSET");
  return found ?? z.NEVER;
}).openapi({ type: "string", example: "0:41,1:17" });

/** Where to read: what queries and bodies have in common. */
export const RANGE = {
  from: point.default("start").describe(`the first one: ${POINT}`),
  to: point.optional().describe("the first one not wanted; default: the end as it is now"),
  partitions: partitions.optional().describe("default: all"),
  isolation: z.enum(["read_uncommitted", "read_committed"]).default("read_uncommitted"),
};
const LAST_ID = positions.optional()
  .describe("the id of an event: goes on behind it, where its partitions are named");

/** The query of what reads records, and a `consume` message. */
export const BROWSE_QUERY = z.strictObject({
  ...RANGE,
  follow: flag.describe("goes on with what comes"),
  utc: flag.describe("times without a zone are in UTC"),
  limit: wholeNumber(1, Number.MAX_SAFE_INTEGER).optional().describe("records that are sent"),
  where: expression.optional().describe("only records that this expression is true for"),
  map: expression.optional().describe("an expression for the value that is sent"),
  "key-as": z.enum(PAYLOADS).default("string"),
  "value-as": z.enum(PAYLOADS).default("string"),
  "on-error": z.enum(["stop", "skip"]).default("stop")
    .describe("what becomes of what an expression or a kind cannot take"),
  format: z.enum(["json", "csv"]).default("json"),
  "last-event-id": LAST_ID,
});
/** The header that an `EventSource` sends when it goes on. */
export const BROWSE_HEADERS = z.object({ "last-event-id": LAST_ID });

/** Reads the query; `resume` goes before its own `last-event-id`. Throws a `Problem` and an `OperatorError`. */
export function browseQuery(
  given: z.output<typeof BROWSE_QUERY>,
  resume: ReadonlyMap<number, number> | undefined,
  nowMs: number,
): BrowseQuery {
  const { where, map } = given;
  return {
    ...browseRange("query", { ...given, resume: resume ?? given["last-event-id"] }, nowMs),
    keyAs: given["key-as"],
    valueAs: given["value-as"],
    select: where === undefined && map === undefined
      ? null
      : recordSelector({ where, map }, PARAMETERS),
    onError: given["on-error"],
    format: given.format,
    limit: given.limit ?? null,
  };
}

/** A range that is checked but for its points. */
interface GivenRange {
  readonly from: string;
  readonly to?: string | undefined;
  readonly follow: boolean;
  readonly utc: boolean;
  readonly partitions?: readonly number[] | undefined;
  readonly isolation: BrowseRange["isolationLevel"];
  readonly resume?: ReadonlyMap<number, number> | undefined;
}

/** The part that says where; `target`: where it stands. Throws a `Problem`. */
export function browseRange(
  target: "query" | "json",
  given: GivenRange,
  nowMs: number,
): BrowseRange {
  const pointOf = (name: string, text: string) => {
    try {
      return parseOffsetPoint(text, nowMs, given.utc);
    } catch (error) {
      if (error instanceof OffsetSyntaxError) throw badValue(target, name, error.message);
      throw error;
    }
  };
  const { to, resume } = given;
  return {
    from: pointOf("from", given.from),
    to: to === undefined ? null : pointOf("to", to),
    follow: given.follow,
    partitions: given.partitions ?? null,
    isolationLevel: given.isolation,
    resume: resume === undefined || resume.size === 0 ? null : resume,
  };
}

/** `0:41,1:17`: the next offset of each partition; null: it is something else. */
function parsePositions(text: string): Map<number, number> | null {
  const positions = new Map<number, number>();
  if (text === "") return positions;
  if (text.length > LIST_CHARS_MAX) return null;
  for (const part of text.split(",")) {
    const match = /^(\d{1,7}):(\d{1,16})$/.exec(part.trim());
    if (match === null || !Number.isSafeInteger(Number(match[2]))) return null;
    positions.set(Number(match[1]), Number(match[2]));
  }
  return positions;
}

/** The partitions of `0-2,5`, in their order; null: it is something else, or names too many. */
function numbersOf(text: string): number[] | null {
  if (text.length > LIST_CHARS_MAX) return null;
  const numbers = new Set<number>();
  let left = PARTITIONS_MAX;
  for (const part of text.split(",")) {
    const match = /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(part.trim());
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? first);
    left -= last - first + 1;
    if (match === null || last < first || left < 0) return null;
    for (let number = first; number <= last; number++) numbers.add(number);
  }
  return [...numbers].toSorted((a, b) => a - b);
}
