/** Calls of an Elasticsearch or OpenSearch cluster: which node, who we are, what is worth a retry. */
import { call, describeAnswer, HttpTrouble, textOfFile } from "../../formats/index.ts";
import type { HttpAnswer } from "../../formats/index.ts";
import { FieldError, RetriableError } from "../../index.ts";
import type { TaskClock } from "../../index.ts";
import type { Config } from "./fields.ts";

const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
const PAUSE_MS_MAX = 30_000;

/** What a call needs of its task. */
export interface Calling {
  readonly config: Config;
  readonly clock: TaskClock;
  readonly signal: AbortSignal;
}

/** See the head of the file. */
export class SearchCluster {
  readonly #calling: Calling;
  readonly #headers: Headers;
  readonly #tls: ReturnType<typeof tlsOf>;
  /** Which of the URLs is asked. */
  #node = 0;

  /** Throws `FieldError`. */
  constructor(calling: Calling) {
    this.#calling = calling;
    this.#headers = headersOf(calling.config);
    this.#tls = tlsOf(calling.config);
  }

  /** Any status below 500 but 429 is an answer. Throws `RetriableError` after `max.retries`. */
  async ask(method: string, path: string, body: string | null = null): Promise<HttpAnswer> {
    const { config, clock, signal } = this.#calling;
    let pauseMs = config["retry.backoff.ms"];
    for (let attempt = 0;; attempt++) {
      try {
        return await this.#once(method, path, body);
      } catch (error) {
        if (!(error instanceof HttpTrouble)) throw error;
        this.#node++;
        if (attempt >= config["max.retries"]) throw new RetriableError(error.message);
        await clock.sleep(error.retryAfterMs ?? pauseMs, signal);
        signal.throwIfAborted();
        pauseMs = Math.min(PAUSE_MS_MAX, pauseMs * 2);
      }
    }
  }

  /** As `ask`, where only 2xx is well. Throws what the cluster says else. */
  async need(method: string, path: string, body: string | null = null): Promise<HttpAnswer> {
    const answer = await this.ask(method, path, body);
    if (answer.status >= 200 && answer.status < 300) return answer;
    const error = new Error(describeAnswer(this.urlOf(path), answer));
    if (answer.status !== 401 && answer.status !== 403) throw error;
    throw new Error(`${error.message}: look at connection.username and what it may do`);
  }

  urlOf(path: string): string {
    const urls = this.#calling.config["connection.url"];
    return urls[this.#node % urls.length]!.replace(/\/+$/, "") + path;
  }

  #once(method: string, path: string, body: string | null): Promise<HttpAnswer> {
    const { config, clock, signal } = this.#calling;
    return call(
      {
        url: this.urlOf(path),
        method,
        headers: this.#headers,
        body,
        timeoutMs: config["read.timeout.ms"],
        bytesMax: ANSWER_BYTES_MAX,
        ...(this.#tls === null ? {} : { tls: this.#tls }),
      },
      clock,
      signal,
    );
  }
}

function headersOf(config: Config): Headers {
  const headers = new Headers({ "content-type": "application/x-ndjson" });
  const user = config["connection.username"];
  if (config["api.key"] !== "") {
    headers.set("authorization", `ApiKey ${config["api.key"]}`);
  } else if (user !== "") {
    const both = Buffer.from(`${user}:${config["connection.password"]}`).toString("base64");
    headers.set("authorization", `Basic ${both}`);
  }
  return headers;
}

function tlsOf(config: Config) {
  const file = config["elastic.https.ssl.truststore.location"];
  const checksNames = config["elastic.https.ssl.endpoint.identification.algorithm"] !== "";
  if (file === "" && checksNames) return null;
  return {
    ...(file === "" ? {} : { ca: pemOf(file) }),
    ...(checksNames ? {} : { checkServerIdentity: () => undefined }),
  };
}

function pemOf(file: string): string {
  const name = "elastic.https.ssl.truststore.location";
  const text = textOfFile(name, file);
  if (text.includes("-----BEGIN ")) return text;
  throw new FieldError(`"${name}" is no PEM; key stores of Java cannot be read`);
}
