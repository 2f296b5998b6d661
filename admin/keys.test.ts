/** `GET /v1/topics/T/keys/K` over a real broker. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { bunServeHttp } from "../core/io/bun/http.ts";
import { bunIo } from "../core/io/bun/index.ts";
import type { HttpListener } from "../core/io/http.ts";
import { MemoryDisk } from "../core/io/memory-disk.ts";
import { silentLogger } from "../core/logger.ts";
import { BatchBuilder } from "../core/records/batch-builder.ts";
import { type RunningBroker, startBroker } from "../broker/start-broker.ts";
import { startAdminServer } from "./server.ts";

let running: RunningBroker;
let server: HttpListener;
const denied = new Set<string>();
const text = new TextEncoder();

beforeAll(async () => {
  const topics = [{
    name: "orders",
    numPartitions: 2,
    replicationFactor: 1,
    assignments: [],
    configs: [],
  }];
  const io = { ...bunIo(), disk: new MemoryDisk({ wallMs: () => 0, maxBytes: 1 << 26 }) };
  const authorizer = {
    authorize: (_: unknown, { host }: { readonly host: string }, { name }: { name: string }) =>
      host === "127.0.0.1" && !denied.has(name),
  };
  running = await startBroker({ io, logger: silentLogger, dataDir: "/data", topics, authorizer });
  server = startAdminServer({
    serveHttp: bunServeHttp,
    at: { host: "127.0.0.1", port: 0 },
    running: () => running,
  });
});
afterAll(async () => {
  await server.close();
  await running.stop();
});

/** One batch in one partition. */
async function put(partition: number, records: readonly [string | Uint8Array, string | null][]) {
  const builder = new BatchBuilder();
  for (const [key, value] of records) {
    const keyBytes = typeof key === "string" ? text.encode(key) : key;
    builder.append(1_700_000_000_000, keyBytes, value === null ? null : text.encode(value));
  }
  const found = running.broker.partitions.find("orders", partition);
  if (typeof found === "number") throw new Error(`no partition: ${found}`);
  expect(found.append(builder.build(), "client").ok).toBe(true);
  await found.waitForOffset(found.logEndOffset, running.broker.io.clock.monotonicMs() + 5000);
}

async function ask(path: string) {
  const answer = await fetch(`http://127.0.0.1:${server.address.port}/v1/topics/${path}`);
  return { status: answer.status, body: JSON.parse(await answer.text()) };
}

test("the latest record of a key comes as consume shows it", async () => {
  await put(1, [["k1", "one"], ["k1", "two"], ["k/2", null], ["", "e"], [Uint8Array.of(255), "b"]]);
  const record = { topic: "orders", partition: 1, timestamp: 1_700_000_000_000, headers: [] };
  expect(await ask("orders/keys/k1?partition=1")).toEqual({
    status: 200,
    body: {
      clusterId: running.broker.clusterId,
      topic: "orders",
      partition: 1,
      nextOffset: null,
      records: [{ ...record, offset: 1, key: "k1", value: "two" }],
    },
  });
  const records = async (path: string) =>
    (await ask(`orders/keys/${path}partition=1`)).body.records;
  expect(await records("k%2F2?")).toEqual([{ ...record, offset: 2, key: "k/2", value: null }]);
  expect(await records("?")).toEqual([{ ...record, offset: 3, key: "", value: "e" }]);
  expect(await records("_w==?encoding=base64url&")).toMatchObject([{ offset: 4 }]);
  expect(await records("%2Fw==?encoding=base64&")).toMatchObject([{ key: { base64: "/w==" } }]);
  expect(await records("nobody?")).toEqual([]);
});

test("a key is looked for where Java's partitioner puts it", async () => {
  const { body } = await ask("orders/keys/anything");
  expect(body).toMatchObject({ records: [] });
  await put(body.partition, [["anything", "here"]]);
  expect((await ask("orders/keys/anything")).body).toMatchObject({ records: [{ value: "here" }] });
});

test("a history comes in parts", async () => {
  for (let batch = 0; batch < 5; batch++) {
    await put(0, Array.from({ length: 500 }, (_, index) => ["h", `${batch * 500 + index}`]));
  }
  const values: string[] = [];
  let requests = 0;
  for (let from: number | null = 0; from !== null; requests++) {
    const { body } = await ask(`orders/keys/h?partition=0&history=true&from=${from}`);
    for (const { value } of body.records) values.push(value);
    from = body.nextOffset;
  }
  expect(values).toEqual(Array.from({ length: 2500 }, (_, index) => `${index}`));
  expect(requests).toBe(3);
});

test("what cannot be answered is a problem that says why", async () => {
  const refused = async (path: string) => {
    const { status, body } = await ask(path);
    return [status, body.detail];
  };
  expect(await refused("nowhere/keys/k")).toEqual([404, 'topic "nowhere" does not exist']);
  expect(await refused("orders/keys/k?partition=2"))
    .toEqual([404, 'topic "orders" has no partition 2 here']);
  for (
    const [query, why] of [
      ["partition=x", "?partition: is no whole number"],
      ["partition=-1", "?partition: Too small: expected number to be >=0"],
      ["history=yes", '?history: Invalid option: expected one of "true"|"false"'],
      ["from=3", "?from: goes with history=true"],
      ["encoding=base64", "?encoding: the key is no base64"],
      ["encoding=hex", '?encoding: Invalid option: expected one of "utf8"|"base64"|"base64url"'],
      ["offset=1", "offset: not known here"],
    ]
  ) {
    expect(await refused(`orders/keys/k?${query}`))
      .toEqual([400, `the request is refused: ${why}`]);
  }
});

test("who may not read the topic is told no more", async () => {
  denied.add("orders").add("nowhere");
  for (const topic of ["orders", "nowhere"]) {
    const { status, body } = await ask(`${topic}/keys/k1?partition=1`);
    expect([status, body.detail]).toEqual([403, `User:ANONYMOUS may not read topic "${topic}"`]);
  }
  denied.clear();
});
