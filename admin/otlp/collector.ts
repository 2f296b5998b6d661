/**
 * An OpenTelemetry collector, by OTLP over HTTP: one request at a time for each kind of telemetry. A
 * broker that stops does not wait long for one that hangs.
 */
import type { Broker } from "../../broker/broker.ts";
import type { Clock } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";

/** How long the collector has to answer. */
const TIMEOUT_MS = 10_000;
/** How long all that is left may take once the broker stops. */
const FAREWELL_MS = 2_000;
/** Statuses after which the same may be sent again (OTLP, "Failures"). */
const RETRYABLE: readonly number[] = [429, 502, 503, 504];
/** Of an answer: the rest is not read. */
const ANSWER_BYTES_MAX = 64 * 1024;

/** What OTLP's requests are in. */
export type OtlpEncoding = "application/json" | "application/x-protobuf";

/** What came of a request. */
export type Delivery =
  /** `answer` is the body, or its beginning. */
  | { readonly ok: true; readonly answer: string }
  | { readonly ok: false; readonly problem: string; readonly mayRetry: boolean };

/** One path of a collector; says in the log when it stops and starts to take what it is sent. */
export class Collector {
  readonly #url: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** Aborted when the broker has stopped and waits no longer. */
  readonly #over = new AbortController();
  #isFailing = false;

  constructor(
    { io: { clock }, logger, config, stopping }: Broker,
    path: string,
    /** What is sent there, in the plural. */
    private readonly what: string,
  ) {
    this.#clock = clock;
    this.#logger = logger;
    this.#url = config.get("kstream.otlp.endpoint").replace(/\/+$/, "") + path;
    stopping.addEventListener("abort", () => {
      clock.setTimer(FAREWELL_MS, () => this.#over.abort(new Error("the broker has stopped")));
    }, { once: true });
  }

  /** Sends one request. Never rejects. */
  async send(
    body: string | Uint8Array<ArrayBuffer>,
    encoding: OtlpEncoding,
  ): Promise<Delivery> {
    const delivery = await this.#post(body, encoding);
    const { what } = this;
    const logger = this.#logger;
    const url = this.#url;
    if (!delivery.ok && !this.#isFailing) {
      const { problem } = delivery;
      logger.warn(`${what} do not reach the collector; it is tried again`, { url, problem });
    } else if (delivery.ok && this.#isFailing) {
      logger.info(`${what} reach the collector again`, { url });
    }
    this.#isFailing = !delivery.ok;
    return delivery;
  }

  async #post(
    body: string | Uint8Array<ArrayBuffer>,
    encoding: OtlpEncoding,
  ): Promise<Delivery> {
    const late = new AbortController();
    const timer = this.#clock.setTimer(
      TIMEOUT_MS,
      () => late.abort(new Error("no answer in time")),
    );
    try {
      const answer = await fetch(this.#url, {
        method: "POST",
        headers: { "content-type": encoding },
        body,
        signal: AbortSignal.any([late.signal, this.#over.signal]),
      });
      const text = await beginningOf(answer);
      if (answer.ok) return { ok: true, answer: text };
      const mayRetry = RETRYABLE.includes(answer.status);
      return { ok: false, problem: `it answered ${answer.status}`, mayRetry };
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      return { ok: false, problem, mayRetry: true };
    } finally {
      timer.cancel();
    }
  }
}

async function beginningOf({ body }: Response): Promise<string> {
  if (body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    bytes += chunk.length;
    // Leaving the loop lets the connection go.
    if (bytes >= ANSWER_BYTES_MAX) break;
  }
  return text;
}
