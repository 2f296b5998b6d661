/** The sink of Elasticsearch and OpenSearch against a real server of the latter. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import elasticsearchSink from "../../connect/connectors/elasticsearch-sink/elasticsearch-sink.ts";
import { Decimal, decimalSchema, primitive, struct, timestampSchema } from "../../connect/index.ts";
import { runSink, sinkRecord, sinkRecords, startSink } from "../../connect/testing/index.ts";
import { needOpenSearch, OpenSearchServer } from "./servers/opensearch.ts";

// The server takes ten seconds and more to begin, twice: a suite of its own.
const isWanted = process.env["KSTREAM_OPENSEARCH"] !== undefined;
const missing = isWanted ? await needOpenSearch() : "KSTREAM_OPENSEARCH is not set";
if (isWanted && missing !== null) throw new Error(missing);
const live = missing === null ? test : test.skip;

let server: OpenSearchServer;
beforeAll(async () => {
  if (missing === null) server = await OpenSearchServer.start();
}, 120_000);
afterAll(() => server?.stop());

let runs = 0;
/** A topic, and so an index, of its own. */
const fresh = () => `Run${++runs}`;
const indexOf = (topic: string) => topic.toLowerCase();
const config = (more: Record<string, string> = {}) => ({
  "connection.url": `${server.url}/`,
  "retry.backoff.ms": "20",
  ...more,
});

live("a document per key, the latest of each; tombstones delete", async () => {
  const topic = fresh();
  const of = (key: string, value: object | null, offset: number) =>
    sinkRecord(value as never, offset, { topic, key });
  const records = [
    of("a", { n: 1, big: 2n ** 60n }, 0),
    of("b", { n: 2 }, 1),
    of("a", { n: 3, big: 5n }, 2),
    of("ü/ ?", { n: 4 }, 3),
    of("b", null, 4),
    of("never", null, 5),
  ];
  const sink = await runSink(
    elasticsearchSink,
    config({ "behavior.on.null.values": "delete", "batch.size": "2" }),
    records,
  );
  expect(sink.rejected).toEqual([]);
  expect(sink.committed()).toEqual({ [`${topic}-0`]: 6n });
  const wanted = { a: { n: 3, big: 5 }, "ü/ ?": { n: 4 } };
  expect(await server.documents(indexOf(topic))).toEqual(wanted);
  // What comes again, or late, changes nothing.
  await runSink(
    elasticsearchSink,
    config({ "behavior.on.null.values": "delete" }),
    records.slice(0, 3),
  );
  expect(await server.documents(indexOf(topic))).toEqual(wanted);
});

live("each record a document, once, however often it comes; types by the schema", async () => {
  const topic = fresh();
  const schema = struct([
    { name: "count", schema: primitive("int16") },
    { name: "at", schema: timestampSchema },
    { name: "price", schema: decimalSchema(2) },
    { name: "name", schema: primitive("string") },
  ]);
  const at = new Date("2024-01-02T03:04:05.678Z");
  const rows = Array.from(
    { length: 2500 },
    (_, n) =>
      sinkRecord({ count: n, at, price: new Decimal(1999n, 2), name: "x" }, n, {
        topic,
        valueSchema: schema,
      }),
  );
  const sink = config({ "key.ignore": "true", "batch.size": "300" });
  await runSink(elasticsearchSink, sink, rows.slice(0, 2000));
  await runSink(elasticsearchSink, sink, rows.slice(1000));
  const documents = await server.documents(indexOf(topic));
  expect(Object.keys(documents)).toHaveLength(2500);
  expect(documents[`${topic}+0+7`]).toEqual({
    count: 7,
    at: "2024-01-02T03:04:05.678Z",
    price: 19.99,
    name: "x",
  });
  const mapping = await server.ask("GET", `/${indexOf(topic)}/_mapping`);
  expect(mapping).toMatchObject({
    [indexOf(topic)]: {
      mappings: {
        properties: {
          count: { type: "short" },
          at: { type: "date" },
          price: { type: "double" },
          name: { type: "text", fields: { keyword: { type: "keyword" } } },
        },
      },
    },
  });
});

live("what is refused is refused alone, with the reason and without the data", async () => {
  const topic = fresh();
  const values = [{ n: 1 }, { n: "secret text" }, "no object", { n: 2 }, null];
  const records = sinkRecords(values as never[], { topic }).map((record) => ({
    ...record,
    key: `k${record.offset}`,
  }));
  const sink = await runSink(elasticsearchSink, config(), [
    ...records,
    sinkRecord({ n: 3 }, 5, { topic, key: null }),
    sinkRecord({ n: 4 }, 6, { topic, key: "x".repeat(513) }),
  ]);
  const said = sink.rejected.map(({ record, error }) => `${record.offset} ${error.message}`).sort();
  expect(said).toEqual([
    `1 "${
      indexOf(topic)
    }" refuses document "k1": mapper_parsing_exception: failed to parse field ` +
    "[n] of type [long] in document with id 'k1'., illegal_argument_exception (400)",
    "2 its value is no object: a document has fields",
    "4 it has no value (behavior.on.null.values)",
    "5 it has no key, and key.ignore is false",
    "6 its key is empty or longer than 512 bytes",
  ]);
  expect(sink.committed()).toEqual({ [`${topic}-0`]: 7n });
  expect(await server.documents(indexOf(topic))).toEqual({ k0: { n: 1 }, k3: { n: 2 } });
  const warn = config({ "behavior.on.malformed.documents": "warn" });
  const warned = await runSink(elasticsearchSink, warn, records.slice(0, 2));
  expect(warned.rejected).toEqual([]);
  expect(warned.log.join("\n")).toContain("a document is left out");
  expect(warned.log.join("\n")).not.toContain("secret text");
});

