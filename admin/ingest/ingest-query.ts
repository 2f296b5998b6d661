/** What a request to write records asks for, from its path, query and HTTP headers. */
import { COMPRESSION_NAMES, type CompressionName } from "../../core/compression/codec.ts";
import { recordTransform } from "../../core/expression/record-expressions.ts";
import { PARAMETERS, type TransformRecord } from "../../core/expression/record-expressions.ts";
import { CsvFraming } from "../../core/text/csv.ts";
import type { HeaderEntry } from "../../core/text/envelope.ts";
import type { FeedSettings } from "../../core/text/feeder.ts";
import { delimited } from "../../core/text/framing.ts";
import { type PayloadKind, PAYLOADS } from "../../core/text/parse-record.ts";
import { Problem } from "../problem.ts";

/** How the body becomes records; `one`: it is one record's value. */
export const BODY_FORMATS = ["json", "lines", "csv", "one"] as const;
export type BodyFormat = (typeof BODY_FORMATS)[number];

/** See the head of the file. */
export interface IngestQuery {
  readonly format: BodyFormat;
  readonly feed: FeedSettings;
  /** Of every record; null: what the body says. */
  readonly key: Uint8Array | null;
  readonly acks: 0 | 1 | "all";
  readonly compression: CompressionName;
  readonly create: boolean;
  readonly onError: "stop" | "skip";
  /** What the topic has to promise, or nothing is written. */
  readonly durability: "fsync" | "os" | null;
}

const PARAMETER_NAMES = [
  ...["format", "key", "partition", "acks", "compression", "durability", "create", "on-error"],
  ...["key-delimiter", "key-as", "value-as", "null-marker", "key-column", "value-column"],
  ...["separator", "repartition", "where", "map", "key-by"],
];
/** HTTP headers that go along as headers of the record, under their own names. */
const KEPT_HEADERS = ["traceparent", "tracestate", "baggage"];
const HEADER_PREFIX = "kstream-header-";
const KEY_HEADER = "kstream-key";
const DURABILITIES = ["fsync", "os"] as const;
const encoder = new TextEncoder();

/** `pathKey`: the key that the path names, or null. Throws a `Problem` or an `OperatorError`. */
export function ingestQuery(request: Request, pathKey: string | null): IngestQuery {
  const query = new URL(request.url).searchParams;
  for (const name of query.keys()) {
    if (PARAMETER_NAMES.includes(name) || name.startsWith("header.")) continue;
    const known = PARAMETER_NAMES.join(", ");
    throw badQuery(`${name.slice(0, 40)} is not known; known are ${known} and header.NAME`);
  }
  const format = formatOf(query.get("format"), request.headers.get("content-type"));
  const key = pathKey ?? query.get("key") ?? request.headers.get(KEY_HEADER);
  const keyBytes = key === null ? null : encoder.encode(key);
  if (keyBytes !== null && query.has("key-delimiter")) {
    throw badQuery("key-delimiter does not go with a key of the request");
  }
  return {
    format,
    key: keyBytes,
    feed: feedSettings(query, format, headersOf(request, query), keyBytes),
    acks: acksOf(query),
    compression: choice(query, "compression", COMPRESSION_NAMES, "none"),
    create: choice(query, "create", ["true", "false"], "false") === "true",
    onError: choice(query, "on-error", ["stop", "skip"], "stop"),
    durability: query.has("durability") ? choice(query, "durability", DURABILITIES, "os") : null,
  };
}

function acksOf(query: URLSearchParams): 0 | 1 | "all" {
  const acks = choice(query, "acks", ["0", "1", "all", "-1"], "all");
  return acks === "0" ? 0 : acks === "1" ? 1 : "all";
}

