/** What a WebSocket of a topic is told, and what it says. */
import { count, z } from "../openapi.ts";
import { RECORD } from "../record-schemas.ts";
import { BROWSE_QUERY } from "./browse-query.ts";

/** Any text or number, to know an answer by. */
const id = z.unknown();
/** Credit beyond it is not kept. */
export const CREDIT_MAX = 1_000_000;
const credit = z.number().min(0).transform((records) => Math.min(CREDIT_MAX, Math.floor(records)))
  .openapi({ type: "number", minimum: 0, description: "so many records more may be sent" });

/** Parameters of a query as JSON: numbers and booleans stand for their texts. */
const CONSUME = z.looseObject({ credit: credit.optional() }).openapi({
  description: "the parameters of GET …/records, and credit",
});

/** Of one message, so that it is soon worked off. */
export const RECORDS_MAX = 10_000;
const PRODUCE = z.strictObject({
  id: id.optional(),
  // Each is read on its own, so that the answer can say what is wrong with it.
  records: z.array(z.unknown()).min(1).max(RECORDS_MAX).openapi({
    type: "array",
    minItems: 1,
    maxItems: RECORDS_MAX,
    items: { $ref: "#/components/schemas/NewRecord" },
  }),
});
/** See `RecordSocket`. */
export type ProduceMessage = z.output<typeof PRODUCE>;
/** See `RecordSocket`. */
export type ConsumeMessage = z.output<typeof CONSUME>;

/** A message to the server. */
export const SOCKET_MESSAGE = z.union([
  z.strictObject({ produce: PRODUCE }),
  z.strictObject({ consume: CONSUME }),
  z.strictObject({ credit }),
  z.strictObject({ stop: z.literal(true) }),
]).openapi("SocketMessage");

const detail = z.string();
/** A message of the server. */
export const SOCKET_ANSWER = z.union([
  z.object({
    acknowledged: z.object({
      id,
      records: z.array(z.object({ partition: z.int(), offset: z.int() })),
    }),
  }),
  z.object({
    refused: z.object({ id, detail, acknowledged: count.describe("records that are stored") }),
  }),
  z.object({ record: RECORD, next: z.string() }),
  z.object({
    end: z.object({ reason: z.string(), detail: detail.optional(), next: z.string().optional() }),
  }),
  z.object({ error: z.object({ detail }) }),
]).openapi("SocketAnswer");

/** The query that a `consume` message is. Throws a `z.ZodError`. */
export function consumeQuery(
  { credit: _, ...given }: ConsumeMessage,
): z.output<typeof BROWSE_QUERY> {
  const texts = Object.entries(given).map(([name, value]) => [
    name,
    typeof value === "number" || typeof value === "boolean" ? String(value) : value,
  ]);
  return BROWSE_QUERY.parse(Object.fromEntries(texts));
}
