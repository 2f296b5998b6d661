/** What a request to read records asks for. */
import { PARAMETERS, type SelectRecord } from "../../core/expression/record-expressions.ts";
import { recordSelector } from "../../core/expression/record-expressions.ts";
import {
  type OffsetPoint,
  OffsetSyntaxError,
  parseOffsetPoint,
} from "../../core/text/offset-range.ts";
import { type PayloadKind, PAYLOADS } from "../../core/text/parse-record.ts";
import { Problem } from "../problem.ts";

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

/** The parameters by name, as a query or a message has them. */
export type BrowseParameters = Readonly<Record<string, string | undefined>>;

const NAMES = [
  ...["from", "to", "follow", "partitions", "isolation", "utc", "limit", "where", "map"],
  ...["key-as", "value-as", "on-error", "last-event-id", "format"],
];
const PARTITIONS_MAX = 1_000_000;

/** Throws a `Problem` and an `OperatorError`. */
export function browseQuery(given: BrowseParameters, nowMs: number): BrowseQuery {
  const unknown = Object.keys(given).find((name) => !NAMES.includes(name));
  if (unknown !== undefined) {
    throw bad(`${unknown.slice(0, 40)} is not known; known are ${NAMES.join(", ")}`);
  }
  const { where, map } = given;
  return {
    ...browseRange(given, nowMs),
    keyAs: oneOf(given, "key-as", PAYLOADS, "string"),
    valueAs: oneOf(given, "value-as", PAYLOADS, "string"),
    select: where === undefined && map === undefined
      ? null
      : recordSelector({ where, map }, PARAMETERS),
    onError: oneOf(given, "on-error", ["stop", "skip"], "stop"),
    format: oneOf(given, "format", ["json", "csv"], "json"),
    limit: given["limit"] === undefined ? null : wholeNumber("limit", given["limit"]),
  };
}

/** The part that says where. Throws a `Problem`. */
export function browseRange(given: BrowseParameters, nowMs: number): BrowseRange {
  const utc = oneOf(given, "utc", BOOLEANS, "false") === "true";
  const point = (name: string, text: string) => {
    try {
      return parseOffsetPoint(text, nowMs, utc);
    } catch (error) {
      if (error instanceof OffsetSyntaxError) throw bad(`${name}: ${error.message}`);
      throw error;
    }
  };
  const { to, partitions } = given;
  const resume = given["last-event-id"];
  return {
    from: point("from", given["from"] ?? "start"),
    to: to === undefined ? null : point("to", to),
    follow: oneOf(given, "follow", BOOLEANS, "false") === "true",
    partitions: partitions === undefined ? null : numbersOf(partitions),
    isolationLevel: oneOf(given, "isolation", ISOLATION_LEVELS, "read_uncommitted"),
    resume: resume === undefined || resume === "" ? null : parsePositions(resume),
  };
}

const BOOLEANS = ["true", "false"] as const;
const ISOLATION_LEVELS = ["read_uncommitted", "read_committed"] as const;

/** `0:41,1:17`: the next offset of each partition. Throws a `Problem`. */
export function parsePositions(text: string): Map<number, number> {
  const positions = new Map<number, number>();
  for (const part of text.split(",")) {
    const match = /^(\d{1,7}):(\d{1,16})$/.exec(part.trim());
    if (match === null) throw bad(`"${part.slice(0, 40)}" is no PARTITION:OFFSET`);
    positions.set(Number(match[1]), Number(match[2]));
  }
  return positions;
}

function numbersOf(text: string): number[] {
  const numbers = new Set<number>();
  for (const part of text.split(",")) {
    const match = /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(part.trim());
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? first);
    if (match === null || last < first || last > PARTITIONS_MAX) {
      throw bad("partitions are written as in 0-2,5");
    }
    for (let number = first; number <= last; number++) numbers.add(number);
  }
  return [...numbers].toSorted((a, b) => a - b);
}

/** A positive whole number. Throws a `Problem`. */
export function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (/^\d{1,16}$/.test(text) && number >= 1 && Number.isSafeInteger(number)) return number;
  throw bad(`${name} is a whole number from 1`);
}

function oneOf<C extends string>(
  given: BrowseParameters,
  name: string,
  choices: readonly C[],
  otherwise: C,
): C {
  const text = given[name] ?? otherwise;
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  throw bad(`${name} is one of ${choices.join(", ")}`);
}

function bad(why: string): Problem {
  return new Problem(400, "bad request", `the request is refused: ${why}`);
}
