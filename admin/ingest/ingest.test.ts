/** Records by HTTP: what each form of body becomes, and what the answer promises. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Consumer } from "../../client/consumer.ts";
import { bunIo } from "../../core/io/bun/index.ts";
import { startTestApp, type TestApp } from "../records.test-helper.ts";

let app: TestApp;

beforeAll(async () => {
  const small = [{ name: "max.message.bytes", value: "1000" }];
  app = await startTestApp(
    {
      one: 1,
      three: 3,
      small: 1,
      lazy: 1,
      lines: 1,
      csv: 1,
      hooks: 1,
      codecs: 1,
      parts: 3,
      mixed: 3,
    },
    { small, lazy: [{ name: "kstream.durability", value: "os" }] },
  );
});
afterAll(() => app.stop());

const utf8 = new TextDecoder();

/** What the first `count` records of a topic are. */
async function read(topic: string, count: number) {
  const consumer = new Consumer(bunIo(), {
    brokers: [`127.0.0.1:${app.running.port}`],
    codecs: (await import("../../core/compression/bun.ts")).bunCodecs,
  });
  const { partitions } = await consumer.cluster.topic(topic);
  await consumer.assign(partitions.map((_, partition) => ({ topic, partition, offset: 0n })));
  const found: { partition: number; key: string | null; value: string | null; headers: string }[] =
    [];
  for await (const { partition, key, value, headers } of consumer.records()) {
    found.push({
      partition,
      key: key && utf8.decode(key),
      value: value && utf8.decode(value),
      headers: headers.map(([name, text]) => `${name}=${text && utf8.decode(text)}`).join(),
    });
    if (found.length === count) break;
  }
  await consumer.close();
  return found;
}

async function write(path: string, body: BodyInit, init: RequestInit = {}) {
  const answer = await app.ask(path, { method: "PUT", body, ...init });
  return { status: answer.status, body: await answer.json() };
}

test("a body without type is envelopes, as curl -T sends them", async () => {
  const lines =
    '{"key":"k","value":"v","headers":[["h","1"],["h",null]]}\n{"value":null,"key":"x"}';
  expect(await write("/v1/topics/one/records", new TextEncoder().encode(lines))).toEqual({
    status: 200,
    body: {
      topic: "one",
      records: 2,
      leftOut: 0,
      skipped: 0,
      partitions: [{ partition: 0, records: 2, firstOffset: 0, lastOffset: 1 }],
    },
  });
  expect(await read("one", 2)).toEqual([
    { partition: 0, key: "k", value: "v", headers: "h=1,h=null" },
    { partition: 0, key: "x", value: null, headers: "" },
  ]);
});

test("plain envelopes and others side by side go where they say, as they are", async () => {
  const lines = [
    '{"key":"a\\"b","value":"{\\"n\\":1}\\n","partition":2,"offset":7}',
    '{"value":"\\u00e4","partition":0,"headers":[["h","1"]]}',
    '{"value":{"base64":"eA=="},"partition":1}',
    '{"value":"","key":"ü","partition":2,"timestamp":1700000000000,"headers":[]}',
    '{"value":null,"key":"","partition":2}',
  ];
  const answer = await write("/v1/topics/mixed/records", `${lines.join("\n")}\n`);
  expect(answer).toMatchObject({ status: 200, body: { records: 5 } });
  const found = await read("mixed", 5);
  expect(found.toSorted((a, b) => a.partition - b.partition)).toEqual([
    { partition: 0, key: null, value: "ä", headers: "h=1" },
    { partition: 1, key: null, value: "x", headers: "" },
    { partition: 2, key: 'a"b', value: '{"n":1}\n', headers: "" },
    { partition: 2, key: "ü", value: "", headers: "" },
    { partition: 2, key: "", value: null, headers: "" },
  ]);
  const [good] = lines;
  const away = await write("/v1/topics/mixed/records", `${good}\n{"value":"x","partition":3}`);
  expect(away).toMatchObject({ status: 400, body: { acknowledged: 1, firstUnsafeLine: 2 } });
  expect(away.body.detail).toContain("line 2: partition 3");
  const bytes = Buffer.from(`${good}\n{"value":"?"}\n${good}\n`);
  bytes[bytes.indexOf("?")] = 0xff;
  const broken = await write("/v1/topics/mixed/records?on-error=skip", bytes);
  expect(broken).toMatchObject({ status: 200, body: { records: 2, skipped: 1 } });
});

