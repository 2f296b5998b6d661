/**
 * `POST /v1/topics/TOPIC/search`: records that hold a text, or for which an expression holds, as they
 * are found, with progress each 250 ms, until the end of the range, `limit`, or the client has gone:
 *
 *     {"text": "a7f3", "in": ["key", "value", "headers"], "where": "v.total > 100", "from": "-1d"}
 *
 * NDJSON or Server-Sent Events, as `GET …/records` has them: records, `progress` and `end`.
 */
import { searchQuery } from "../browse/search-query.ts";
import { runSearch } from "../browse/search.ts";
import type { Routes } from "../app.ts";
import { badBody, isObject } from "../browse/json-object.ts";
import { answerStream, type StreamAnswer } from "../browse/answer-stream.ts";

/** Fetched and not looked at yet, of one search. */
const QUEUED_BYTES = 32 * 1024 * 1024;

export const searchRoutes: Routes = (app, services) => {
  app.post("/v1/topics/:topic/search", async (context) => {
    let body: unknown;
    try {
      body = JSON.parse(await context.req.text());
    } catch (error) {
      throw badBody(`it is no JSON: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (!isObject(body)) throw badBody("it is no JSON object");
    const query = searchQuery(body, services.broker.io.clock.wallMs());
    const answer: StreamAnswer = {
      kind: "search",
      range: query,
      format: "json",
      queuedBytes: QUEUED_BYTES,
    };
    return await answerStream(services, context, answer, (scan, format, writer, stopping) => {
      return runSearch(scan, query, format, writer, stopping);
    });
  });
};
