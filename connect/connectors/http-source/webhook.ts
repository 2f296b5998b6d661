/** A server that takes what others post. They are answered when their records are safe, or queued. */
import { FormatError, isSignature } from "../../formats/index.ts";
import type { Answer } from "../../formats/index.ts";
import type { ConnectHeader, PartialSourceRecord, SourceContext } from "../../index.ts";

export interface WebhookSettings {
  readonly topic: string;
  readonly hostname: string;
  readonly port: number;
  /** Certificates and key as PEM; null: plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
  readonly path: string;
  readonly secret: string | null;
  readonly signatureHeader: string;
  readonly bodyBytesMax: number;
  readonly queueMax: number;
  readonly answersWhenStored: boolean;
  readonly timeoutMs: number;
  readonly keptHeaders: readonly string[];
}

/** Values of a body. Throws `FormatError`. */
export type ReadBody = (answer: Answer) => readonly PartialSourceRecord["value"][];

interface Post {
  readonly records: readonly PartialSourceRecord[];
  /** Behind its last record. */
  readonly number: number;
  readonly stored: PromiseWithResolvers<void>;
}

/** As long as Bun lets a connection be: an answer has its own time. */
const IDLE_SECONDS_MAX = 255;

const json = (status: number, message: string, headers: Record<string, string> = {}) =>
  Response.json(status < 300 ? { status: message } : { error: message }, { status, headers });

/** What was posted and is on its way: first queued, then given on, then stored. */
class Posts {
  #queue: Post[] = [];
  #queuedRecords = 0;
  #number = 0;
  readonly #unstored = new Set<Post>();
  #wake = Promise.withResolvers<void>();

  constructor(readonly settings: WebhookSettings, context: SourceContext<unknown>) {
    context.onAcknowledged((positions) =>
      this.#stored(Math.max(-1, ...positions.map(({ offset }) => Number(offset["number"]))))
    );
    context.signal.addEventListener("abort", () => this.#wake.resolve(), { once: true });
  }

  get isFull(): boolean {
    return this.#queuedRecords >= this.settings.queueMax;
  }

  add(values: ReturnType<ReadBody>, headers: readonly ConnectHeader[], timestampMs: number): Post {
    const { topic, path, answersWhenStored } = this.settings;
    const records = values.map((value): PartialSourceRecord => ({
      topic,
      value,
      headers,
      timestampMs,
      sourcePartition: { webhook: path },
      sourceOffset: { number: ++this.#number },
    }));
    const post = { records, number: this.#number, stored: Promise.withResolvers<void>() };
    this.#queue.push(post);
    this.#queuedRecords += records.length;
    if (answersWhenStored) this.#unstored.add(post);
    this.#wake.resolve();
    return post;
  }

  /** Nobody waits for it any more. */
  forget(post: Post): void {
    this.#unstored.delete(post);
  }

  /** What is queued; none: something has come, or the task ends. */
  async next(): Promise<readonly PartialSourceRecord[]> {
    if (this.#queue.length === 0) {
      await this.#wake.promise;
      this.#wake = Promise.withResolvers<void>();
    }
    const records = this.#queue.splice(0).flatMap((post) => post.records);
    this.#queuedRecords -= records.length;
    return records;
  }

  #stored(number: number): void {
    for (const post of this.#unstored) {
      if (post.number > number) continue;
      this.#unstored.delete(post);
      post.stored.resolve();
    }
  }
}

export async function* webhook(
  settings: WebhookSettings,
  readBody: ReadBody,
  context: SourceContext<unknown>,
): AsyncGenerator<readonly PartialSourceRecord[]> {
  const { signal, log } = context;
  const posts = new Posts(settings, context);
  const server = Bun.serve({
    hostname: settings.hostname,
    port: settings.port,
    ...(settings.tls !== null && { tls: settings.tls }),
    maxRequestBodySize: settings.bodyBytesMax,
    idleTimeout: IDLE_SECONDS_MAX,
    fetch: (request) => answer(request, posts, readBody, context),
    error: (error) => {
      log.error("a request failed", { why: error.message });
      return json(500, "internal error");
    },
  });
  const scheme = settings.tls === null ? "http" : "https";
  log.info("listening", { url: `${scheme}://${server.hostname}:${server.port}${settings.path}` });
  try {
    while (!signal.aborted) {
      const records = await posts.next();
      if (records.length > 0) yield records;
    }
  } finally {
    await server.stop(true);
  }
}

async function answer(
  request: Request,
  posts: Posts,
  readBody: ReadBody,
  { clock, signal }: SourceContext<unknown>,
): Promise<Response> {
  const { settings } = posts;
  const refusal = refusalOf(request, settings);
  if (refusal !== null) return refusal;
  const body = await request.bytes();
  const signature = request.headers.get(settings.signatureHeader) ?? "";
  if (settings.secret !== null && !isSignature(signature, settings.secret, body)) {
    return json(401, `the signature in ${settings.signatureHeader} is not that of the body`);
  }
  if (posts.isFull) return json(503, "too much waits", { "retry-after": "1" });
  let post: Post;
  try {
    const values = readBody({ body, headers: [...request.headers] });
    if (values.length === 0) return json(200, "nothing to take");
    post = posts.add(values, keptHeaders(request.headers, settings.keptHeaders), clock.wallMs());
  } catch (error) {
    if (error instanceof FormatError) return json(400, error.message);
    throw error;
  }
  if (!settings.answersWhenStored) return json(202, "queued");
  const over = new AbortController();
  const late = clock.sleep(settings.timeoutMs, AbortSignal.any([over.signal, signal]));
  const stored = post.stored.promise.then(() => true);
  const isStored = await Promise.race([stored, late.then(() => false)]);
  over.abort();
  posts.forget(post);
  return isStored ? json(200, "stored") : json(503, "not stored yet", { "retry-after": "1" });
}

function refusalOf(request: Request, settings: WebhookSettings): Response | null {
  if (new URL(request.url).pathname !== settings.path) return json(404, `post to ${settings.path}`);
  if (request.method !== "POST" && request.method !== "PUT") {
    return json(405, "post, please", { allow: "POST, PUT" });
  }
  const length = Number(request.headers.get("content-length") ?? 0);
  if (length > settings.bodyBytesMax) return json(413, `more than ${settings.bodyBytesMax} bytes`);
  return null;
}

function keptHeaders(headers: Headers, names: readonly string[]): ConnectHeader[] {
  return names.flatMap((name) => {
    const value = headers.get(name);
    return value === null ? [] : [{ name, schema: null, value }];
  });
}