test("lines, CSV and single bodies, with keys and headers from everywhere", async () => {
  const text = { headers: { "content-type": "text/plain" } };
  const header = { "kstream-header-Source": "web", traceparent: "00-a-b-01" };
  expect((await write("/v1/topics/lines/records", "a\nb\n\nlast", text)).body)
    .toMatchObject({ records: 4 });
  expect((await write("/v1/topics/lines/records?key-delimiter=%3A", "k:v\n", text)).status).toBe(
    200,
  );
  expect((await read("lines", 5)).map(({ key, value }) => [key, value]))
    .toEqual([[null, "a"], [null, "b"], [null, ""], [null, "last"], ["k", "v"]]);
  const csv = 'id,name\n7,Ann\n8,"B\nob"\n';
  const rows = await write("/v1/topics/csv/records?key-column=id", csv, {
    headers: { "content-type": "text/csv" },
  });
  expect(rows.body).toMatchObject({ records: 2 });
  expect((await read("csv", 2)).map(({ key, value }) => [key, value]))
    .toEqual([["7", '{"id":"7","name":"Ann"}'], ["8", '{"id":"8","name":"B\\nob"}']]);
  const hook = await write("/v1/topics/hooks/records/or%2Fder%201?header.a=b", '{"x":\n1}', {
    method: "POST",
    headers: { "content-type": "application/json", ...header },
  });
  expect(hook.body).toMatchObject({ partitions: [{ firstOffset: 0, lastOffset: 0 }] });
  expect(await read("hooks", 1)).toEqual([{
    partition: 0,
    key: "or/der 1",
    value: '{"x":\n1}',
    headers: "a=b,source=web,traceparent=00-a-b-01",
  }]);
});

test("a line that is no record ends it, and the answer says what is safe", async () => {
  const good = '{"value":"v"}\n';
  const { status, body } = await write("/v1/topics/three/records", good.repeat(5) + "{}\n" + good);
  expect(status).toBe(400);
  expect(body).toMatchObject({
    title: "no record",
    detail: 'line 6: no JSON envelope: it lacks "value" (null is a tombstone)',
    acknowledged: 5,
    failed: 0,
    firstUnsafeLine: 6,
    noneFromLine: 6,
  });
  const elsewhere = await write("/v1/topics/three/records", '{"value":"v","partition":7}\n');
  expect(elsewhere.body.detail)
    .toBe('line 1: partition 7, but topic "three" has 3 (repartition=true ignores it)');
  const skipping = await write("/v1/topics/three/records?on-error=skip", `${good}{}\n${good}`);
  expect(skipping).toMatchObject({ status: 200, body: { records: 2, skipped: 1 } });
});

test("what the broker refuses is not said to be there", async () => {
  const lines = ["a", "b", "x".repeat(2000), "c"].join("\n");
  const { status, body } = await write("/v1/topics/small/records?format=lines", lines);
  expect(status).toBeGreaterThanOrEqual(400);
  expect(body).toMatchObject({ acknowledged: 3, failed: 1, firstUnsafeLine: 3, noneFromLine: 5 });
  const one = await write("/v1/topics/small/records?format=one", "x".repeat(2000));
  expect(one.body).toMatchObject({ acknowledged: 0, failed: 1, firstUnsafeLine: 1 });
});

test("settings: acks, codecs, expressions, partitions; and those that mean nothing", async () => {
  const at = "/v1/topics/codecs/records?format=lines";
  expect((await write(`${at}&acks=0`, "a\n")).body).toMatchObject({
    records: 1,
    partitions: [{ firstOffset: null }],
  });
  for (const codec of ["gzip", "snappy", "lz4", "zstd"]) {
    expect((await write(`${at}&compression=${codec}`, "b\n".repeat(9))).status).toBe(200);
  }
  const where = encodeURIComponent("v.n > 1");
  const mapped = await write(`${at}&where=${where}&map=v.n&key-by=v.n`, '{"n":1}\n{"n":2}\n');
  expect(mapped.body).toMatchObject({ records: 1, leftOut: 1 });
  expect((await read("codecs", 38)).at(-1)).toMatchObject({ key: "2", value: "2" });
  expect((await write("/v1/topics/parts/records?format=lines&partition=2", "a\nb\n")).body)
    .toMatchObject({ partitions: [{ partition: 2, records: 2 }] });
  for (const query of ["partition=3", "partition=x", "acks=2", "format=xml", "no=1", "where=("]) {
    expect((await write(`/v1/topics/parts/records?${query}`, "a\n")).status).toBe(400);
  }
  expect((await write("/v1/topics/none/records", "a\n")).status).toBe(404);
  expect((await write("/v1/topics/lazy/records?durability=fsync", "a\n")).status).toBe(409);
  expect((await write("/v1/topics/one/records?durability=fsync", '{"value":""}')).status).toBe(200);
});

test("a body is read no faster than it is written, and a producer serves the next", async () => {
  const line = new TextEncoder().encode("x".repeat(99) + "\n");
  const block = Buffer.concat(Array.from({ length: 1000 }, () => line));
  for (let round = 0; round < 3; round++) {
    let blocks = 200;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => blocks-- > 0 ? controller.enqueue(block) : controller.close(),
    });
    const answer = await write("/v1/topics/three/records?format=lines", body);
    expect(answer).toMatchObject({ status: 200, body: { records: 200_000 } });
    expect(answer.body.partitions.length).toBe(3);
  }
});

test("a sender that goes in the midst of it gets a problem, and what came is counted", async () => {
  let sent = false;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (sent) return controller.error(new Error("gone"));
      controller.enqueue(new TextEncoder().encode("a\nb\nhal"));
      sent = true;
    },
  });
  const { status, body: said } = await write("/v1/topics/three/records?format=lines", body);
  expect(status).toBe(400);
  expect(said).toMatchObject({ title: "cut short", acknowledged: 2, noneFromLine: 3 });
});
