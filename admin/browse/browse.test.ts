/** Records read by HTTP: ranges, expressions, going on, tails, readers that are slow or go. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { bunIo } from "../../core/io/bun/index.ts";
import { sleep } from "../../core/io.ts";
import { startTestApp, type TestApp } from "../records.test-helper.ts";
import { ManualClock } from "./manual-clock.test-helper.ts";
import { ResponseWriter } from "./response-writer.ts";

let app: TestApp;
const EVENTS = { headers: { accept: "text/event-stream" } };

beforeAll(async () => {
  app = await startTestApp({ orders: 1, three: 3, tail: 2, empty: 1, raw: 1, csv: 1, big: 1 });
  await write("orders", Array.from({ length: 20 }, (_, n) => `{"n":${n}}`));
  await write("three", Array.from({ length: 30 }, (_, n) => String(n)));
});
afterAll(() => app.stop());

async function write(topic: string, values: readonly string[], query = ""): Promise<void> {
  const lines = values.map((value, n) => JSON.stringify({ key: `k${n}`, value })).join("\n");
  const answer = await app.ask(`/v1/topics/${topic}/records?${query}`, {
    method: "PUT",
    body: lines,
  });
  expect(answer.status).toBe(200);
}

/** The lines of an answer, parsed. */
async function lines(path: string): Promise<Record<string, unknown>[]> {
  const answer = await app.ask(path);
  expect(answer.status).toBe(200);
  const text = await answer.text();
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

/** Events of an answer as they come. */
async function* events(path: string, init: RequestInit = EVENTS) {
  const answer = await app.ask(path, init);
  expect(answer.headers.get("content-type")).toBe("text/event-stream");
  let rest = "";
  const decoder = new TextDecoder();
  for await (const part of answer.body!) {
    rest += decoder.decode(part, { stream: true });
    const whole = rest.split("\n\n");
    rest = whole.pop()!;
    for (const block of whole) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
      yield { event: field("event"), id: field("id"), data: JSON.parse(field("data") ?? "null") };
    }
  }
}

const offsets = (records: readonly Record<string, unknown>[]) =>
  records.map(({ offset }) => offset);

test("a range is read to its end as envelopes, which can be written again", async () => {
  const all = await lines("/v1/topics/orders/records");
  expect(offsets(all)).toEqual(Array.from({ length: 20 }, (_, n) => n));
  expect(all[3]).toMatchObject({ topic: "orders", partition: 0, key: "k3", value: '{"n":3}' });
  expect(offsets(await lines("/v1/topics/orders/records?from=5&to=8"))).toEqual([5, 6, 7]);
  expect(offsets(await lines("/v1/topics/orders/records?from=-3"))).toEqual([17, 18, 19]);
  expect(offsets(await lines("/v1/topics/orders/records?from=-1h&limit=2"))).toEqual([0, 1]);
  expect(await lines("/v1/topics/orders/records?from=end")).toEqual([]);
  expect(await lines("/v1/topics/empty/records")).toEqual([]);
  expect((await lines("/v1/topics/three/records")).length).toBe(30);
  const some = await lines("/v1/topics/three/records?partitions=0,2");
  expect(new Set(some.map(({ partition }) => partition))).toEqual(new Set([0, 2]));
});

test("as CSV it has the columns of the shell's, and null is not an empty text", async () => {
  const body = '{"key":"a,b","value":"say \\"x\\"","headers":[["h","1"]]}\n' +
    '{"key":"","value":null}\n{"value":{"base64":"/wA="}}\n';
  await app.ask("/v1/topics/csv/records?partition=0", {
    method: "POST",
    headers: { "content-type": "application/x-ndjson" },
    body,
  });
  const answer = await app.ask("/v1/topics/csv/records?format=csv");
  expect(answer.headers.get("content-type")).toStartWith("text/csv");
  const rows = (await answer.text()).replace(/(?<=^csv,0,\d,)\d+/gm, "T").split("\n");
  expect(rows).toEqual([
    "topic,partition,offset,timestamp,key,value,headers",
    'csv,0,0,T,"a,b","say ""x""","[[""h"",""1""]]"',
    'csv,0,1,T,"",,[]',
    'csv,0,2,T,,"{""base64"":""/wA=""}",[]',
    "",
  ]);
});

