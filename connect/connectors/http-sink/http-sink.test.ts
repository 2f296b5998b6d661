import { afterEach, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { runSink, sinkRecord, sinkRecords, startSink, VirtualClock } from "../../testing/index.ts";
import httpSink from "./http-sink.ts";

const HOUR_MS = 3_600_000;
/** Time in which pauses are over at once, and calls may take as long as they do. */
const pausesPass = () => new VirtualClock(Date.now(), HOUR_MS / 2);
const patient = { "timeout.ms": String(HOUR_MS) };

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

interface Seen {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  readonly headers: Headers;
}

/** A service that keeps what it has seen; `status` decides. */
function service(status: (seen: Seen, count: number) => number | Response = () => 200) {
  const seen: Seen[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const { pathname } = new URL(request.url);
      const one = {
        method: request.method,
        path: pathname,
        body: await request.text(),
        headers: request.headers,
      };
      seen.push(one);
      const answer = status(one, seen.length);
      return typeof answer === "number" ? new Response("said", { status: answer }) : answer;
    },
  });
  closers.push(() => server.stop(true));
  return { seen, url: `http://127.0.0.1:${server.port}` };
}

test("alone: a call each, signed, with a key that is the same when it comes again", async () => {
  const { seen, url } = service();
  const records = [
    sinkRecord({ n: 2n ** 60n }, 0, { key: "a/b?" }),
    sinkRecord("text", 1, { key: "k" }),
    sinkRecord(null, 2, { key: "k" }),
  ];
  const config = {
    url: `${url}/{topic}/{key}`,
    "signature.secret": "s3cret",
    headers: "X-A: b",
    "delete.on.null": "true",
  };
  const run = await runSink(httpSink, config, records);
  expect(run.committed()).toEqual({ "test-0": 3n });
  expect(seen.map(({ method, path, body }) => `${method} ${path} ${body}`)).toEqual([
    'POST /test/a%2Fb%3F {"n":1152921504606846976}',
    "POST /test/k text",
    "DELETE /test/k ",
  ]);
  const [first] = seen;
  expect(first?.headers.get("idempotency-key")).toBe("test-0-0");
  expect(first?.headers.get("x-a")).toBe("b");
  expect(first?.headers.get("content-type")).toBe("application/json");
  const hmac = createHmac("sha256", "s3cret").update(first!.body).digest("hex");
  expect(first?.headers.get("x-hub-signature-256")).toBe(`sha256=${hmac}`);
});

test("batches, as arrays and as lines", async () => {
  const { seen, url } = service();
  await runSink(httpSink, { url, "batch.size": "2" }, sinkRecords([1, "a", { b: null }]));
  await runSink(httpSink, { url, "batch.size": "9", format: "jsonl" }, sinkRecords([1, "a"]));
  expect(seen.map(({ body }) => body)).toEqual(['[1,"a"]', '[{"b":null}]', '1\n"a"\n']);
  await expect(startSink(httpSink, { url: `${url}/{key}`, "batch.size": "2" })).rejects.toThrow(
    "{key}",
  );
  await expect(startSink(httpSink, { url: "ftp://x" })).rejects.toThrow("must be a URL");
});

test("trouble is waited out, first within the call, then by the runtime; nothing is sent twice", async () => {
  const clock = pausesPass();
  const times: number[] = [];
  const { seen, url } = service((_seen, count) => {
    times.push(clock.wallMs());
    if (count === 2) return new Response("", { status: 429, headers: { "retry-after": "30" } });
    return count === 3 || count === 4 ? 503 : 200;
  });
  const run = await startSink(httpSink, { url, "retry.attempts": "1", ...patient }, { clock });
  await run.write(sinkRecords([1, 2, 3]));
  await run.stop();
  expect(times[2]! - times[1]!).toBeGreaterThanOrEqual(30_000);
  expect(run.retries).toBe(1);
  expect(seen.map(({ body }) => body)).toEqual(["1", "2", "2", "2", "2", "3"]);
  expect(new Set(seen.slice(1, 5).map(({ headers }) => headers.get("idempotency-key"))).size).toBe(
    1,
  );
});

test("what is refused is refused alone, also out of a batch", async () => {
  const { seen, url } = service(({ body }) => body.includes("bad") ? 422 : 200);
  const run = await runSink(
    httpSink,
    { url, "batch.size": "3" },
    sinkRecords(["a", "bad", "b", "c"]),
  );
  expect(run.rejected.map(({ record, error }) => [record.value, error.message])).toEqual([
    ["bad", `${url}/ answered 422: "said"`],
  ]);
  expect(run.committed()).toEqual({ "test-0": 4n });
  expect(seen.map(({ body }) => body)).toEqual([
    '["a","bad","b"]',
    '["a"]',
    '["bad"]',
    '["b"]',
    '["c"]',
  ]);
});

test("several calls at once: those of a key in order, and what was taken is not sent again", async () => {
  const underWay = { now: 0, most: 0 };
  const seen: string[] = [];
  const { url } = service(({ body }) => {
    seen.push(body);
    return new Response(
      new ReadableStream({
        start: (controller) => {
          underWay.most = Math.max(underWay.most, ++underWay.now);
          setTimeout(() => {
            underWay.now--;
            controller.close();
          }, 5);
        },
      }),
      {
        status: seen.filter((one) => one === body).length === 1 && body.endsWith("-3") ? 503 : 200,
      },
    );
  });
  const keys = ["a", "b", "c", "d", "e"];
  const records = Array.from({ length: 50 }, (_, n) => {
    const key = keys[n % keys.length]!;
    return sinkRecord(`${key}-${Math.floor(n / keys.length)}`, n, { key });
  });
  const config = { url, "calls.in.flight.max": "4", "retry.attempts": "0", ...patient };
  const run = await runSink(httpSink, config, records, { clock: pausesPass() });
  expect(run.committed()).toEqual({ "test-0": 50n });
  expect(run.retries).toBeGreaterThan(0);
  expect(underWay.most).toBeGreaterThan(1);
  expect(underWay.most).toBeLessThanOrEqual(4);
  for (const key of keys) {
    const ofKey = seen.filter((body) => body.startsWith(key));
    expect(ofKey).toEqual([0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9].map((n) => `${key}-${n}`));
  }
});

test("a service that is not there, or never answers, holds the sink up until it ends", async () => {
  const { url } = service(() =>
    new Response(new ReadableStream({ pull: () => new Promise(() => {}) }))
  );
  const run = await startSink(httpSink, { url, "timeout.ms": "20", "retry.backoff.ms": "1" });
  const writing = run.write(sinkRecords([1]));
  while (!run.log.join().includes("did not answer in 20 ms")) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  run.task.abort();
  await expect(writing).rejects.toThrow();
  const clock = pausesPass();
  const nobody = await startSink(httpSink, { url: "http://127.0.0.1:1/", ...patient }, { clock });
  await expect(nobody.write(sinkRecords([1]))).rejects.toThrow("http://127.0.0.1:1/");
});
