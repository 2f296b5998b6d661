/**
 * What a connection has been doing, for those who ask who is connected: counts, rates, topics and
 * the last error. Costs a few additions per request and nothing per record; bounded.
 */
import { type ErrorCode, Errors } from "../core/errors.ts";
import type { Api, EncodableResponse } from "../core/protocol/schema.ts";
import { firstError } from "./response-errors.ts";

/** Rates are over about this long. */
const WINDOW_MS = 10_000;
/** A connection that is younger than this is counted as if it were as old. */
const AGE_MS_MIN = 1_000;
/** Topics that are remembered by connection. */
const TOPICS_MAX = 100;

/** A topic as a request names it: by name or, in later versions, by id. */
export interface TopicReference {
  readonly name?: string;
  readonly topic?: string;
  readonly topicId: string;
}

/** An error in a response. */
export interface ClientError {
  readonly api: string;
  readonly code: ErrorCode;
  readonly atMs: number;
}

/** Totals since the connection began. */
export interface ActivityTotals {
  readonly requests: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** See the head of this file. Times are those of the broker's clock. */
export class ClientActivity {
  clientId: string | null = null;
  /** The API of the last request, or null before the first. */
  lastApi: string | null = null;
  lastError: ClientError | null = null;
  errors = 0;
  /** All the time for which the client was told, or made, to wait by quotas. */
  throttledMs = 0;
  /** Whether there were more topics than are remembered. */
  hasMoreTopics = false;
  readonly topicNames = new Set<string>();
  readonly topicIds = new Set<string>();

  requests = 0;
  bytesIn = 0;
  bytesOut = 0;
  #lastTopic = "";
  #windowStartMs: number;
  #atWindowStart: ActivityTotals = { requests: 0, bytesIn: 0, bytesOut: 0 };
  #lastWindow: ActivityTotals | null = null;

  /** `nowMs` is monotonic. */
  constructor(readonly connectedMs: number, nowMs: number) {
    this.#windowStartMs = nowMs;
  }

  /** Bytes have come; `nowMs` is monotonic. */
  received(bytes: number, nowMs: number): void {
    if (nowMs - this.#windowStartMs >= WINDOW_MS) this.#roll(nowMs);
    this.bytesIn += bytes;
  }

  /** A request starts. */
  started(api: Api, clientId: string | null): void {
    this.requests++;
    this.lastApi = api.name;
    this.clientId = clientId;
  }

  /** A request touches topics. */
  touched(topics: readonly TopicReference[]): void {
    for (const { name, topic, topicId } of topics) {
      const byName = name || topic || "";
      const key = byName === "" ? topicId : byName;
      if (key === this.#lastTopic) continue;
      this.#lastTopic = key;
      this.#remember(byName === "" ? this.topicIds : this.topicNames, key);
    }
  }

  /** A request is answered; gives the first error in it. `wallMs` is called if there is one. */
  answered(api: Api, response: EncodableResponse<Api>, wallMs: () => number): ErrorCode {
    const code = firstError(api, response);
    if (code === Errors.NONE) return code;
    this.errors++;
    this.lastError = { api: api.name, code, atMs: wallMs() };
    return code;
  }

  /** Per second, over the last ten seconds or so; `nowMs` is monotonic. */
  rates(nowMs: number): ActivityTotals {
    if (nowMs - this.#windowStartMs >= WINDOW_MS) this.#roll(nowMs);
    const elapsedMs = nowMs - this.#windowStartMs;
    const share = this.#lastWindow === null ? 0 : 1 - elapsedMs / WINDOW_MS;
    const overMs = this.#lastWindow === null ? Math.max(elapsedMs, AGE_MS_MIN) : WINDOW_MS;
    const rate = (name: keyof ActivityTotals) => {
      const since = this[name] - this.#atWindowStart[name];
      return (since + (this.#lastWindow?.[name] ?? 0) * share) * 1000 / overMs;
    };
    return { requests: rate("requests"), bytesIn: rate("bytesIn"), bytesOut: rate("bytesOut") };
  }

  #remember(topics: Set<string>, key: string): void {
    if (topics.has(key)) return;
    if (this.topicNames.size + this.topicIds.size >= TOPICS_MAX) this.hasMoreTopics = true;
    else topics.add(key);
  }

  #roll(nowMs: number): void {
    const { requests, bytesIn, bytesOut } = this;
    const before = this.#atWindowStart;
    const passedMs = nowMs - this.#windowStartMs;
    // Where nothing was heard for long, the window that has just ended was an idle one.
    const share = WINDOW_MS / passedMs;
    this.#lastWindow = {
      requests: (requests - before.requests) * share,
      bytesIn: (bytesIn - before.bytesIn) * share,
      bytesOut: (bytesOut - before.bytesOut) * share,
    };
    this.#atWindowStart = { requests, bytesIn, bytesOut };
    this.#windowStartMs = nowMs;
  }
}