/** What the content type says where nothing else does. */
function formatOf(given: string | null, contentType: string | null): BodyFormat {
  if (given !== null) {
    const found = BODY_FORMATS.find((format) => format === given);
    if (found !== undefined) return found;
    throw badQuery(`format is one of ${BODY_FORMATS.join(", ")}`);
  }
  switch ((contentType ?? "").split(";")[0]?.trim().toLowerCase()) {
    // What curl -T sends: `kstream consume -f json | curl -T- …` works.
    case "":
    case "application/x-ndjson":
    case "application/ndjson":
    case "application/jsonl":
    case "application/x-jsonlines":
    case "application/json-lines":
      return "json";
    case "text/plain":
      return "lines";
    case "text/csv":
      return "csv";
    default:
      return "one";
  }
}

function feedSettings(
  query: URLSearchParams,
  format: BodyFormat,
  headers: readonly HeaderEntry[],
  key: Uint8Array | null,
): FeedSettings {
  const delimiter = query.get("key-delimiter");
  if (delimiter === "") throw badQuery("key-delimiter is empty");
  const separator = query.get("separator") ?? ",";
  if (!/^[\0-\x7f]$/.test(separator) || separator === '"' || separator === "\n") {
    throw badQuery("separator is one character");
  }
  return {
    format: format === "one" ? "lines" : format,
    key: payloadKind(query, "key-as"),
    value: payloadKind(query, "value-as"),
    nullMarker: query.get("null-marker"),
    keyDelimiter: delimiter === null ? null : encoder.encode(delimiter),
    csv: {
      separator,
      keyColumn: query.get("key-column"),
      valueColumn: query.get("value-column"),
    },
    framing: format === "csv"
      ? new CsvFraming(separator.charCodeAt(0))
      : delimited(encoder.encode("\n")),
    partition: partitionOf(query.get("partition")),
    repartition: choice(query, "repartition", ["true", "false"], "false") === "true",
    headers,
    transform: transformOf(query, key),
  };
}

/** What expressions and a key of the request make of a record; null: nothing. */
function transformOf(query: URLSearchParams, key: Uint8Array | null): TransformRecord | null {
  const where = query.get("where") ?? undefined;
  const map = query.get("map") ?? undefined;
  const keyBy = query.get("key-by") ?? undefined;
  const hasExpression = where !== undefined || map !== undefined || keyBy !== undefined;
  if (!hasExpression) {
    return key === null ? null : (record) => ({ key, value: record.value() });
  }
  const transform = recordTransform({ where, map, keyBy }, PARAMETERS);
  if (key === null) return transform;
  if (keyBy !== undefined) throw badQuery("key-by does not go with a key of the request");
  return (record, place) => {
    const made = transform(record, place);
    return made === null ? null : { key, value: made.value };
  };
}

function headersOf(request: Request, query: URLSearchParams): HeaderEntry[] {
  const headers: HeaderEntry[] = [];
  for (const [name, value] of query) {
    if (name.startsWith("header.")) headers.push([name.slice(7), encoder.encode(value)]);
  }
  for (const [name, value] of request.headers) {
    const lower = name.toLowerCase();
    if (lower.startsWith(HEADER_PREFIX)) {
      headers.push([lower.slice(HEADER_PREFIX.length), encoder.encode(value)]);
    } else if (KEPT_HEADERS.includes(lower)) headers.push([lower, encoder.encode(value)]);
  }
  return headers;
}

function payloadKind(query: URLSearchParams, name: string): PayloadKind {
  return choice(query, name, PAYLOADS, "string");
}

function partitionOf(text: string | null): number {
  if (text === null) return -1;
  const partition = Number(text);
  if (/^\d+$/.test(text) && partition <= 0x7fff_ffff) return partition;
  throw badQuery("partition is a whole number");
}

/** The parameter, one of `choices`. Throws a `Problem`. */
export function choice<C extends string>(
  query: URLSearchParams,
  name: string,
  choices: readonly C[],
  otherwise: C,
): C {
  const given = query.get(name) ?? otherwise;
  const found = choices.find((each) => each === given);
  if (found !== undefined) return found;
  throw badQuery(`${name} is one of ${choices.join(", ")}`);
}

/** The problem of a query. */
export function badQuery(why: string): Problem {
  return new Problem(400, "bad request", `the request is refused: ${why}`);
}
