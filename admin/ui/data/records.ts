/** Records as `GET /v1/topics/{topic}/records` gives them. */
import { parseJson, path, Problem, type Query, request } from "./api.ts";
import { eventsOf } from "./sse.ts";

/** A key, a value or the value of a header: text, or bytes that are none. */
export type Payload = string | { readonly base64: string } | null;

/** A record. */
export interface RecordView {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Payload;
  readonly value: Payload;
  readonly headers: readonly (readonly [name: string, value: Payload])[];
  readonly timestampType?: "LogAppendTime";
}

/** Names a record among those of a topic. */
export function idOf({ partition, offset }: RecordView): string {
  return `${partition}:${offset}`;
}

/** The bytes of a payload. */
export function bytesOf(payload: Payload): Uint8Array {
  if (payload === null) return new Uint8Array();
  if (typeof payload === "string") return new TextEncoder().encode(payload);
  return Uint8Array.from(atob(payload.base64), (char) => char.charCodeAt(0));
}

/** A payload as one line of text; bytes that are no text in hexadecimal. */
export function preview(payload: Payload, charsMax = 300): string {
  if (payload === null) return "null";
  if (typeof payload === "string") return payload.slice(0, charsMax);
  const shown = bytesOf({ base64: payload.base64.slice(0, 256) });
  return `0x${Array.from(shown, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** About what a record takes in memory. */
export function sizeOf({ key, value, headers }: RecordView): number {
  const of = (payload: Payload) =>
    payload === null ? 0 : typeof payload === "string" ? payload.length : payload.base64.length;
  return 200 + of(key) + of(value) +
    headers.reduce((sum, [name, each]) => sum + name.length + of(each), 0);
}

/** A line of the answer as a record, or null if it is none. */
export function recordOf(text: string): RecordView | null {
  const value = parseJson(text);
  const isRecord = typeof value === "object" && value !== null && "offset" in value &&
    "partition" in value;
  return isRecord ? value as RecordView : null;
}

/** What a browse gives: a record with where to go on behind it, or why it has ended. */
export type BrowseEvent =
  | { readonly kind: "record"; readonly record: RecordView; readonly next: string }
  | { readonly kind: "end"; readonly reason: string; readonly skipped: number };

/** Reads records; `next` is where another read has ended. Throws a `Problem`. */
export async function* browse(
  topic: string,
  query: Query,
  signal: AbortSignal,
  next = "",
): AsyncGenerator<BrowseEvent> {
  const response = await request(path(["v1", "topics", topic, "records"], query), {
    headers: {
      accept: "text/event-stream",
      ...(next === "" ? {} : { "last-event-id": next }),
    },
    signal,
  });
  if (response.body === null) return;
  for await (const { event, data, id } of eventsOf(response.body, next)) {
    const record = event === "message" ? recordOf(data) : null;
    if (record !== null) yield { kind: "record", record, next: id };
    else if (event === "end") yield endOf(parseJson(data));
  }
}

/** The last event of a stream. Throws what it says of an error. */
export function endOf(
  value: unknown,
): { readonly kind: "end"; readonly reason: string; readonly skipped: number } {
  const said: Record<string, unknown> = typeof value === "object" && value !== null
    ? { ...value }
    : {};
  const reason = String(said["reason"] ?? "");
  if (reason === "error") {
    const detail = String(said["detail"] ?? "the broker's log says more");
    throw new Problem(Number(said["status"] ?? 500), String(said["title"] ?? "error"), detail);
  }
  return { kind: "end", reason, skipped: Number(said["skipped"] ?? 0) };
}
