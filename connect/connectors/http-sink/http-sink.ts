/** Records posted to an HTTP service. */
import {
  call,
  describeAnswer,
  headerLines,
  HttpTrouble,
  httpUrl,
  jsonText,
  parseHeaders,
  rowOf,
  signatureOf,
} from "../../formats/index.ts";
import {
  boolean,
  choice,
  defineSink,
  int,
  long,
  RetriableError,
  secret,
  string,
} from "../../index.ts";
import type { ConfigOf, SinkContext, SinkRecord } from "../../index.ts";

const fields = {
  url: string().importance("HIGH").check(httpUrl).doc(
    "What is called. {topic} and {key} stand for those of the record; {key} needs batch.size=1.",
  ).example("https://example.com/hooks/{topic}"),
  method: choice("POST", "PUT", "PATCH").default("POST").doc("How it is called."),
  headers: string().default("").check(headerLines).doc(
    "Headers that are sent, lines of NAME: VALUE.",
  ).example("Authorization: Bearer ${env:TOKEN}"),
  "batch.size": int({ min: 1, max: 100_000 }).default(1).importance("HIGH").doc(
    "How many records are in a call at most. From 2 on the body is an array, or lines.",
  ),
  format: choice("json", "jsonl").default("json").doc(
    "How a body of several records is written: as an array of JSON, or a line of JSON each.",
  ),
  content: choice("value", "record").default("value").doc(
    "What of a record is sent: its value (a text as it is where it is alone), or an object of topic, " +
      "partition, offset, timestamp, key, value and headers.",
  ),
  "delete.on.null": boolean().default(false).doc(
    "Whether a tombstone calls DELETE, without a body. It needs batch.size=1.",
  ),
  "calls.in.flight.max": int({ min: 1, max: 1000 }).default(1).importance("HIGH").doc(
    "How many calls are under way at most. From 2 on records of different keys may overtake each " +
      "other; those of a key stay in order, and those without one in that of their partition.",
  ),
  "timeout.ms": long({ min: 1 }).default(30_000).doc("How long an answer may take."),
  "retry.attempts": int({ min: 0, max: 1000 }).default(5).group("Retries").doc(
    "How often a call is made again where the service cannot be reached or answers 408, 425, 429 or 5xx, " +
      "before the whole batch is taken for a failure that is tried again, as errors.retry.timeout says.",
  ),
  "retry.backoff.ms": long({ min: 1 }).default(500).group("Retries").doc(
    "The pause before a call is made again, twice as long each time; Retry-After counts more.",
  ),
  "signature.secret": secret().optional().group("Security").doc(
    "With it, the HMAC-SHA256 of the body is sent in signature.header.",
  ),
  "signature.header": string().default("X-Hub-Signature-256").group("Security").doc(
    "The header that has the signature, as sha256=HEX.",
  ),
  "idempotency.header": string().default("Idempotency-Key").doc(
    "The header with a text that is the same when records are sent again, made of topic, partition and " +
      "offsets, so that the service can tell; empty: none.",
  ),
};

type Config = ConfigOf<typeof fields>;
type Context = SinkContext<Config>;

const ANSWER_BYTES_MAX = 1024 * 1024;
const PAUSE_MS_MAX = 60_000;

/** The service wants no such record: trying again is of no use. */
class Refused extends Error {
  override readonly name = "Refused";
}

export default defineSink({
  name: "http-sink",
  version: "1.0.0",
  doc:
    "Calls an HTTP service with records, alone or in batches, in their order, and signs them if " +
    "wanted. At least once; a service that looks at Idempotency-Key has each record once. Records that " +
    "it refuses (4xx) go where errors.tolerance says; of a batch each is tried alone first.",
  example: {
    topics: "orders",
    url: "https://example.com/hooks/{topic}",
    "batch.size": "100",
    headers: "Authorization: Bearer ${env:TOKEN}",
  },
  config: fields,
  check(config) {
    const isOne = config["batch.size"] === 1;
    const problems = [];
    if (!isOne && config.url.includes("{key}")) {
      problems.push({ field: "url", message: '"url" may have {key} only with batch.size=1' });
    }
    if (!isOne && config["delete.on.null"]) {
      problems.push({ field: "delete.on.null", message: '"delete.on.null" needs batch.size=1' });
    }
    return problems;
  },
  open(context) {
    /** What the service has taken of records that are given again after a failure. */
    const done = new Set<string>();
    const nameOf = ({ original }: SinkRecord) =>
      `${original.topic}-${original.partition}-${original.offset}`;
    const sendAll = async (records: readonly SinkRecord[]) => {
      for (const batch of batchesOf(records, context.config)) {
        const left = batch.filter((record) => !done.has(nameOf(record)));
        if (left.length > 0) await send(left, context);
        for (const record of left) done.add(nameOf(record));
      }
    };
    return {
      async write(records) {
        const lanes = lanesOf(records, context.config["calls.in.flight.max"]);
        const ended = await Promise.allSettled(lanes.map(sendAll));
        for (const lane of ended) if (lane.status === "rejected") throw lane.reason;
        done.clear();
      },
      revoked() {
        done.clear();
        return Promise.resolve();
      },
    };
  },
});

