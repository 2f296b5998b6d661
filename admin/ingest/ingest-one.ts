/** One record per body, for webhooks: the body is the value. */
import { OperatorError } from "../../core/operator-error.ts";
import type { Clock } from "../../core/io.ts";
import { clientProblem } from "../client-problem.ts";
import { Problem } from "../problem.ts";
import { type IngestOutcome, openTopic } from "./ingest-body.ts";
import type { IngestQuery } from "./ingest-query.ts";
import type { LeasedProducer } from "./producer-pool.ts";

/** Writes it. Throws errors of the client, and a `Problem`. */
export async function ingestOne(
  topic: string,
  query: IngestQuery,
  value: Uint8Array,
  leased: LeasedProducer,
  clock: Clock,
): Promise<IngestOutcome> {
  const { partition, headers } = query.feed;
  await openTopic(leased, topic, partition);
  const timestampMs = clock.wallMs();
  const made = transformed(query, topic, value, timestampMs);
  const none = { topic, failed: 0, skipped: 0, problem: null };
  const lines = { firstUnsafeLine: 2, noneFromLine: 2 };
  if (made === null) return { ...none, ...lines, acknowledged: 0, leftOut: 1, partitions: [] };
  const sending = leased.producer.send({
    ...{ topic, ...made, headers, timestampMs },
    ...(partition < 0 ? {} : { partition }),
  });
  const [stored] = await Promise.all([settled(sending), leased.producer.flush()]);
  if (stored instanceof Error) {
    const problem = clientProblem(stored);
    if (problem === null) throw stored;
    const unsafe = { firstUnsafeLine: 1, noneFromLine: 1 };
    return { ...none, ...unsafe, acknowledged: 0, failed: 1, leftOut: 0, problem, partitions: [] };
  }
  const offset = stored.offset < 0n ? null : Number(stored.offset);
  const at = { partition: stored.partition, records: 1, firstOffset: offset, lastOffset: offset };
  return { ...none, ...lines, acknowledged: 1, leftOut: 0, partitions: [at] };
}

async function settled<T>(promise: Promise<T>): Promise<T | Error> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
}

function transformed({ key, feed }: IngestQuery, topic: string, value: Uint8Array, at: number) {
  if (feed.transform === null) return { key, value };
  const { headers, partition } = feed;
  const source = {
    ...{ offset: -1, timestamp: at },
    ...{ key: () => key, value: () => value, headers: () => headers },
  };
  try {
    return feed.transform(source, { topic, partition });
  } catch (error) {
    if (error instanceof OperatorError) throw new Problem(400, "no record", error.message);
    throw error;
  }
}
