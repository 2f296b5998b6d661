/** Searches by HTTP: by text in raw bytes, by expression, in all codecs, with progress. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { sleep } from "../../core/io.ts";
import { ANONYMOUS } from "../../broker/authorizer.ts";
import { ADMIN_CLIENT_ID, OwnClients } from "../own-connection.ts";
import { startTestApp, type TestApp } from "../records.test-helper.ts";
import { ManualClock } from "./manual-clock.test-helper.ts";
import { NDJSON } from "./record-lines.ts";
import { ResponseWriter } from "./response-writer.ts";
import { runSearch } from "./search.ts";
import { SEARCH_BODY, searchQuery } from "./search-query.ts";
import { textFinder } from "./text-finder.ts";
import { TopicScan } from "./topic-scan.ts";

let app: TestApp;
const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];

beforeAll(async () => {
  app = await startTestApp({ logs: 2, cases: 1, borders: 1, quotas: 1, silent: 1 });
  for (const codec of CODECS) {
    const lines = Array.from({ length: 100 }, (_, n) => ({
      key: `key-${codec}-${n}`,
      value: `{"codec":"${codec}","n":${n},"text":"${n === 50 ? "needle ü" : "hay"}"}`,
      headers: n === 7 ? [["trace", `pin-${codec}`]] : [],
    }));
    await write("logs", lines, `compression=${codec}`);
  }
  // Texts that would be found across the borders of parts, and one that is in each part once.
  await write("borders", [{ key: "ab", value: "cd" }, { key: "xy", value: "-" }, { value: "xy" }]);
});
afterAll(() => app.stop());

async function write(topic: string, lines: readonly object[], query = ""): Promise<void> {
  const body = lines.map((line) => JSON.stringify({ value: null, ...line })).join("\n");
  const answer = await app.ask(`/v1/topics/${topic}/records?${query}`, { method: "PUT", body });
  expect(answer.status).toBe(200);
}

async function search(topic: string, body: object) {
  const answer = await app.ask(`/v1/topics/${topic}/search`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (answer.status !== 200) return { status: answer.status, found: [], end: null };
  const lines = (await answer.text()).trim().split("\n").map((line) => JSON.parse(line));
  return {
    status: 200,
    found: lines.filter((line) => "offset" in line),
    first: lines[0],
    end: lines.at(-1).end,
  };
}

test("a text is found in keys, values and headers, whatever the codec", async () => {
  const needles = await search("logs", { text: "needle ü" });
  expect(needles.found.map(({ value }) => JSON.parse(value).codec).toSorted())
    .toEqual(CODECS.toSorted());
  expect(needles.first).toMatchObject({ progress: { scanned: 0, of: 500, found: 0 } });
  expect(needles.end).toMatchObject({ reason: "end", scanned: 500, of: 500, found: 5, failed: 0 });
  expect((await search("logs", { text: "pin-" })).found.length).toBe(5);
  expect((await search("logs", { text: "pin-zstd", in: ["headers"] })).found.length).toBe(1);
  expect((await search("logs", { text: "pin-zstd", in: ["key", "value"] })).found).toEqual([]);
  expect((await search("logs", { text: "key-lz4-9" })).found.length).toBe(11);
  expect((await search("logs", { text: "key-lz4-9", in: ["value"] })).found).toEqual([]);
});

test("a text across the border of two parts is none", async () => {
  expect((await search("borders", { text: "bc" })).found).toEqual([]);
  expect((await search("borders", { text: "xy" })).found.map(({ offset }) => offset)).toEqual([
    1,
    2,
  ]);
});

test("an expression alone and with a text, limits and ranges; failures are counted", async () => {
  const where = "v.n >= 98";
  expect((await search("logs", { where })).end).toMatchObject({ found: 10, failed: 0 });
  expect((await search("logs", { where, text: '"codec":"gzip"' })).found.length).toBe(2);
  const limited = await search("logs", { where, limit: 3 });
  expect(limited.found.length).toBe(3);
  expect(limited.end.reason).toBe("limit");
  expect((await search("borders", { text: "xy", from: 2 })).found.length).toBe(1);
  expect((await search("borders", { where: "v.a.b.c.d" })).end).toMatchObject({ found: 0 });
  const failing = await search("borders", { where: "v.toFixed(1) > 0" });
  expect(failing.end).toMatchObject({ reason: "end", found: 0, failed: 3 });
});

test("the case of letters can be ignored, in all codecs, and no more than that", async () => {
  const upper = { text: "NEEDLE", ignoreCase: true };
  expect((await search("logs", upper)).found.length).toBe(CODECS.length);
  expect((await search("logs", { ...upper, text: "NEEDLE Ü" })).found.length).toBe(CODECS.length);
  expect((await search("logs", { ...upper, ignoreCase: false })).found).toEqual([]);
  const values = ["Straße", "ΣΊΣΥΦΟΣ", "[bytes]", { base64: "wMHgS1tQ" }];
  await write("cases", values.map((value) => ({ value })));
  const offsets = async (text: string) =>
    (await search("cases", { text, ignoreCase: true })).found.map(({ offset }) => offset);
  expect(await offsets("STRASSE")).toEqual([]);
  expect(await offsets("straßE")).toEqual([0]);
  expect(await offsets("σίσυφος")).toEqual([1]);
  expect(await offsets("ΊΣΥ")).toEqual([1]);
  expect(await offsets("[BYTES]")).toEqual([2]);
  expect(await offsets("{BYTES}")).toEqual([]);
  expect(await offsets("k[p")).toEqual([3]);
});

test("whatever the case, what is found is what a comparison of all places finds", () => {
  const alphabet = [0x40, 0x41, 0x5a, 0x5b, 0x60, 0x61, 0x7a, 0x7b, 0xc1, 0xe1];
  let state = 1;
  const draw = (below: number) => {
    state = Math.imul(state, 48271) & 0x7fff_ffff;
    return state % below;
  };
  const lower = (byte: number) => byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
  for (let round = 0; round < 2000; round++) {
    const part = Uint8Array.from({ length: draw(12) }, () => alphabet[draw(10)] ?? 0);
    const text = String.fromCharCode(
      ...Array.from({ length: 1 + draw(3) }, () => alphabet[draw(8)] ?? 0),
    );
    const isAt = (at: number) =>
      [...text].every((char, index) => lower(part[at + index] ?? -1) === lower(char.charCodeAt(0)));
    const isThere = Array.from(part, (_, at) => isAt(at)).includes(true);
    expect(textFinder(text, true).isIn(part)).toBe(isThere);
  }
});

test("what is searched counts in the user's quota, and what is beyond it waits", async () => {
  await write("quotas", Array.from({ length: 103 }, () => ({ value: "x".repeat(10_000) })));
  const setQuota = async (rate: number | null) => {
    const entity = { user: ANONYMOUS.name };
    const quotas = { consumer_byte_rate: rate };
    const answer = await app.ask("/v1/quotas", {
      method: "PATCH",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ entity, quotas }),
    });
    expect(answer.status).toBe(200);
  };
  const { quotas } = app.running.broker;
  const owedMs = () => quotas.fetched({ principal: ANONYMOUS, clientId: ADMIN_CLIENT_ID }, 50_000);
  await setQuota(100_000);
  expect(owedMs()).toBe(0);
  const beganMs = performance.now();
  expect((await search("quotas", { text: "nowhere" })).end.scanned).toBe(103);
  // 1.08 MB at 0.1 MB a second, of which ten seconds may come at once.
  expect(performance.now() - beganMs).toBeGreaterThan(500);
  expect(owedMs()).toBeGreaterThan(0);
  await setQuota(null);
});

test("how far it is comes each 250 ms, also while there is nothing to search in", async () => {
  const own = new OwnClients(app.running);
  const { io, options } = own.of();
  const clock = new ManualClock();
  const stop = new AbortController();
  const given = SEARCH_BODY.parse({ text: "nowhere", follow: true });
  const query = searchQuery(given, 0);
  const client = { io: { ...io, clock }, options };
  const scan = await TopicScan.open(client, "silent", query, 1 << 20, stop.signal);
  const permit = { sent: () => Promise.resolve(), leave: () => {} };
  const writer = new ResponseWriter(clock, permit, 1 << 30);
  const ended = runSearch(scan, query, NDJSON, writer, stop.signal);
  const reader = writer.stream.getReader();
  const next = async () => JSON.parse(new TextDecoder().decode((await reader.read()).value));
  const nothingYet = { progress: { scanned: 0, next: "0:0" } };
  expect(await next()).toMatchObject(nothingYet);
  for (let round = 0; round < 4; round++) {
    const waiting = next();
    let isThere = false;
    void waiting.then(() => isThere = true);
    // The reader has to ask before it can be told.
    await sleep(io.clock, 0);
    clock.advance(249);
    await sleep(io.clock, 0);
    expect(isThere).toBe(false);
    clock.advance(1);
    expect(await waiting).toMatchObject(nothingYet);
  }
  stop.abort();
  expect(await next()).toMatchObject({ end: { reason: "stopping" } });
  await ended;
  own.close();
});

test("what cannot be searched for is a problem", async () => {
  for (const body of [{}, { text: "" }, { where: "(" }, { text: "a", limit: 0 }, { x: 1 }, []]) {
    expect((await search("logs", body)).status).toBe(400);
  }
  expect((await search("none", { text: "a" })).status).toBe(404);
});

test("it ends with its reader, and leaves its place to others", async () => {
  for (let round = 0; round < 5; round++) {
    const open = () =>
      app.ask("/v1/topics/logs/search", {
        method: "POST",
        headers: { "content-type": "application/json", accept: "text/event-stream" },
        body: '{"text":"nowhere","follow":true}',
      });
    const answers = [await open(), await open()];
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect((await open()).status).toBe(429);
    await Promise.all(answers.map((answer) => answer.body?.cancel()));
  }
});