/** Records that may be sent at once: in a lane each, those of a key in the same. */
function lanesOf(records: readonly SinkRecord[], count: number): readonly SinkRecord[][] {
  if (count === 1) return [[...records]];
  const lanes = Array.from({ length: count }, (): SinkRecord[] => []);
  for (const record of records) {
    const { topic, partition } = record.original;
    const key = record.key === null ? partition : jsonText(record.key, record.keySchema);
    lanes[Number(Bun.hash.xxHash32(`${topic} ${key}`)) % count]!.push(record);
  }
  return lanes.filter((lane) => lane.length > 0);
}

/** Of one topic each where the URL has it. */
function* batchesOf(records: readonly SinkRecord[], config: Config): Generator<SinkRecord[]> {
  let batch: SinkRecord[] = [];
  const isPerTopic = config.url.includes("{topic}");
  for (const record of records) {
    const isOther = isPerTopic && batch[0] !== undefined && batch[0].topic !== record.topic;
    if (isOther || batch.length === config["batch.size"]) {
      yield batch;
      batch = [];
    }
    batch.push(record);
  }
  if (batch.length > 0) yield batch;
}

async function send(records: readonly SinkRecord[], context: Context): Promise<void> {
  try {
    await post(records, context);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (records.length === 1) return await context.reject(records[0]!, error);
    for (const record of records) await send([record], context);
  }
}

/** Calls until there is an answer. Throws `Refused` and `RetriableError`. */
async function post(records: readonly SinkRecord[], { config, clock, signal, log }: Context) {
  const { url, method, headers, body } = requestOf(records, config);
  const timeoutMs = config["timeout.ms"];
  let pauseMs = config["retry.backoff.ms"];
  for (let attempt = 0;; attempt++) {
    try {
      const call_ = { url, method, headers, body, timeoutMs, bytesMax: ANSWER_BYTES_MAX };
      const answer = await call(call_, clock, signal);
      if (answer.status < 300) return;
      throw new Refused(describeAnswer(url, answer));
    } catch (error) {
      if (!(error instanceof HttpTrouble)) throw error;
      if (attempt === config["retry.attempts"]) throw new RetriableError(error.message);
      const waitMs = error.retryAfterMs ?? pauseMs;
      log.warn("the call failed, it is made again", { why: error.message, waitMs });
      await clock.sleep(waitMs, signal);
      signal.throwIfAborted();
      pauseMs = Math.min(PAUSE_MS_MAX, pauseMs * 2);
    }
  }
}

function requestOf(records: readonly SinkRecord[], config: Config) {
  const first = records[0]!;
  const last = records.at(-1)!;
  const headers = parseHeaders(config.headers);
  const isDelete = config["delete.on.null"] && first.value === null;
  const { text, type } = bodyOf(records, config);
  if (!isDelete && !headers.has("content-type")) headers.set("content-type", type);
  const secret = config["signature.secret"];
  if (secret !== null) {
    headers.set(config["signature.header"], signatureOf(secret, isDelete ? "" : text));
  }
  if (config["idempotency.header"] !== "") {
    const { topic, partition, offset } = first.original;
    const to = records.length === 1
      ? ""
      : `-${last.original.topic}-${last.original.partition}-${last.original.offset}`;
    headers.set(config["idempotency.header"], `${topic}-${partition}-${offset}${to}`);
  }
  const key = typeof first.key === "string" ? first.key : jsonText(first.key, first.keySchema);
  const url = config.url
    .replaceAll("{topic}", () => encodeURIComponent(first.topic))
    .replaceAll("{key}", () => encodeURIComponent(key.toWellFormed()));
  return {
    url,
    method: isDelete ? "DELETE" : config.method,
    headers,
    body: isDelete ? null : text,
  };
}

function bodyOf(records: readonly SinkRecord[], config: Config) {
  const rows = records.map((record) => rowOf(record, config.content));
  const [only] = rows;
  if (config["batch.size"] === 1 && typeof only?.value === "string") {
    return { text: only.value, type: "text/plain; charset=utf-8" };
  }
  const texts = rows.map(({ value, schema }) => jsonText(value, schema));
  if (config["batch.size"] === 1) return { text: texts[0]!, type: "application/json" };
  return config.format === "jsonl"
    ? { text: texts.map((text) => `${text}\n`).join(""), type: "application/x-ndjson" }
    : { text: `[${texts.join(",")}]`, type: "application/json" };
}