live("upsert changes fields and leaves others, in order", async () => {
  const topic = fresh();
  const records = Array.from(
    { length: 50 },
    (_, n) => sinkRecord({ [`f${n % 5}`]: n }, n, { topic, key: `k${n % 2}` }),
  );
  const sink = config({ "write.method": "upsert" });
  await runSink(elasticsearchSink, sink, records);
  expect(await server.documents(indexOf(topic))).toEqual({
    k0: { f0: 40, f1: 46, f2: 42, f3: 48, f4: 44 },
    k1: { f0: 45, f1: 41, f2: 47, f3: 43, f4: 49 },
  });
});

live("data streams: each record once, with its time", async () => {
  const topic = fresh();
  await server.ask("PUT", "/_index_template/logs", {
    index_patterns: ["logs-*"],
    data_stream: {},
  });
  const records = [
    sinkRecord({ n: 1 }, 0, { topic, timestampMs: 1_700_000_000_000 }),
    sinkRecord({ n: 2, when: new Date(5) }, 1, { topic }),
  ];
  const stream = config({
    "data.stream.type": "logs",
    "data.stream.timestamp.field": "none,when",
  });
  for (let times = 0; times < 2; times++) {
    const { rejected } = await runSink(elasticsearchSink, stream, records);
    expect(rejected).toEqual([]);
  }
  const documents = await server.documents(`logs-${indexOf(topic)}-default`);
  expect(Object.values(documents)).toEqual([
    { "@timestamp": "2023-11-14T22:13:20.000Z", n: 1 },
    { "@timestamp": "1970-01-01T00:00:00.005Z", n: 2, when: "1970-01-01T00:00:00.005Z" },
  ]);
  const metrics = config({ "data.stream.type": "metrics" });
  await expect(runSink(elasticsearchSink, metrics, records)).rejects.toThrow(
    "a data stream needs an index template",
  );
});

live("the server is killed in the middle: nothing is lost or doubled", async () => {
  const topic = fresh();
  const sink = await startSink(
    elasticsearchSink,
    config({ "key.ignore": "true", "batch.size": "20", "max.retries": "1" }),
    { timeoutMs: 120_000 },
  );
  const records = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, n) => sinkRecord({ n: from + n }, from + n, { topic }));
  await sink.write(records(0, 500));
  const writing = sink.write(records(500, 4000));
  await server.down();
  while (sink.retries < 1) await Bun.sleep(5);
  await server.up();
  await writing;
  await sink.stop();
  expect(sink.committed()).toEqual({ [`${topic}-0`]: 4000n });
  const documents = await server.documents(indexOf(topic));
  const found = Object.values(documents).map((one) => Number((one as { n: number }).n));
  expect(found.sort((a, b) => a - b)).toEqual(Array.from({ length: 4000 }, (_, n) => n));
}, 120_000);

live("what is wrong is said, and no password is", async () => {
  const guarded = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => {
      const { headers } = request;
      const isMe = headers.get("authorization") ===
        `Basic ${Buffer.from("me:s3cret").toString("base64")}`;
      return isMe || headers.get("authorization") === "ApiKey abc"
        ? Response.json({ version: {} })
        : new Response("no", { status: 401 });
    },
  });
  const probe = (more: Record<string, string>) => {
    const url = { "connection.url": `http://127.0.0.1:${guarded.port}` };
    return startSink(elasticsearchSink, { ...url, ...more }).then(({ task }) =>
      elasticsearchSink.probe!(task.context.config as never, new AbortController().signal, {})
    );
  };
  await probe({ "connection.username": "me", "connection.password": "s3cret" });
  await probe({ "api.key": "abc" });
  const wrong = probe({ "connection.username": "me", "connection.password": "wr0ng" });
  await expect(wrong).rejects.toThrow('answered 401: "no": look at connection.username');
  await expect(wrong).rejects.not.toThrow("wr0ng");
  await guarded.stop(true);
  await expect(probe({})).rejects.toThrow("127.0.0.1");
  const both = { "write.method": "upsert", "key.ignore": "true" };
  await expect(probe(both)).rejects.toThrow('"write.method" can be upsert only');
});
