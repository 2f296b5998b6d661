/** Records, and what comes between and behind them, as routes that stream have them. */
import { count, z } from "./openapi.ts";

/** A key, a value or the value of a header: text, or what is none as base64; null is null. */
const BYTES = z.union([z.string(), z.object({ base64: z.string() }), z.null()]);

/** A record as it is read: the envelope of `consume -f json`. */
export const RECORD = z.object({
  topic: z.string(),
  partition: z.int(),
  offset: z.int(),
  timestamp: z.int().describe("milliseconds since 1970; -1: it has none"),
  key: z.unknown().describe('text, {"base64": …} for what is none, or null; else as key-as says'),
  value: z.unknown().describe("as the key"),
  headers: z.array(z.tuple([z.string(), BYTES])),
  timestampType: z.literal("LogAppendTime").optional().describe("the time is that of the broker"),
}).openapi("Record");

/** A record as it is written. */
export const NEW_RECORD = z.strictObject({
  key: BYTES.optional(),
  value: BYTES,
  headers: z.array(z.tuple([z.string(), BYTES])).optional(),
  partition: z.int().min(0).max(0x7fff_ffff).nullable().optional(),
  timestamp: z.int().nullable().optional().describe("milliseconds since 1970; default: now"),
  topic: z.unknown().optional().describe("not looked at, and so are offset and timestampType"),
  offset: z.unknown().optional(),
  timestampType: z.unknown().optional(),
}).openapi("NewRecord");

const next = z.string().describe("where to go on: the next offset of each partition, 0:41,1:17");
const reason = z.string().describe("end, limit, slow reader, stopping, stopped, error");

/** What an answer of records ends with; NDJSON has it only where not all is there. */
export const END = z.object({
  reason,
  records: count.describe("that were sent"),
  skipped: count.describe("records that an expression or a kind could not take"),
  status: z.int().optional(),
  title: z.string().optional(),
  detail: z.string().optional().describe("of an error"),
  next,
}).openapi("RecordsEnd");

const PROGRESS = {
  scanned: count.describe("offsets that were gone over"),
  of: count,
  bytes: count,
  found: count,
  failed: count.describe("records that the expression could not take"),
  next,
};
/** How far a search is. */
export const SEARCH_PROGRESS = z.object(PROGRESS).openapi("SearchProgress");
/** What a search ends with. */
export const SEARCH_END = z.object({ reason, detail: z.string().optional(), ...PROGRESS })
  .openapi("SearchEnd");

/** What is stored of a body, in one partition. */
const STORED = z.object({
  partition: z.int(),
  records: count,
  firstOffset: z.int().nullable().describe("null where the broker does not say: acks=0"),
  lastOffset: z.int().nullable(),
});
/** The answer to a body of which all is acknowledged. */
export const WRITTEN = z.object({
  topic: z.string(),
  records: count,
  leftOut: count.describe("by where"),
  skipped: count.describe("by on-error=skip"),
  partitions: z.array(STORED).readonly(),
}).openapi("Written");
