import { afterEach, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import type { SourceRun } from "../../testing/index.ts";
import { startSource, VirtualClock } from "../../testing/index.ts";
import { TestAuthority } from "../../../tests/harness/certificates.ts";
import httpSource from "./http-source.ts";

const HOUR_MS = 3_600_000;
/** Time in which pauses are over at once, and calls may take as long as they do. */
const pausesPass = () => new VirtualClock(Date.now(), HOUR_MS / 2);
const patient = { "timeout.ms": String(HOUR_MS) };

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A service; returns its address. */
function serve(answer: (request: Request) => Response | Promise<Response>): string {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer });
  closers.push(() => server.stop(true));
  return `http://127.0.0.1:${server.port}`;
}

test("pages are read by a cursor, which is remembered with the last record of each", async () => {
  const asked: string[] = [];
  const url = serve((request) => {
    const after = Number(new URL(request.url).searchParams.get("after"));
    asked.push(`${after} ${request.headers.get("authorization")}`);
    const items = [1, 2].map((n) => ({ n: after + n })).filter(({ n }) => n <= 5);
    return Response.json({ items, last: items.at(-1)?.n ?? null });
  });
  const config = {
    url: `${url}/x?after={cursor}`,
    topic: "t",
    records: "v.items",
    cursor: "v.last",
    "cursor.initial": "0",
    ...patient,
    headers: "Authorization: Bearer x\nX-Other: y",
  };
  const clock = pausesPass();
  const first = startSource(httpSource, config, { clock });
  await first.take(5);
  await first.commit(3);
  await first.stop();
  expect(first.values()).toEqual([1, 2, 3, 4, 5].map((n) => ({ n })));
  expect(asked).toEqual(["0 Bearer x", "2 Bearer x", "4 Bearer x"]);
  // The page of 3 and 4 was not done with: it comes again, as a whole.
  const second = startSource(httpSource, config, { clock, offsets: first.offsets });
  await second.take(3);
  await second.stop();
  expect(second.values()).toEqual([3, 4, 5].map((n) => ({ n })));
});

test("trouble is waited out, as long as the service asks; a refusal fails, without secrets", async () => {
  const clock = pausesPass();
  const times: number[] = [];
  const url = serve(() => {
    times.push(clock.wallMs());
    switch (times.length) {
      case 1:
        return new Response("busy", { status: 503 });
      case 2:
        return new Response("", { status: 429, headers: { "retry-after": "120" } });
      case 3:
        return Response.json([{ a: 12345678901234567890 }]);
      default:
        return new Response("who are you", { status: 401 });
    }
  });
  const run = startSource(httpSource, { url: `${url}/p?token=s3cret`, topic: "t", ...patient }, {
    clock,
  });
  await run.take(1);
  expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(1000);
  expect(times[2]! - times[1]!).toBeGreaterThanOrEqual(120_000);
  await expect(run.next()).rejects.toThrow(`${url}/p answered 401: "who are you"`);
  await run.stop();
  expect(run.log.join("\n")).not.toContain("s3cret");
});

