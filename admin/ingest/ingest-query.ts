/** What a request to write records asks for, from its path, query and HTTP headers. */
import { COMPRESSION_NAMES, type CompressionName } from "../../core/compression/codec.ts";
import { recordTransform } from "../../core/expression/record-expressions.ts";
import { PARAMETERS, type TransformRecord } from "../../core/expression/record-expressions.ts";
import { CsvFraming } from "../../core/text/csv.ts";
import type { HeaderEntry } from "../../core/text/envelope.ts";
import type { FeedSettings } from "../../core/text/feeder.ts";
import { delimited } from "../../core/text/framing.ts";
import { PAYLOADS } from "../../core/text/parse-record.ts";
import { expression } from "../browse/browse-query.ts";
import { badValue, flag, wholeNumber, z } from "../openapi.ts";

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

const HEADER_PARAMETER = "header.";
const separator = z.string().regex(/^[\0-\x7f]$/, "is no character of ASCII")
  .refine((text) => text !== '"' && text !== "\n", "is a quote or the end of a line");

const PARAMETERS_KNOWN = z.object({
  format: z.enum(BODY_FORMATS).optional().describe("default: what the content type says"),
  key: z.string().optional().describe("of every record"),
  partition: wholeNumber(0, 0x7fff_ffff).optional().describe("default: where the key belongs"),
  acks: z.enum(["all", "-1", "0", "1"]).default("all"),
  compression: z.enum(COMPRESSION_NAMES).default("none").describe("of the batches"),
  durability: z.enum(["fsync", "os"]).optional()
    .describe("fsync refuses to write where the topic does not promise it"),
  create: flag.describe("lets the broker make a topic that is missing"),
  "on-error": z.enum(["stop", "skip"]).default("stop").describe(
    "what becomes of what is no record",
  ),
  "key-delimiter": z.string().min(1).optional().describe("lines: what stands behind the key"),
  "key-as": z.enum(PAYLOADS).default("string"),
  "value-as": z.enum(PAYLOADS).default("string"),
  "null-marker": z.string().optional().describe("lines, csv: the text that stands for null"),
  "key-column": z.string().optional(),
  "value-column": z.string().optional(),
  separator: separator.default(",").describe("of columns"),
  repartition: flag.describe("json: partitions that the records name do not count"),
  where: expression.optional().describe("writes only records that this expression is true for"),
  map: expression.optional().describe("an expression for the value"),
  "key-by": expression.optional().describe("an expression for the key"),
});

/** The query of what writes records; `header.NAME=VALUE` is a header of each record. */
export const INGEST_QUERY = PARAMETERS_KNOWN
  .catchall(z.union([z.string(), z.array(z.string())]))
  .superRefine((given, context) => {
    const keys = Object.keys(given).filter((name) =>
      !(name in PARAMETERS_KNOWN.shape) && !name.startsWith(HEADER_PARAMETER)
    );
    if (keys.length > 0) context.addIssue({ code: "unrecognized_keys", keys, input: given });
  });
/** HTTP headers that say something of the records. */
export const INGEST_HEADERS = z.object({
  "kstream-key": z.string().optional().describe("of every record, in place of the parameter"),
});
type GivenQuery = z.output<typeof INGEST_QUERY>;

/** HTTP headers that go along as headers of the record, under their own names. */
const KEPT_HEADERS = ["traceparent", "tracestate", "baggage"];
const HEADER_PREFIX = "kstream-header-";
const encoder = new TextEncoder();

/**
 * Reads query and HTTP headers; `requestKey`: the key that the path or a header names, or null.
 * Throws a `Problem` or an `OperatorError`.
 */
export function ingestQuery(
  request: Request,
  given: GivenQuery,
  requestKey: string | null,
): IngestQuery {
  const format = given.format ?? formatOf(request.headers.get("content-type"));
  const key = requestKey ?? given.key ?? null;
  const keyBytes = key === null ? null : encoder.encode(key);
  if (keyBytes !== null && given["key-delimiter"] !== undefined) {
    throw badValue("query", "key-delimiter", "does not go with a key of the request");
  }
  const { acks, compression, create, durability = null } = given;
  return {
    format,
    key: keyBytes,
    feed: feedSettings(given, format, headersOf(request), keyBytes),
    acks: acks === "0" ? 0 : acks === "1" ? 1 : "all",
    compression,
    create,
    onError: given["on-error"],
    durability,
  };
}

/** What the content type says where nothing else does. */
function formatOf(contentType: string | null): BodyFormat {
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
  given: GivenQuery,
  format: BodyFormat,
  headers: readonly HeaderEntry[],
  key: Uint8Array | null,
): FeedSettings {
  const { separator, partition = -1, repartition } = given;
  const delimiter = given["key-delimiter"];
  return {
    format: format === "one" ? "lines" : format,
    key: given["key-as"],
    value: given["value-as"],
    nullMarker: given["null-marker"] ?? null,
    keyDelimiter: delimiter === undefined ? null : encoder.encode(delimiter),
    csv: {
      separator,
      keyColumn: given["key-column"] ?? null,
      valueColumn: given["value-column"] ?? null,
    },
    framing: format === "csv"
      ? new CsvFraming(separator.charCodeAt(0))
      : delimited(encoder.encode("\n")),
    partition,
    repartition,
    repartitionName: "repartition=true",
    headers,
    transform: transformOf(given, key),
  };
}

/** What expressions and a key of the request make of a record; null: nothing. */
function transformOf(
  { where, map, "key-by": keyBy }: GivenQuery,
  key: Uint8Array | null,
): TransformRecord | null {
  const hasExpression = where !== undefined || map !== undefined || keyBy !== undefined;
  if (!hasExpression) {
    return key === null ? null : (record) => ({ key, value: record.value() });
  }
  const transform = recordTransform({ where, map, keyBy }, PARAMETERS);
  if (key === null) return transform;
  if (keyBy !== undefined) {
    throw badValue("query", "key-by", "does not go with a key of the request");
  }
  return (record, place) => {
    const made = transform(record, place);
    return made === null ? null : { key, value: made.value };
  };
}

function headersOf(request: Request): HeaderEntry[] {
  const headers: HeaderEntry[] = [];
  for (const [name, value] of new URL(request.url).searchParams) {
    if (!name.startsWith(HEADER_PARAMETER)) continue;
    headers.push([name.slice(HEADER_PARAMETER.length), encoder.encode(value)]);
  }
  for (const [name, value] of request.headers) {
    const lower = name.toLowerCase();
    if (lower.startsWith(HEADER_PREFIX)) {
      headers.push([lower.slice(HEADER_PREFIX.length), encoder.encode(value)]);
    } else if (KEPT_HEADERS.includes(lower)) headers.push([lower, encoder.encode(value)]);
  }
  return headers;
}
