/**
 * `POST /v1/topics/TOPIC/search`: records that hold a text, or for which an expression holds, as they
 * are found, with progress each 250 ms, until the end of the range, `limit`, or the client has gone:
 *
 *     {"text": "a7f3", "in": ["key", "value", "headers"], "where": "v.total > 100", "from": "-1d"}
 *
 * NDJSON or Server-Sent Events, as `GET …/records` has them: records, `progress` and `end`.
 */
import { answerStream, type StreamAnswer } from "../browse/answer-stream.ts";
import { runSearch } from "../browse/search.ts";
import { SEARCH_BODY, searchQuery } from "../browse/search-query.ts";
import { body, createRoute, newRoutes, streamed, z } from "../openapi.ts";
import { RECORD, SEARCH_END, SEARCH_PROGRESS } from "../record-schemas.ts";
import type { AdminServices } from "../services.ts";
import { TOPIC_PARAM } from "./topics.ts";

/** Fetched and not looked at yet, of one search. */
const QUEUED_BYTES = 32 * 1024 * 1024;

const SEARCH = createRoute({
  method: "post",
  path: "/v1/topics/{topic}/search",
  operationId: "searchTopic",
  tags: ["records"],
  summary: "Records that hold a text, or for which an expression is true, as they are found",
  description: "Progress comes at least each 250 ms between them. Events with " +
    "`Accept: text/event-stream`: `message`, `progress` and `end`. Of compressed records a text is " +
    "looked for in what they are decompressed to.",
  request: { params: TOPIC_PARAM, body: body(SEARCH_BODY) },
  responses: {
    200: streamed({
      "application/x-ndjson": z.union([
        RECORD,
        z.object({ progress: SEARCH_PROGRESS }),
        z.object({ end: SEARCH_END }),
      ]),
      "text/event-stream": z.union([RECORD, SEARCH_PROGRESS, SEARCH_END]),
    }, "Records, progress, and the end"),
  },
});

export function searchRoutes(services: AdminServices) {
  return newRoutes().openapi(SEARCH, async (context) => {
    const query = searchQuery(context.req.valid("json"), services.broker.io.clock.wallMs());
    const answer: StreamAnswer = {
      kind: "search",
      topic: context.req.valid("param").topic,
      range: query,
      format: "json",
      queuedBytes: QUEUED_BYTES,
    };
    return await answerStream(services, context, answer, (scan, format, writer, stopping) => {
      return runSearch(scan, query, format, writer, stopping);
    });
  });
}