test("answers that are too long, too late or no JSON", async () => {
  const endless = serve(() =>
    new Response(
      new ReadableStream({
        async pull(controller) {
          controller.enqueue(new Uint8Array(100_000));
          await new Promise((resolve) => setImmediate(resolve));
        },
      }),
    )
  );
  const clock = pausesPass();
  const long = startSource(httpSource, { url: endless, topic: "t", "body.bytes.max": "1000" });
  void long.next().catch(() => {});
  while (long.log.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(long.log[0]).toContain("longer than 1000 bytes");
  await long.stop();
  const silent = serve(() => new Promise(() => {}));
  const late = startSource(httpSource, { url: silent, topic: "t", "timeout.ms": "30" });
  void late.next().catch(() => {});
  while (late.log.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(late.log[0]).toContain("did not answer in 30 ms");
  await late.stop();
  const html = serve(() => new Response("<html>"));
  const bad = startSource(httpSource, { url: html, topic: "t", ...patient }, { clock });
  await expect(bad.next()).rejects.toThrow("the body is no JSON");
  await bad.stop();
  expect(() => startSource(httpSource, { topic: "t" })).toThrow('"url" must be given');
  expect(() => startSource(httpSource, { url: html, topic: "t", cursor: "v." })).toThrow(
    '"cursor" is no expression',
  );
});

/** Begins a webhook; its first batch is asked for, which starts the server. */
async function webhook(config: Record<string, string> = {}) {
  const run = startSource(httpSource, {
    mode: "webhook",
    topic: "t",
    listen: "127.0.0.1:0",
    ...config,
  });
  closers.push(() => run.stop());
  const first = run.next();
  const line = () =>
    /url=(\S+)/.exec(run.log.find((said) => said.includes("listening")) ?? "")?.[1];
  while (line() === undefined) await new Promise((resolve) => setTimeout(resolve, 2));
  return { run, url: line()!, first };
}

const post = (url: string, body: string, headers: Record<string, string> = {}) =>
  fetch(url, { method: "POST", body, headers });

async function acknowledgeSoon(run: SourceRun, next: Promise<unknown>): Promise<void> {
  await next;
  run.acknowledge();
}

test("who posts is answered when the records are in the topic", async () => {
  const { run, url, first } = await webhook({ "keep.headers": "x-event" });
  const posted = post(url, '[{"n":1},{"n":2}]', { "x-event": "push" });
  await first;
  expect(await Promise.race([posted, new Promise((resolve) => setTimeout(resolve, 30, "waits"))]))
    .toBe("waits");
  run.acknowledge();
  expect((await posted).status).toBe(200);
  expect(run.values()).toEqual([{ n: 1 }, { n: 2 }]);
  expect(run.records[0]?.headers).toEqual([{ name: "x-event", schema: null, value: "push" }]);
  const second = post(url, '{"n":3}');
  await acknowledgeSoon(run, run.next());
  expect((await second).status).toBe(200);
});

test("forged, broken, misdirected and too long posts are refused", async () => {
  const { run, url, first } = await webhook({
    "signature.secret": "s3cret",
    path: "/hook",
    "body.bytes.max": "100",
    answer: "queued",
  });
  const body = '{"a":1}';
  const hex = createHmac("sha256", "s3cret").update(body).digest("hex");
  const header = "x-hub-signature-256";
  expect((await post(url, body)).status).toBe(401);
  expect((await post(url, body, { [header]: `sha256=${"0".repeat(64)}` })).status).toBe(401);
  expect((await post(url, `${body} `, { [header]: `sha256=${hex}` })).status).toBe(401);
  expect((await post(url.replace("/hook", "/"), body)).status).toBe(404);
  expect((await fetch(url)).status).toBe(405);
  expect((await post(url, "x".repeat(200))).status).toBe(413);
  const broken = "{oops";
  const signed = createHmac("sha256", "s3cret").update(broken).digest("hex");
  expect((await post(url, broken, { [header]: signed })).status).toBe(400);
  expect((await post(url, body, { [header]: `sha256=${hex}` })).status).toBe(202);
  await first;
  expect(run.values()).toEqual([{ a: 1 }]);
});

test("a full queue asks to come later, and the end of the task lets go of who waits", async () => {
  const { run, url, first } = await webhook({ "queue.records.max": "2", answer: "queued" });
  await post(url, "1");
  await first;
  // Nobody asks for more: what comes now waits.
  expect((await post(url, "[2,3]")).status).toBe(202);
  const full = await post(url, "4");
  expect([full.status, full.headers.get("retry-after")]).toEqual([503, "1"]);
  await run.take(2);
  expect(run.values()).toEqual([1, 2, 3]);
  const waiting = await webhook();
  const posted = post(waiting.url, "1").catch(() => null);
  await waiting.first;
  await waiting.run.stop();
  expect((await posted)?.status ?? 503).toBe(503);
});

test("with a certificate it speaks TLS", async () => {
  const authority = new TestAuthority();
  closers.push(() => authority.dispose());
  const { certFile, keyFile } = authority.sign("hooks");
  const { run, url, first } = await webhook({
    "tls.certificate.file": certFile,
    "tls.key.file": keyFile,
    answer: "queued",
  });
  expect(url).toStartWith("https://127.0.0.1:");
  const posted = await fetch(url, { method: "POST", body: "1", tls: { ca: authority.ca } });
  expect(posted.status).toBe(202);
  await first;
  expect(run.values()).toEqual([1]);
  await expect(webhook({ "tls.key.file": keyFile })).rejects.toThrow(
    '"tls.certificate.file" is missing',
  );
  const gone = { "tls.certificate.file": `${certFile}.gone`, "tls.key.file": keyFile };
  await expect(webhook(gone)).rejects.toThrow(/"tls.certificate.file" cannot be read: .*gone/);
});
