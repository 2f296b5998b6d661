/** Confluent's REST Proxy v3: records as objects one behind the other, each with its answer. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { startTestApp, type TestApp } from "../records.test-helper.ts";
import { JsonObjects, JsonObjectsError } from "./json-objects.ts";

let app: TestApp;

beforeAll(async () => {
  app = await startTestApp({ orders: 2 });
});
afterAll(() => app.stop());

async function produce(body: BodyInit, topic = "orders", cluster = app.running.broker.clusterId) {
  const path = `/kafka/v3/clusters/${cluster}/topics/${topic}/records`;
  const headers = { "content-type": "application/json" };
  const answer = await app.ask(path, { method: "POST", headers, body });
  const text = await answer.text();
  const answers = text.split("\r\n").filter((line) => line !== "").map((line) => JSON.parse(line));
  return { status: answer.status, answers };
}

test("each record has its answer, in order, and types are what they say", async () => {
  const records = [
    { partition_id: 1, key: { type: "STRING", data: "k" }, value: { type: "JSON", data: [1] } },
    { partition_id: 1, value: { type: "BINARY", data: "/wA=" }, timestamp: "2026-01-31T00:00:00Z" },
    {
      partition_id: 1,
      headers: [{ name: "h", value: "dg==" }],
      value: { type: "STRING", data: "}" },
    },
  ];
  const { status, answers } = await produce(
    records.map((each) => JSON.stringify(each)).join("\n "),
  );
  expect(status).toBe(200);
  expect(answers).toMatchObject([
    {
      ...{ error_code: 200, topic_name: "orders", partition_id: 1, offset: 0 },
      ...{ key: { type: "STRING", size: 1 }, value: { type: "JSON", size: 3 } },
    },
    { offset: 1, timestamp: "2026-01-31T00:00:00.000Z", value: { type: "BINARY", size: 2 } },
    { offset: 2, value: { type: "STRING", size: 1 } },
  ]);
  const read = await app.ask("/v1/topics/orders/records?partitions=1");
  expect((await read.text()).trim().split("\n").map((line) => JSON.parse(line))).toMatchObject([
    { key: "k", value: "[1]" },
    { value: { base64: "/wA=" }, timestamp: Date.UTC(2026, 0, 31) },
    { value: "}", headers: [["h", "v"]] },
  ]);
});

test("a record that is none is refused, and those around it are written", async () => {
  const good = '{"value":{"type":"STRING","data":"v"}}';
  const { status, answers } = await produce(`${good}{"value":{"type":"AVRO","data":1}}${good}{`);
  expect(status).toBe(200);
  expect(answers.map(({ error_code }) => error_code)).toEqual([200, 422, 200, 400]);
  expect(await produce('{"value":1}')).toMatchObject({ status: 422 });
  expect(await produce("x")).toMatchObject({ status: 400 });
  expect(await produce(good, "none")).toMatchObject({
    status: 404,
    answers: [{ error_code: 40403 }],
  });
  expect(await produce(good, "orders", "other")).toMatchObject({ status: 404 });
  expect(await produce("")).toEqual({ status: 200, answers: [] });
});

test("more records than answers may wait are all answered", async () => {
  const { answers } = await produce(
    '{"value":{"type":"JSON","data":{"a":"{\\"}"}}}'.repeat(12_000),
  );
  expect(answers.length).toBe(12_000);
  expect(answers.every(({ error_code }) => error_code === 200)).toBe(true);
});

test("objects are cut wherever the bytes are", () => {
  const text = '{"a":"}{\\"","b":{"c":[{}]}} {"d":"\\\\"}\n{}';
  const bytes = new TextEncoder().encode(text);
  for (let size = 1; size <= bytes.length; size++) {
    const objects = new JsonObjects(100);
    const found: unknown[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      for (const object of objects.push(bytes.subarray(at, at + size))) {
        found.push(JSON.parse(new TextDecoder().decode(object)));
      }
    }
    expect(found).toEqual([{ a: '}{"', b: { c: [{}] } }, { d: "\\" }, {}]);
    expect(objects.isInside).toBe(false);
  }
  expect(() => [...new JsonObjects(4).push(new TextEncoder().encode('{"aaaaaaa"'))])
    .toThrow(JsonObjectsError);
});
