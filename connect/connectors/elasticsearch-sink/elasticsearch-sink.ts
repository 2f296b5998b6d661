/** Records as documents of Elasticsearch or OpenSearch, by its bulk API. */
import { defineSink, FieldError, RetriableError } from "../../index.ts";
import type { SinkContext, SinkRecord } from "../../index.ts";
import { SearchCluster } from "./cluster.ts";
import { Documents, mappingOf, UnfitRecord } from "./documents.ts";
import type { Action } from "./documents.ts";
import { fields } from "./fields.ts";
import type { Config } from "./fields.ts";

export default defineSink({
  name: "elasticsearch-sink",
  aliases: [
    "ElasticsearchSinkConnector",
    "io.confluent.connect.elasticsearch.ElasticsearchSinkConnector",
  ],
  version: "1.0.0",
  doc:
    "Writes records as documents to Elasticsearch (7 and later) or OpenSearch. A document is the value; " +
    "its id is the key, or made of topic, partition and offset. Offsets are external versions, so a record " +
    "that comes late or twice changes nothing: the documents are as if each had come once. With " +
    "write.method=upsert they are so once all have come. Documents that are refused go where " +
    "errors.tolerance says, each alone.",
  config: fields,
  check(config) {
    const problems = [];
    const isOwn = config["key.ignore"] || config["topic.key.ignore"].length > 0;
    const isStream = config["data.stream.type"] !== "none";
    if (config["write.method"] === "upsert" && (isOwn || isStream)) {
      const message = '"write.method" can be upsert only where keys are ids of documents';
      problems.push({ field: "write.method", message });
    }
    if (isOwn && config["behavior.on.null.values"] === "delete") {
      const message =
        '"behavior.on.null.values" can be delete only where keys are ids of documents';
      problems.push({ field: "behavior.on.null.values", message });
    }
    const mapping = config["topic.to.external.resource.mapping"];
    if (!mapping.every((pair) => /^[^:]+:[^:]+$/.test(pair))) {
      const field = "topic.to.external.resource.mapping";
      problems.push({ field, message: `"${field}" must be TOPIC:INDEX, or several with commas` });
    }
    try {
      new SearchCluster({ config, ...NOWHERE });
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      const field = "elastic.https.ssl.truststore.location";
      problems.push({ field, message: error.message });
    }
    return problems;
  },
  async probe(config, signal) {
    const once = { ...config, "max.retries": 0 };
    await new SearchCluster({ config: once, clock: NOWHERE.clock, signal }).need("GET", "/");
  },
  open(context) {
    const sink = new BulkSink(context);
    return { write: (records) => sink.write(records) };
  },
});

const NOWHERE = {
  clock: { wallMs: () => 0, monotonicMs: () => 0, sleep: () => new Promise<void>(() => {}) },
  signal: new AbortController().signal,
};

class BulkSink {
  readonly #context: SinkContext<Config>;
  readonly #cluster: SearchCluster;
  readonly #documents: Documents;
  readonly #indices = new Set<string>();
  /** Of the records that come again after trouble, those that are done with. */
  readonly #done = new WeakSet<SinkRecord>();
  #conflicts = 0;

  constructor(context: SinkContext<Config>) {
    this.#context = context;
    this.#cluster = new SearchCluster(context);
    this.#documents = new Documents(context.config);
  }

  async write(records: readonly SinkRecord[]): Promise<void> {
    const actions: Action[] = [];
    for (const record of records) {
      if (this.#done.has(record)) continue;
      const action = await this.#actionOf(record);
      if (action === null) this.#done.add(record);
      else actions.push(action);
    }
    const { config } = this.#context;
    const isInOrder = config["write.method"] === "upsert";
    const bulks = [...bulksOf(actions, config, isInOrder)];
    const width = isInOrder ? 1 : config["max.in.flight.requests"];
    let next = 0;
    const lane = async () => {
      while (next < bulks.length) await this.#send(bulks[next++]!);
    };
    // All of them have ended before any record comes again.
    const ends = await Promise.allSettled(Array.from({ length: width }, lane));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  async #actionOf(record: SinkRecord): Promise<Action | null> {
    try {
      const action = this.#documents.actionOf(record);
      if (action !== null) await this.#needIndex(action);
      return action;
    } catch (error) {
      if (!(error instanceof UnfitRecord)) throw error;
      await this.#context.reject(record, error);
      return null;
    }
  }

  /** Makes the index or data stream of a record where it is not there. */
  async #needIndex({ index, record }: Action): Promise<void> {
    if (this.#indices.has(index)) return;
    const { config, log } = this.#context;
    const isStream = config["data.stream.type"] !== "none";
    if (config["index.create"]) {
      const path = `${isStream ? "/_data_stream" : ""}/${encodeURIComponent(index)}`;
      const found = await this.#cluster.ask(isStream ? "GET" : "HEAD", path);
      if (found.status === 404) {
        const body = isStream ? null : this.#mappingOf(record);
        const made = await this.#cluster.ask("PUT", path, body);
        const text = Buffer.from(made.body).toString();
        // Another task may have been quicker.
        if (made.status >= 300 && !text.includes("resource_already_exists_exception")) {
          const hint = isStream ? "a data stream needs an index template for its name; " : "";
          throw new Error(`cannot make "${index}": ${hint}${reasonOf(text)}`);
        }
        log.info("made an index", { index });
      } else if (found.status >= 300) {
        await this.#cluster.need("GET", path);
      }
    }
    this.#indices.add(index);
  }

  #mappingOf({ topic, valueSchema }: SinkRecord): string | null {
    const { config } = this.#context;
    const isIgnored = config["schema.ignore"] || config["topic.schema.ignore"].includes(topic);
    if (isIgnored || valueSchema?.type !== "struct") return null;
    return JSON.stringify({ mappings: mappingOf(valueSchema) });
  }

