/** Searches by HTTP: by text in raw bytes, by expression, in all codecs, with progress. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { startTestApp, type TestApp } from "../records.test-helper.ts";

let app: TestApp;
const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];

beforeAll(async () => {
  app = await startTestApp({ logs: 2, mixed: 1, borders: 1 });
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
