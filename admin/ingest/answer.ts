/** The answer to a body of records. */
import type { IngestOutcome } from "./ingest-body.ts";

/**
 * What was stored where, if all of it is acknowledged:
 *
 *     {"topic": "orders", "records": 3, "leftOut": 0, "skipped": 0,
 *      "partitions": [{"partition": 0, "records": 3, "firstOffset": 7, "lastOffset": 9}]}
 *
 * Else throws the problem, with the same and how far one can rely on it: `acknowledged`, `failed`,
 * `firstUnsafeLine` (all before it are acknowledged) and `noneFromLine` (from it on none is).
 */
export function ingestAnswer(outcome: IngestOutcome) {
  const { topic, problem, acknowledged, leftOut, skipped, partitions } = outcome;
  if (problem === null) return { topic, records: acknowledged, leftOut, skipped, partitions };
  const { failed, firstUnsafeLine, noneFromLine } = outcome;
  throw problem.with({
    ...{ topic, acknowledged, failed, leftOut, skipped, firstUnsafeLine, noneFromLine },
    partitions,
  });
}