  /** Sends until each record is in, or refused. Throws `RetriableError`. */
  async #send(actions: readonly Action[]): Promise<void> {
    const { config, clock, signal } = this.#context;
    let left = actions;
    let pauseMs = config["retry.backoff.ms"];
    for (let attempt = 0; left.length > 0; attempt++) {
      const body = left.map(({ lines }) => lines).join("");
      const answer = await this.#cluster.ask("POST", "/_bulk", body);
      if (answer.status === 413 && left.length > 1) {
        const middle = left.length >> 1;
        await this.#send(left.slice(0, middle));
        return await this.#send(left.slice(middle));
      }
      if (answer.status === 413) return await this.#refuse(left[0]!, "it is too large (413)");
      if (answer.status >= 300) await this.#cluster.need("POST", "/_bulk", body);
      const { again, why } = await this.#settle(left, Buffer.from(answer.body).toString());
      left = again;
      if (left.length === 0) return;
      if (attempt >= config["max.retries"]) throw new RetriableError(why);
      await clock.sleep(pauseMs, signal);
      signal.throwIfAborted();
      pauseMs = Math.min(30_000, pauseMs * 2);
    }
  }

  /** What of a bulk is to be sent again, and why. */
  async #settle(actions: readonly Action[], text: string) {
    const items = itemsOf(text);
    if (items.length !== actions.length) {
      throw new RetriableError(`${this.#cluster.urlOf("/_bulk")} has not answered for each record`);
    }
    const again: Action[] = [];
    let why = "";
    for (const [at, { status, error }] of items.entries()) {
      const action = actions[at]!;
      const reason = reasonOf(error);
      const isGone = status === 404 && error === null;
      if (status < 300 || isGone) {
        this.#done.add(action.record);
      } else if (status === 409) {
        // A later record of its key is there, or this very one.
        this.#done.add(action.record);
        this.#context.gauge("version-conflicts", ++this.#conflicts);
      } else if (status === 429 || status >= 500) {
        again.push(action);
        why = `${action.index}: ${reason} (${status})`;
      } else {
        await this.#refuse(action, `${reason} (${status})`);
      }
    }
    return { again, why };
  }

  async #refuse({ record, index, id }: Action, reason: string): Promise<void> {
    const { config, log } = this.#context;
    this.#done.add(record);
    const behavior = config["behavior.on.malformed.documents"];
    const { topic, partition, offset } = record.original;
    if (behavior === "ignore") return;
    if (behavior === "warn") {
      return void log.warn("a document is left out", { index, topic, partition, offset, reason });
    }
    const error = new Error(`"${index}" refuses document ${JSON.stringify(id)}: ${reason}`);
    await this.#context.reject(record, error);
  }
}

/** Requests that are neither too long nor too large; `isInOrder`: an id only once in each. */
function* bulksOf(
  actions: readonly Action[],
  config: Config,
  isInOrder: boolean,
): Generator<Action[]> {
  let bulk: Action[] = [];
  let size = 0;
  const ids = new Set<string>();
  for (const action of actions) {
    const id = `${action.index} ${action.id}`;
    const isFull = bulk.length >= config["batch.size"] ||
      size + action.lines.length > config["bulk.size.bytes"];
    if (bulk.length > 0 && (isFull || (isInOrder && ids.has(id)))) {
      yield bulk;
      bulk = [];
      size = 0;
      ids.clear();
    }
    bulk.push(action);
    size += action.lines.length;
    if (isInOrder) ids.add(id);
  }
  if (bulk.length > 0) yield bulk;
}

interface Item {
  readonly status: number;
  readonly error: unknown;
}

/** What a bulk's answer says of each record. Empty: it is none. */
function itemsOf(text: string): Item[] {
  const answer = parsed(text);
  const items = propertyOf(answer, "items");
  if (!Array.isArray(items)) return [];
  return items.map((item: unknown) => {
    const [inner] = typeof item === "object" && item !== null ? Object.values(item) : [];
    const status = propertyOf(inner, "status");
    const error = propertyOf(inner, "error") ?? null;
    return { status: typeof status === "number" ? status : 500, error };
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function propertyOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined;
}

const REASON_CHARS_MAX = 300;

/** `type: reason` of an error, with what caused it; a preview of the value in it is left out. */
function reasonOf(error: unknown): string {
  const value = typeof error === "string" ? propertyOf(parsed(error), "error") ?? error : error;
  if (typeof value === "string") return value.slice(0, REASON_CHARS_MAX);
  const words = [propertyOf(value, "type"), propertyOf(value, "reason")]
    .filter((word) => typeof word === "string");
  const cause = propertyOf(propertyOf(value, "caused_by"), "type");
  const all = words.join(": ").replace(/\s*Preview of field's value: .*/s, "");
  return `${all}${typeof cause === "string" ? `, ${cause}` : ""}`.slice(0, REASON_CHARS_MAX);
}