test("expressions choose and change; what they cannot take ends it, or is skipped", async () => {
  const where = encodeURIComponent("v.n > 17");
  expect((await lines(`/v1/topics/orders/records?where=${where}&map=v.n`))
    .map(({ value }) => value)).toEqual(["18", "19"]);
  const failing = `/v1/topics/orders/records?map=${encodeURIComponent("v.n > 2 ? v.no.x.y : 1")}`;
  const failed = await lines(failing);
  expect(failed.at(-1)).toMatchObject({ end: { reason: "error", records: 3, next: "0:3" } });
  const skipped = await lines(`${failing}&on-error=skip`);
  expect(skipped.at(-1)).toMatchObject({ end: { reason: "end", records: 3, skipped: 17 } });
  const typed = await lines("/v1/topics/orders/records?value-as=json&key-as=hex&limit=1");
  expect(typed).toMatchObject([{ key: "6b30", value: { n: 0 } }]);
});

test("what cannot be asked is a problem before anything is sent", async () => {
  const status = async (path: string) => (await app.ask(path)).status;
  expect(await status("/v1/topics/none/records")).toBe(404);
  expect(await status("/v1/topics/orders/records?partitions=7")).toBe(404);
  for (const query of ["from=nonsense", "where=(", "limit=0", "x=1", "last-event-id=a"]) {
    expect(await status(`/v1/topics/orders/records?${query}`)).toBe(400);
  }
});

test("events carry where to go on, and going on skips and repeats nothing", async () => {
  const seen: string[] = [];
  let id = "";
  for (let round = 0; round < 10; round++) {
    const headers = { accept: "text/event-stream", "last-event-id": id };
    for await (const event of events("/v1/topics/three/records?limit=7", { headers })) {
      if (event.event === "end") continue;
      seen.push(event.data.value);
      id = event.id ?? "";
    }
  }
  expect(seen.length).toBe(30);
  expect(new Set(seen).size).toBe(30);
  const ends = [];
  for await (const event of events("/v1/topics/three/records?from=end")) ends.push(event);
  expect(ends).toMatchObject([{ event: "end", data: { reason: "end" } }]);
});

test("a tail gets what comes, and ends when its reader goes", async () => {
  const tail = events("/v1/topics/tail/records?follow=true");
  const first = tail.next();
  await write("tail", ["a"], "partition=0");
  expect((await first).value?.data).toMatchObject({ value: "a", partition: 0, offset: 0 });
  await write("tail", ["b", "c"], "partition=1");
  expect((await tail.next()).value).toMatchObject({ id: "0:1,1:1", data: { value: "b" } });
  expect((await tail.next()).value).toMatchObject({ id: "0:1,1:2", data: { value: "c" } });
  await tail.return(undefined);
});

test("bytes that are no text come back as they were", async () => {
  const answer = await app.ask("/v1/topics/raw/records?format=one&partition=0", {
    method: "PUT",
    body: new Uint8Array([0xff, 0, 0xfe]),
  });
  expect(answer.status).toBe(200);
  expect(await lines("/v1/topics/raw/records")).toMatchObject([{ value: { base64: "/wD+" } }]);
});

test("a client has a bounded number of streams, and none is lost when they end", async () => {
  const open: Response[] = [];
  for (;;) {
    const answer = await app.ask("/v1/topics/empty/records?follow=true");
    if (answer.status !== 200) {
      expect(answer.status).toBe(429);
      break;
    }
    open.push(answer);
  }
  expect(open.length).toBe(16);
  await Promise.all(open.map((answer) => answer.body?.cancel()));
  const { clock } = bunIo();
  while ((await app.ask("/v1/topics/empty/records")).status !== 200) await sleep(clock, 5);
});

test("a reader that takes nothing is let go with a last word, and nothing gathers", async () => {
  const clock = new ManualClock();
  const permit = { sent: () => Promise.resolve(), leave: () => {} };
  const writer = new ResponseWriter(clock, permit, 1000);
  writer.lastWord = () => "too slow";
  const reader = writer.stream.getReader();
  const [first] = await Promise.all([reader.read(), writer.write(new Uint8Array([65]))]);
  expect(first.value).toEqual(new Uint8Array([65]));
  const second = writer.write(new Uint8Array([66]));
  clock.advance(1001);
  expect(await second).toBe(false);
  expect(writer.gone.aborted).toBe(true);
  expect(new TextDecoder().decode((await reader.read()).value)).toBe("too slow");
  expect((await reader.read()).done).toBe(true);
});
