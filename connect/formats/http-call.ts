/** Calls of HTTP services: bounded in time and size, with the pauses that services ask for. */
import { createHmac, timingSafeEqual } from "node:crypto";
import { FieldError } from "../index.ts";
import type { TaskClock } from "../index.ts";

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** What may be well later: no connection, no answer in time, 408, 425, 429, 5xx. */
export class HttpTrouble extends Error {
  override readonly name = "HttpTrouble";
  constructor(
    message: string,
    /** What the service asks for. */ readonly retryAfterMs: number | null,
  ) {
    super(message);
  }
}

export interface HttpCall {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: string | Uint8Array<ArrayBuffer> | null;
  readonly timeoutMs: number;
  readonly bytesMax: number;
  /** Who is trusted, where it is not whom the runtime trusts. */
  readonly tls?: { readonly ca?: string; readonly checkServerIdentity?: () => undefined };
}

const BODY_IN_MESSAGES_MAX = 200;
const RETRY_AFTER_MS_MAX = 3_600_000;

/** Throws `HttpTrouble`; any other status is an answer. Throws the signal's reason when that aborts. */
export async function call(
  { url, method, headers, body, timeoutMs, bytesMax, tls }: HttpCall,
  clock: TaskClock,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  const late = new AbortController();
  void clock.sleep(timeoutMs, both).then(() => late.abort());
  try {
    const response = await fetch(url, {
      method,
      headers,
      body,
      redirect: "manual",
      signal: AbortSignal.any([signal, late.signal]),
      ...(tls === undefined ? {} : { tls }),
    });
    const answer = {
      status: response.status,
      headers: response.headers,
      body: await bodyOf(response, bytesMax),
    };
    if (!isTrouble(answer.status)) return answer;
    throw new HttpTrouble(describeAnswer(url, answer), retryAfterMs(answer.headers, clock));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HttpTrouble) throw error;
    if (late.signal.aborted) {
      throw new HttpTrouble(`${place(url)} did not answer in ${timeoutMs} ms`, null);
    }
    throw new HttpTrouble(`${place(url)}: ${error instanceof Error ? error.message : error}`, null);
  } finally {
    over.abort();
  }
}

function isTrouble(status: number): boolean {
  return status >= 500 || status === 408 || status === 425 || status === 429;
}

async function bodyOf(response: Response, bytesMax: number): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > bytesMax) throw new Error(`the answer is longer than ${bytesMax} bytes`);
    parts.push(part);
  }
  return Uint8Array.from(Buffer.concat(parts));
}

/** What an error says of an answer: no more than its beginning. */
export function describeAnswer(url: string, { status, body }: HttpAnswer): string {
  const text = Buffer.from(body.subarray(0, BODY_IN_MESSAGES_MAX)).toString().trim();
  return `${place(url)} answered ${status}${text === "" ? "" : `: ${JSON.stringify(text)}`}`;
}

/** A URL without what may be secret: its query and its password. */
function place(url: string): string {
  if (!URL.canParse(url)) return "the URL";
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

/** `Retry-After`, in seconds or as a date; null: there is none. An hour at most. */
function retryAfterMs(headers: Headers, clock: TaskClock): number | null {
  const text = headers.get("retry-after");
  if (text === null) return null;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - clock.wallMs();
  return Number.isFinite(ms) ? Math.min(RETRY_AFTER_MS_MAX, Math.max(0, ms)) : null;
}

/** Lines of `Name: value`. Throws `FieldError`. */
export function parseHeaders(text: string): Headers {
  const headers = new Headers();
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const colon = line.indexOf(":");
    try {
      if (colon < 0) throw new TypeError("no colon");
      headers.append(line.slice(0, colon).trim(), line.slice(colon + 1).trim());
    } catch {
      throw new FieldError("must be lines of NAME: VALUE");
    }
  }
  return headers;
}

/** What `X-Hub-Signature-256` and its like have: HMAC-SHA256 in hex. */
export function signatureOf(secret: string, body: string | Uint8Array): string {
  return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
}

/** Whether a signature is the body's, in a time that tells nothing. Without `sha256=` it is as good. */
export function isSignature(given: string, secret: string, body: Uint8Array): boolean {
  const wanted = Buffer.from(signatureOf(secret, body));
  const full = given.includes("=") ? given : `sha256=${given}`;
  const bytes = Buffer.from(full.trim());
  return bytes.length === wanted.length && timingSafeEqual(bytes, wanted);
}

/** Checks of fields. */
export function httpUrl(text: string): string | null {
  const plain = text.replaceAll(/\{[^{}]*\}/g, "x");
  return URL.canParse(plain) && /^https?:$/.test(new URL(plain).protocol)
    ? null
    : "must be a URL that begins with http:// or https://";
}

export function headerLines(text: string): string | null {
  try {
    parseHeaders(text);
    return null;
  } catch (error) {
    if (error instanceof FieldError) return error.message;
    throw error;
  }
}
