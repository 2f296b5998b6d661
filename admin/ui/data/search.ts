/** Searches: `POST /v1/topics/{topic}/search`. */
import { parseJson, path, request } from "./api.ts";
import { endOf, recordOf, type RecordView } from "./records.ts";
import { eventsOf } from "./sse.ts";

/** How far a search is, in records; `failed` of them the expression could not take. */
export interface Progress {
  readonly scanned: number;
  readonly total: number;
  readonly failed: number;
}

/** What a search gives; the last is why it has ended. */
export type SearchEvent =
  | { readonly kind: "record"; readonly record: RecordView }
  | { readonly kind: "progress"; readonly progress: Progress }
  | { readonly kind: "end"; readonly reason: string };

/** Searches until it is through, or the signal ends it. Throws a `Problem`. */
export async function* search(
  topic: string,
  wanted: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): AsyncGenerator<SearchEvent> {
  const given = Object.entries(wanted).filter(([, value]) => value !== "" && value !== undefined);
  const response = await request(path(["v1", "topics", topic, "search"]), {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify(Object.fromEntries(given)),
    signal,
  });
  if (response.body === null) return;
  for await (const { event, data } of eventsOf(response.body)) {
    const record = event === "message" ? recordOf(data) : null;
    if (record !== null) {
      yield { kind: "record", record };
      continue;
    }
    const said = parseJson(data);
    const progress = progressOf(said);
    if (progress !== null) yield { kind: "progress", progress };
    if (event === "end") yield { kind: "end", reason: endOf(said).reason };
  }
}

function progressOf(value: unknown): Progress | null {
  if (typeof value !== "object" || value === null) return null;
  if (!("scanned" in value) || !("of" in value)) return null;
  const failed = "failed" in value ? Number(value.failed) : 0;
  return { scanned: Number(value.scanned), total: Number(value.of), failed };
}
