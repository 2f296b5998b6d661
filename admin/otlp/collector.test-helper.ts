/** A collector that takes nothing but what OTLP over HTTP allows, and can be told to refuse. */
import { expect } from "bun:test";
import { deferred } from "../../core/deferred.ts";

/** A request as it came. */
export interface Collected {
  readonly path: string;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** A span of `/v1/traces`, with its attributes as an object. */
export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly traceState?: string;
  readonly name: string;
  readonly kind: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly status?: { readonly code: number; readonly message?: string };
}

type Answering = (request: Collected) => Response | Promise<Response> | null;

/** See the head of the file. `stop` it. */
export class FakeCollector {
  /** What it has taken. */
  readonly taken: Collected[] = [];
  /** Answers in its place, unless null; such requests are not taken. */
  answering: Answering = () => null;
  /** Requests in all. */
  count = 0;
  readonly #server: ReturnType<typeof Bun.serve>;
  #changed = deferred<void>();

  constructor(port = 0) {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port,
      fetch: (request) => this.#fetch(request),
    });
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  /** Resolves with what is found once there is something. */
  async until<T>(find: () => T | null | undefined | false): Promise<T> {
    for (;;) {
      const { promise } = this.#changed;
      const found = find();
      if (found !== null && found !== undefined && found !== false) return found;
      await promise;
    }
  }

  /** The spans that it has. */
  spans(): CollectedSpan[] {
    return this.taken.filter(({ path }) => path === "/v1/traces").flatMap(
      ({ body, contentType }) => {
        expect(contentType).toBe("application/json");
        return spansOf(new TextDecoder().decode(body));
      },
    );
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }

  async #fetch(request: Request): Promise<Response> {
    const collected = {
      path: new URL(request.url).pathname,
      contentType: request.headers.get("content-type") ?? "",
      body: await request.bytes(),
    };
    const known = request.method === "POST" &&
      ["/v1/metrics", "/v1/traces"].includes(collected.path);
    const answer = known ? this.answering(collected) : new Response(null, { status: 404 });
    if (answer === null) this.taken.push(collected);
    this.count++;
    this.#changed.resolve();
    this.#changed = deferred<void>();
    return answer ?? Response.json({});
  }
}

function spansOf(text: string): CollectedSpan[] {
  const { resourceSpans, ...rest } = JSON.parse(text);
  expect(rest).toEqual({});
  expect(resourceSpans.length).toBe(1);
  const [{ resource, scopeSpans }] = resourceSpans;
  expect(attributesOf(resource.attributes)["service.name"]).toBe("kstream");
  expect(scopeSpans.length).toBe(1);
  expect(scopeSpans[0].schemaUrl).toMatch(/^https:\/\/opentelemetry\.io\/schemas\/\d+\.\d+\.\d+$/);
  expect(scopeSpans[0].scope.name).toBe("kstream");
  return scopeSpans[0].spans.map(spanOf);
}

// deno-lint-ignore no-explicit-any -- what comes is checked field by field
function spanOf(span: any): CollectedSpan {
  const { startTimeUnixNano, endTimeUnixNano, attributes, flags, ...rest } = span;
  expect(span.traceId).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
  expect(span.spanId).toMatch(/^(?!0{16})[0-9a-f]{16}$/);
  expect(span.parentSpanId).toMatch(/^(?!0{16})[0-9a-f]{16}$/);
  expect(flags & 0xff).toBe(1);
  expect([1, 2, 3, 4, 5]).toContain(span.kind);
  for (const time of [startTimeUnixNano, endTimeUnixNano]) expect(time).toMatch(/^\d{19}$/);
  expect(BigInt(startTimeUnixNano)).toBeLessThanOrEqual(BigInt(endTimeUnixNano));
  return {
    ...rest,
    startMs: Number(startTimeUnixNano) / 1e6,
    endMs: Number(endTimeUnixNano) / 1e6,
    attributes: attributesOf(attributes),
  };
}

function attributesOf(
  list: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[],
): Record<string, string | number | boolean> {
  const found: Record<string, string | number | boolean> = {};
  for (const { key, value } of list) {
    expect([key, Object.keys(value).length, key in found]).toEqual([key, 1, false]);
    const { stringValue, boolValue, intValue } = value;
    if (typeof stringValue === "string") found[key] = stringValue;
    else if (typeof boolValue === "boolean") found[key] = boolValue;
    else {
      // 64-bit integers are texts in protobuf's JSON.
      expect(intValue).toMatch(/^-?\d+$/);
      found[key] = Number(intValue);
    }
  }
  return found;
}
